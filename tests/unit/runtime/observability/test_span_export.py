"""Spans wait in a bounded queue: what does not fit is dropped and counted, and nothing waits."""

import socket
import threading

import pytest
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
    [(301, "status 301, go to"), (400, "code: 400"), (503, "Cause: status 503")],
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
    assert ("Cause:" in lost["error"]) == (status == 503)


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
