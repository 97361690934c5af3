"""Spans as a collector reads them: each member of a span has its place in OTLP."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from services.runtime.config.settings import Settings
from services.runtime.messages.trace_context import TraceContext
from services.runtime.observability.span_encoding import SpanEncoder
from services.runtime.observability.spans import Kind, Span

TRACE, OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
OWN, PARENT, LINKED = "b7ad6b7169203331", "00f067aa0ba902b7", "0000000000000001"
LOCAL, REMOTE = 0x100, 0x300
"""SpanFlags of OTLP: it is known whether the context is of another process; and it is."""


def encoded(*spans: Span, **settings: str) -> ExportTraceServiceRequest:
    """What a collector reads."""
    encoder = SpanEncoder(Settings(**settings), "orders")
    return ExportTraceServiceRequest.FromString(encoder.encode(spans))


def a_span(**changes: object) -> Span:
    given = {
        "name": "batch",
        "kind": Kind.INTERNAL,
        "context": TraceContext(TRACE, OWN),
        "began": 1_700_000_000_000_000_001,
        "ended": 1_700_000_000_000_000_999,
        "attributes": {},
    }
    return Span(**(given | changes))


def message_of(span: Span) -> SpanMessage:
    (resource,) = encoded(span).resource_spans
    (scope,) = resource.scope_spans
    (message,) = scope.spans
    return message


def test_span_has_its_ids_name_and_nanoseconds() -> None:
    message = message_of(a_span())

    assert (message.trace_id.hex(), message.span_id.hex()) == (TRACE, OWN)
    assert message.parent_span_id == b""
    assert message.name == "batch"
    assert message.start_time_unix_nano == 1_700_000_000_000_000_001
    assert message.end_time_unix_nano == 1_700_000_000_000_000_999
    assert not message.HasField("status")


@pytest.mark.parametrize("kind", Kind)
def test_span_has_its_kind(kind: Kind) -> None:
    found = message_of(a_span(kind=kind)).kind

    assert SpanMessage.SpanKind.Name(found) == f"SPAN_KIND_{kind.value}"


@pytest.mark.parametrize(("is_remote", "flags"), [(False, LOCAL), (True, REMOTE)])
def test_span_says_whether_its_parent_is_of_another_process(is_remote: bool, flags: int) -> None:
    message = message_of(a_span(parent=TraceContext(TRACE, PARENT), is_remote=is_remote))

    assert (message.parent_span_id.hex(), message.flags) == (PARENT, flags)


def test_span_has_its_links() -> None:
    links = (TraceContext(OTHER_TRACE, LINKED), TraceContext(TRACE, PARENT))

    found = message_of(a_span(links=links)).links

    assert [(each.trace_id.hex(), each.span_id.hex(), each.flags) for each in found] == [
        (OTHER_TRACE, LINKED, REMOTE),
        (TRACE, PARENT, REMOTE),
    ]


def test_span_that_failed_has_the_status_with_the_reason() -> None:
    status = message_of(a_span(error="Contended")).status

    assert (status.code, status.message) == (Status.STATUS_CODE_ERROR, "Contended")


def test_span_attributes_keep_their_types() -> None:
    given = {
        "messaging.system": "kafka",
        "orderflow.order_id": "c7db5f30",
        "messaging.kafka.offset": 2**62,
        "orderflow.links_left_out": 0,
        "orderflow.waited_seconds": 0.0,
        "orderflow.is_late": True,
    }

    found = message_of(a_span(attributes=given)).attributes

    read = {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in found}
    assert read == given
    assert {name: type(value) for name, value in read.items()} == {
        name: type(value) for name, value in given.items()
    }


def test_spans_share_texts_and_nothing_else() -> None:
    """A text that several spans have is encoded once; changes of one are not in the other."""
    spans = [a_span(attributes={"messaging.system": "kafka", "n": number}) for number in range(3)]

    (resource,) = encoded(*spans).resource_spans

    (scope,) = resource.scope_spans
    found = [[each.value.WhichOneof("value") for each in span.attributes] for span in scope.spans]
    assert found == [["string_value", "int_value"]] * 3
    assert [span.attributes[1].value.int_value for span in scope.spans] == [0, 1, 2]


def test_resource_names_the_service_whatever_the_settings_say() -> None:
    given = "deployment.environment.name=test,service.name=other"

    (resource,) = encoded(a_span(), otel_resource_attributes=given).resource_spans

    found = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert found["service.name"] == "orderflow-orders"
    assert found["deployment.environment.name"] == "test"
    assert found["service.instance.id"]
