"""The trace of a batch without servers: what is exported, and how much at most."""

from datetime import UTC, datetime

import pytest
import structlog

from schemas.envelope import CloudEvent
from services.runtime.batch.batch_spans import PollTrace, Sources
from services.runtime.batch.batch_trace import APPLY, ITEMS_MAX, BatchTrace
from services.runtime.batch.items import FailureKind, ItemRef
from services.runtime.config.settings import Settings
from services.runtime.messages.records import Coordinates, Original
from services.runtime.observability.tracing import LINKS_LEFT_OUT, LINKS_MAX, Tracing

TRACED = CloudEvent(type="order.upsert", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
SOURCES = Sources(frozenset({"orders.commands"}), frozenset({0}), 1)


class Kept:
    """Takes spans as an exporter does, and keeps them."""

    def __init__(self):
        self.spans = []

    def emit(self, span):
        self.spans.append(span)

    def named(self, name):
        return [each for each in self.spans if each.name == name]


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def open_trace(kept):
    """Opens the trace of a batch; `share` is of messages without a trace."""

    def opened(*, share=0.0, parked=(), poll=None):
        tracing = Tracing(Settings(otel_traces_sampler_arg=share), "orders", kept)
        return BatchTrace(tracing, APPLY, SOURCES, parked, poll=poll)

    return opened


def record(offset):
    at = Coordinates("orders.commands", 0, offset)
    return Original(at, b"k", (), b"{}", datetime(2026, 3, 2, tzinfo=UTC))


def test_batch_without_a_traced_item_exports_nothing(open_trace, kept):
    with open_trace() as trace:
        envelope = CloudEvent(type="order.upsert")
        assert trace.adopt(record(0), 0, envelope) is envelope
        trace.lap("decode")

    assert kept.spans == []


def test_batch_of_many_traced_items_exports_a_bounded_number(open_trace, kept):
    most = ITEMS_MAX + 44
    records = [record(n) for n in range(most)]
    with open_trace() as trace:
        adopted = [trace.adopt(each, 0, TRACED) for each in records]
        for each in records:
            trace.end(each, 0, "applied")

    (batch,) = kept.named("apply orders.commands")
    assert len(kept.named("process orders.commands")) == ITEMS_MAX
    assert len(batch.links) == LINKS_MAX
    assert batch.attributes[LINKS_LEFT_OUT] == most - LINKS_MAX
    assert adopted[ITEMS_MAX:] == [TRACED] * 44, "the others go on in their senders' traces"
    assert len({each.traceparent for each in adopted}) == ITEMS_MAX + 1


def test_batch_that_fails_exports_itself_and_no_item(open_trace, kept):
    def fail():
        with open_trace() as trace:
            one = record(0)
            trace.adopt(one, 0, TRACED)
            trace.end(one, 0, "applied")
            raise ZeroDivisionError("about jane@example.org")

    with pytest.raises(ZeroDivisionError):
        fail()

    (batch,) = kept.named("apply orders.commands")
    assert batch.error == "ZeroDivisionError"
    assert kept.named("process orders.commands") == []


def test_item_without_an_end_exports_nothing(open_trace, kept):
    """A waiting item that was read, and that nothing woke."""
    with open_trace() as trace:
        trace.adopt(record(0), 0, TRACED, is_waiting=True)

    assert kept.named("process orders.commands") == []


@pytest.mark.parametrize(
    ("kind", "error"), [(FailureKind.DECISION, "decision"), (FailureKind.BEHIND, None)]
)
def test_item_that_is_parked_says_why(open_trace, kept, kind, error):
    parked = [(ItemRef(record(0).coordinates, 0), kind)]
    with open_trace(parked=parked) as trace:
        trace.adopt(record(0), 0, TRACED)

    (item,) = kept.named("process orders.commands")
    assert (item.attributes["orderflow.reason"], item.error) == (kind.value, error)


def test_batches_of_one_poll_share_its_trace(open_trace, kept):
    poll = PollTrace(1_000, 2_000)
    for offset in (0, 1):
        with open_trace(poll=poll) as trace:
            trace.adopt(record(offset), 0, TRACED)

    (root,) = kept.named("batch orders.commands")
    (polled,) = kept.named("poll orders.commands")
    assert (root.began, polled.began, polled.ended) == (1_000, 1_000, 2_000)
    assert [each.parent for each in kept.named("apply orders.commands")] == [root.context] * 2


def test_log_entries_of_a_traced_batch_name_its_span(open_trace, kept):
    with open_trace() as trace:
        trace.adopt(record(0), 0, TRACED)
        bound = structlog.contextvars.get_contextvars()
    (batch,) = kept.named("apply orders.commands")

    assert bound == {"trace_id": batch.context.trace_id, "span_id": batch.context.span_id}
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_share_of_messages_without_a_trace_is_traced(open_trace, kept, share):
    count = 100_000
    chosen = open_trace(share=share)._tracing
    traced = sum(chosen.choose_root(record(offset)) is not None for offset in range(count))

    assert traced == pytest.approx(share * count, rel=0.02)
