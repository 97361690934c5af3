"""Spans as messages of OTLP, the protocol of OpenTelemetry, by its own protobuf classes.

They are filled without the SDK, whose encoder is most of what traces would cost
(docs/decisions/0205).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from services.runtime.config.settings import Settings
from services.runtime.messages.trace_context import TraceContext
from services.runtime.observability.spans import Kind, Span

_KINDS = {kind: SpanMessage.SpanKind.Value(f"SPAN_KIND_{kind.value}") for kind in Kind}
# Whether the parent, or the span of a link, is of another process (SpanFlags of OTLP).
_LOCAL, _REMOTE = 0x100, 0x300
# Attributes with another value in each span; those of others are encoded once.
_OWN = frozenset(("messaging.message.id", "orderflow.order_id"))
_SHARED_MAX = 1024


class SpanEncoder:
    """Encodes the spans of one service of this process."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._resource = _resource(settings, service)
        self._scope = InstrumentationScope(name="orderflow", version=version("orderflow"))

    def encode(self, spans: Sequence[Span]) -> bytes:
        """Encode the body of one request to a collector.

        Raises:
            ValueError: a text is not valid Unicode.
        """
        scoped = ScopeSpans(scope=self._scope, spans=map(_encode, spans))
        found = ResourceSpans(resource=self._resource, scope_spans=[scoped])
        body: bytes = ExportTraceServiceRequest(resource_spans=[found]).SerializeToString()
        return body


def _encode(span: Span) -> SpanMessage:
    parent = span.parent
    return SpanMessage(
        trace_id=bytes.fromhex(span.context.trace_id),
        span_id=bytes.fromhex(span.context.span_id),
        parent_span_id=b"" if parent is None else bytes.fromhex(parent.span_id),
        flags=_REMOTE if span.is_remote else _LOCAL,
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=span.began,
        end_time_unix_nano=span.ended,
        attributes=[_attribute(name, value) for name, value in span.attributes.items()],
        links=map(_link, span.links),
        status=None
        if span.error is None
        else Status(code=Status.STATUS_CODE_ERROR, message=span.error),
    )


def _link(context: TraceContext) -> SpanMessage.Link:
    return SpanMessage.Link(
        trace_id=bytes.fromhex(context.trace_id),
        span_id=bytes.fromhex(context.span_id),
        flags=_REMOTE,
    )


def _attribute(name: str, value: str | float) -> KeyValue:
    if isinstance(value, str):
        return _text(name, value) if name in _OWN else _shared_text(name, value)
    if isinstance(value, bool):
        return KeyValue(key=name, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    return KeyValue(key=name, value=AnyValue(double_value=value))


def _text(name: str, value: str) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=value))


@lru_cache(_SHARED_MAX)
def _shared_text(name: str, value: str) -> KeyValue:
    """The same message for all spans that have the attribute: messages copy what they are given."""
    return _text(name, value)


def _resource(settings: Settings, service: str) -> Resource:
    """What all spans of this service and process have in common, by the semantic conventions."""
    attributes: Mapping[str, str] = {
        **settings.resource_attributes,
        "service.name": f"orderflow-{service}",
        "service.version": version("orderflow"),
        "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
    }
    return Resource(attributes=[_text(name, value) for name, value in attributes.items()])
