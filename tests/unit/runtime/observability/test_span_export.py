"""Spans wait in a bounded queue: what does not fit is dropped and counted, and nothing waits."""

import socket
import threading
import time

import pytest
from msgspec import structs
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.runtime.config.settings import Settings
from services.runtime.messages.trace_context import TraceContext
from services.runtime.observability import span_export
from services.runtime.observability.metrics import Metrics
from services.runtime.observability.span_export import SpanExport
from services.runtime.observability.spans import Kind, Span
from tests.collector import Collector, collecting

QUEUE, TOO_MANY = span_export.QUEUE_MAX, 5


@pytest.fixture
def collector():
    with collecting() as opened:
        yield opened


def a_span(number: int) -> Span:
    context = TraceContext("a" * 32, f"{number + 1:016x}")
    return Span(
        name=f"{number}", kind=Kind.INTERNAL, context=context, began=1, ended=2, attributes={}
    )


def counted(metrics: Metrics, result: str) -> float | None:
    labels = {"service": "orders", "result": result}
    return metrics.registry.get_sample_value("orderflow_trace_spans_total", labels)


async def test_spans_beyond_the_queue_are_dropped_and_counted(collector: Collector):
    collector.held = threading.Event()
    metrics = Metrics(CollectorRegistry())
    settings = Settings(otel_exporter_otlp_endpoint=collector.endpoint)
    export = SpanExport(settings, "orders", metrics)

    for number in range(QUEUE + TOO_MANY):
        export.emit(a_span(number))

    assert counted(metrics, "dropped") == TOO_MANY
    collector.held.set()
    await export.close(10)
    assert sorted(int(each.name) for each in collector.spans) == list(range(QUEUE))
    assert (counted(metrics, "sent"), counted(metrics, "dropped")) == (QUEUE, TOO_MANY)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(301, "status 301, go to"), (400, "status 400"), (503, "status 503")],
)
async def test_spans_that_the_collector_does_not_take_are_dropped_with_the_reason(
    collector: Collector, status: int, reason: str
):
    collector.status = status
    metrics = Metrics(CollectorRegistry())
    settings = Settings(otel_exporter_otlp_endpoint=collector.endpoint)
    export = SpanExport(settings, "orders", metrics)

    with capture_logs() as logs:
        export.emit(a_span(1))
        await export.close(10)

    assert (counted(metrics, "sent"), counted(metrics, "dropped")) == (0, 1)
    (lost,) = [entry for entry in logs if entry["event"] == "collector_lost"]
    assert reason in lost["error"]


async def test_spans_for_a_collector_that_is_away_are_dropped_with_the_reason():
    metrics = Metrics(CollectorRegistry())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
    export = SpanExport(Settings(otel_exporter_otlp_endpoint=endpoint), "orders", metrics)

    with capture_logs() as logs:
        export.emit(a_span(1))
        await export.close(10)

    assert (counted(metrics, "sent"), counted(metrics, "dropped")) == (0, 1)
    (lost,) = [entry for entry in logs if entry["event"] == "collector_lost"]
    assert "Connection refused" in lost["error"]


@pytest.mark.parametrize("statuses", [[429], [503, 502, 504]])
async def test_spans_are_sent_again_while_the_collector_is_busy(
    collector: Collector, statuses: list[int]
):
    collector.first_statuses, requests = [*statuses], len(statuses) + 1
    metrics = Metrics(CollectorRegistry())
    export = SpanExport(Settings(otel_exporter_otlp_endpoint=collector.endpoint), "orders", metrics)

    export.emit(a_span(1))
    await export.close(10)

    assert (len(collector.requests), len(collector.spans)) == (requests, 1)
    assert (counted(metrics, "sent"), counted(metrics, "dropped")) == (1, 0)


async def test_spans_are_dropped_where_the_collector_asks_for_a_longer_pause(
    collector: Collector,
):
    collector.status, collector.retry_after = 503, "3600"
    metrics = Metrics(CollectorRegistry())
    export = SpanExport(Settings(otel_exporter_otlp_endpoint=collector.endpoint), "orders", metrics)

    export.emit(a_span(1))
    await export.close(10)

    assert len(collector.requests) == 1
    assert counted(metrics, "dropped") == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            ExportTraceServiceResponse(
                partial_success=ExportTracePartialSuccess(rejected_spans=1, error_message="full")
            ).SerializeToString(),
            "1 spans rejected: full",
            id="rejected",
        ),
        pytest.param(b"\xff\xff", "the answer is not one of OTLP", id="nonsense"),
    ],
)
async def test_spans_that_an_answer_rejects_are_dropped_with_the_reason(
    collector: Collector, answer: bytes, reason: str
):
    collector.answer = answer
    metrics = Metrics(CollectorRegistry())
    export = SpanExport(Settings(otel_exporter_otlp_endpoint=collector.endpoint), "orders", metrics)

    with capture_logs() as logs:
        export.emit(a_span(1))
        await export.close(10)

    assert (counted(metrics, "sent"), counted(metrics, "dropped")) == (0, 1)
    assert [entry["error"] for entry in logs if entry["event"] == "collector_lost"] == [reason]


async def test_close_ends_a_repetition(collector: Collector):
    collector.status, collector.retry_after = 503, "4"
    metrics = Metrics(CollectorRegistry())
    export = SpanExport(Settings(otel_exporter_otlp_endpoint=collector.endpoint), "orders", metrics)
    export.emit(a_span(1))
    began = time.monotonic()

    await export.close(0.2)

    assert counted(metrics, "dropped") == 1
    for thread in threading.enumerate():
        if thread.name == "span_export.orders":
            thread.join(10)
    assert time.monotonic() - began < 3, "the pause that the collector asked for is 4 seconds"
    assert counted(metrics, "dropped") == 1, "what the end of the process dropped is counted once"


async def test_span_that_cannot_be_encoded_is_dropped_and_the_next_is_sent(collector: Collector):
    metrics = Metrics(CollectorRegistry())
    export = SpanExport(Settings(otel_exporter_otlp_endpoint=collector.endpoint), "orders", metrics)

    with capture_logs() as logs:
        export.emit(structs.replace(a_span(1), name="\ud800"))
        await collector.until(lambda: counted(metrics, "dropped"))
        export.emit(a_span(2))
        await export.close(10)

    assert [each.name for each in collector.spans] == ["2"]
    (lost,) = [entry for entry in logs if entry["event"] == "collector_lost"]
    assert "cannot be encoded" in lost["error"]
