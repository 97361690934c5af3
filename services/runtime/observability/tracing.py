"""Traces of one service: which messages are traced, and the spans that are exported.

A span is made when it has ended, from times that were noted: nothing is opened and closed on the
path of a message. Where no collector is configured there is no `Tracing`, and nothing of
OpenTelemetry is imported (docs/decisions/0205).
"""

from __future__ import annotations

import random
import time
from hashlib import sha256
from typing import TYPE_CHECKING

from services.runtime.config.settings import Settings
from services.runtime.messages.records import Original
from services.runtime.messages.trace_context import LENGTH, TraceContext, read_traceparent
from services.runtime.observability.metrics import Metrics
from services.runtime.observability.spans import Kind, Span

if TYPE_CHECKING:
    from services.runtime.observability.span_export import SpanExport

CLOSE_LEAST_SECONDS, CLOSE_MOST_SECONDS = 0.5, 3.0
"""Limits for the last export of a process that ends, to a collector that may not answer."""
LINKS_MAX = 128
"""Most links of one span; an attribute of the span says how many were left out."""
LINKS_LEFT_OUT = "orderflow.links_left_out"

_ALL = 1 << 64
_MASK = _ALL - 1
_SAMPLED_DIGITS = "13579bdf"
_SPREAD = 0x9E3779B97F4A7C15
"""2^64 by the golden ratio: multiples of it are spread evenly, whatever the offsets are."""


class Tracing:
    """The traces of one service: ids, which messages are traced, and the export of spans."""

    def __init__(self, settings: Settings, service: str, export: SpanExport) -> None:
        self.service = service
        self.group = settings.consumer_group(service)
        self._export = export
        self._topic_prefix = settings.kafka_topic_prefix
        self._below = round(settings.otel_traces_sampler_arg * _ALL)
        self._follows_senders = settings.otel_traces_sampler == "parentbased_traceidratio"

    def topic(self, name: str) -> str:
        """The name of a topic of the catalogue in Kafka."""
        return self._topic_prefix + name

    def skips(self, original: Original, traceparent: str | None) -> bool:
        """Whether a message is surely not traced. It is asked of every message, so it does little;
        `choose` and `choose_root` have the last word on the others.
        """
        if traceparent is None:
            at = original.coordinates
            return (at.offset + at.partition * 31 + 1) * _SPREAD & _MASK >= self._below
        return self._follows_senders and traceparent[LENGTH - 1 : LENGTH] not in _SAMPLED_DIGITS

    def choose(self, traceparent: str | None) -> TraceContext | None:
        """The sender's span of a message that is to be traced; None where it is not.

        What is not a valid `traceparent` is never traced.
        """
        context = read_traceparent(traceparent)
        if context is None:
            return None
        is_chosen = context.is_sampled if self._follows_senders else self._is_in_share(context)
        return context if is_chosen else None

    def choose_root(self, original: Original) -> str | None:
        """The id of a new trace for a message without `traceparent`; None where it has none.

        The choice and the id are of the record's coordinates: a replay gives the same.
        """
        if self.skips(original, None):
            return None
        return sha256(f"trace/{original.coordinates}".encode()).hexdigest()[:32]

    def choose_new(self) -> TraceContext:
        """A new trace for what came without one, as a request; sampled by chance."""
        return self.new_root(is_sampled=random.getrandbits(64) < self._below)

    def new_root(self, *, is_sampled: bool = True) -> TraceContext:
        """The first span of a new trace, with random ids."""
        return TraceContext(f"{random.getrandbits(128) | 1:032x}", new_span_id(), is_sampled)

    def new_child(self, parent: TraceContext) -> TraceContext:
        """A further span of the parent's trace."""
        return TraceContext(parent.trace_id, new_span_id())

    def part(self, name: str, parent: TraceContext, began: int, ended: int) -> Span:
        """A stage of the work that the parent is of."""
        return Span(
            name=name,
            kind=Kind.INTERNAL,
            context=self.new_child(parent),
            parent=parent,
            began=began,
            ended=ended,
            attributes={},
        )

    def emit(self, span: Span) -> None:
        """Have a span exported, or drop it where too many wait; never blocks."""
        self._export.emit(span)

    async def close(self, seconds: float) -> None:
        """Export what waits, and end; `seconds` are what is left of the drain timeout."""
        await self._export.close(min(max(seconds, CLOSE_LEAST_SECONDS), CLOSE_MOST_SECONDS))

    def _is_in_share(self, context: TraceContext) -> bool:
        """Whether the trace is one of the share, as TraceIdRatioBased of OpenTelemetry decides."""
        return int(context.trace_id[16:], 16) < self._below


def new_span_id() -> str:
    """A random span id."""
    return f"{random.getrandbits(64) | 1:016x}"


def now() -> int:
    """The machine's clock in nanoseconds since 1970, as spans have it."""
    return time.time_ns()


def exemplar_of(context: TraceContext | None) -> dict[str, str] | None:
    """The exemplar by which a histogram names a span."""
    if context is None:
        return None
    return {"trace_id": context.trace_id, "span_id": context.span_id}


def open_tracing(settings: Settings, service: str, metrics: Metrics) -> Tracing | None:
    """The tracing of a service; None where no collector is configured.

    Raises:
        SettingsError: the file of authorities is not there.
    """
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    from services.runtime.observability.span_export import SpanExport

    return Tracing(settings, service, SpanExport(settings, service, metrics))
