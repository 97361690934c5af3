"""CloudEvents 1.0 on Kafka, binary mode: the header names, and how they are written and read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

SPEC_VERSION = "1.0"
CONTENT_TYPE_JSON = "application/json"
CONTENT_TYPE_STRUCTURED = "application/cloudevents+json"

CE_SPECVERSION = "ce_specversion"
CE_ID = "ce_id"
CE_SOURCE = "ce_source"
CE_TYPE = "ce_type"
CE_TIME = "ce_time"
CE_SUBJECT = "ce_subject"
CONTENT_TYPE = "content-type"
TRACEPARENT = "traceparent"
CE_CAUSATIONID = "ce_causationid"
CE_SEQUENCE = "ce_sequence"
CE_ORDERVERSION = "ce_orderversion"
CE_DATASCHEMA = "ce_dataschema"

HEADERS: Mapping[str, str] = {
    CE_SPECVERSION: "Always 1.0",
    CE_ID: "The sender's id of the message; a repeat carries the same. With ce_source it is unique",
    CE_SOURCE: "Who sent it, a URI reference",
    CE_TYPE: "Which message it is, and so which schema its value has",
    CE_TIME: "When it was sent; of an event, when the fact happened or was decided; RFC 3339",
    CE_SUBJECT: "What it is about; in events and outcomes the order's id",
    CONTENT_TYPE: "application/json",
    TRACEPARENT: "W3C trace context, handed on from the cause to what it causes",
}
"""Headers of every message. An incoming one whose meaning is clear may lack any of them."""

OUTGOING_HEADERS: Mapping[str, str] = {
    **HEADERS,
    CE_CAUSATIONID: "ce_id of the command or scan that caused it, or its topic/partition/offset",
    CE_SEQUENCE: "Number of the event among its order's on this topic, from 1, without gaps",
    CE_ORDERVERSION: "The order's version after the event, over orders.events and shipments.events",
    CE_DATASCHEMA: "Id of the JSON Schema of the value, its `$id`: a name, not an address to fetch",
}
"""Headers of outgoing messages; sequence and version stand on events only."""

Headers = list[tuple[str, bytes]]


class CloudEvent(Struct, frozen=True, gc=False):
    """The CloudEvents attributes of one message; None where the header is absent."""

    type: str | None = None
    source: str | None = None
    id: str | None = None
    time: str | None = None
    subject: str | None = None
    traceparent: str | None = None
    causation_id: str | None = None
    sequence: int | None = None
    order_version: int | None = None
    data_schema: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace the message belongs to (W3C: version-trace-span-flags), for log entries."""
        parts = (self.traceparent or "").split("-")
        return parts[1] if len(parts) >= 4 else None

    @property
    def span_id(self) -> str | None:
        """The span of the trace that the message names, for log entries."""
        parts = (self.traceparent or "").split("-")
        return parts[2] if len(parts) >= 4 else None


def write_headers(event: CloudEvent) -> Headers:
    """The Kafka headers of a message with a JSON value; absent attributes are left out."""
    found: dict[str, object] = {
        CE_SPECVERSION: SPEC_VERSION,
        CE_DATASCHEMA: event.data_schema,
        CE_ID: event.id,
        CE_SOURCE: event.source,
        CE_TYPE: event.type,
        CE_TIME: event.time,
        CE_SUBJECT: event.subject,
        CONTENT_TYPE: CONTENT_TYPE_JSON,
        TRACEPARENT: event.traceparent,
        CE_CAUSATIONID: event.causation_id,
        CE_SEQUENCE: event.sequence,
        CE_ORDERVERSION: event.order_version,
    }
    return [(name, str(value).encode()) for name, value in found.items() if value is not None]


def read_headers(headers: Iterable[tuple[str, bytes | None]]) -> CloudEvent:
    """The attributes in a message's headers; of a repeated header the last one counts.

    Raises:
        ValueError: a header is not UTF-8, or a number is not one.
    """
    found = {
        name: value.decode("utf-8") for name, value in headers if value and name in OUTGOING_HEADERS
    }
    return CloudEvent(
        type=found.get(CE_TYPE),
        source=found.get(CE_SOURCE),
        id=found.get(CE_ID),
        time=found.get(CE_TIME),
        subject=found.get(CE_SUBJECT),
        traceparent=found.get(TRACEPARENT),
        causation_id=found.get(CE_CAUSATIONID),
        sequence=_number(found.get(CE_SEQUENCE)),
        order_version=_number(found.get(CE_ORDERVERSION)),
        data_schema=found.get(CE_DATASCHEMA),
    )


def rfc3339(moment: datetime) -> str:
    """An instant as headers and bodies write it."""
    return moment.isoformat().replace("+00:00", "Z")


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
