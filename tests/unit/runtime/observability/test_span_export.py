"""Spans wait in a bounded queue: what does not fit is dropped and counted, and nothing waits."""

import threading

import pytest
from prometheus_client import CollectorRegistry

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
