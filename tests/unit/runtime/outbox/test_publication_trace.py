"""The trace of a round of a publisher: which records it finds, in every form of headers."""

from datetime import UTC, datetime

import pytest

from services.runtime.config.settings import Settings
from services.runtime.messages.headers import (
    headers_by_name,
    headers_by_place,
    pack_headers,
    read_headers,
)
from services.runtime.observability.tracing import LINKS_LEFT_OUT, LINKS_MAX, Tracing
from services.runtime.outbox.publication_trace import RECORDS_MAX, PublicationTrace
from services.runtime.outbox.rows import OutboxRow
from tests.unit.runtime.batch.test_batch_trace import Kept

TRACE, SPAN = "a" * 32, "b" * 16
AT = datetime(2026, 1, 1, tzinfo=UTC)


def headers(flags, *, time="2026-01-01T00:00:00Z"):
    """Packed headers of an event; the date holds what the flag of a trace looks like."""
    traceparent = None if flags is None else f"00-{TRACE}-{SPAN}-{flags}"
    return headers_by_place("id-01", "orderflow/orders", "order.placed", time, "o-01", traceparent)


def a_row(*packed):
    count = len(packed)
    return OutboxRow(
        0, 1, 0, ["orders.events"] * count, [b"k"] * count, packed, [b"{}"] * count, AT, AT, True
    )


def published(*rows):
    kept = Kept()
    trace = PublicationTrace(Tracing(Settings(), "orders", kept))
    trace.read(rows)
    trace.published()
    return kept, trace


FORMS = {
    "by place": lambda packed: packed,
    "by name": lambda packed: headers_by_name(read_headers(packed)),
    "as JSON": lambda packed: pack_headers(read_headers(packed)),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_publication_trace_has_a_span_for_each_traced_record(form):
    row = a_row(*(form(headers(flags)) for flags in ("00", "01", None, "01")))
    kept, trace = published(row)

    spans = kept.named("send orders.events")
    assert [each.parent.span_id for each in spans] == [SPAN, SPAN]
    assert spans[0].attributes["messaging.message.id"] == "id-01"
    assert spans[0].attributes["orderflow.order_id"] == "o-01"
    assert trace.exemplar(row) == {"trace_id": TRACE, "span_id": SPAN}


def test_publication_trace_of_untraced_records_exports_nothing():
    row = a_row(headers(None), headers("00"), pack_headers(()), headers_by_name(()))
    kept, trace = published(row)

    assert kept.spans == []
    assert trace.exemplar(row) is None


def test_publication_trace_of_many_records_is_bounded():
    kept, _ = published(a_row(*[headers("01")] * (RECORDS_MAX + 10)))
    (publish,) = kept.named("publish")

    assert len(kept.named("send orders.events")) == RECORDS_MAX
    assert len(publish.links) == LINKS_MAX
    assert publish.attributes[LINKS_LEFT_OUT] == RECORDS_MAX + 10 - LINKS_MAX
