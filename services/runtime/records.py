"""From a Kafka record to items: where it lies, its envelope, its body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha1
from typing import Any, Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

from services.runtime.documents import FieldError, Malformed, decode_json, validate

__all__ = [
    "ConsumedRecord",
    "Coordinates",
    "Envelope",
    "FieldError",
    "Item",
    "Malformed",
    "Message",
    "Original",
    "decode_json",
    "headers_of",
    "item_id",
    "named_uuid",
    "original_of",
    "read_message",
    "readable_envelope",
    "validate",
]

ITEM_NAMESPACE = uuid5(NAMESPACE_URL, "https://orderflow.dev/items")
_ITEM_NAMESPACE_BYTES = ITEM_NAMESPACE.bytes
READ_HEADERS = frozenset(
    {
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_time",
        "ce_subject",
        "content-type",
        "traceparent",
    }
)
HEADER_MAX_CHARACTERS = 256
KEY_MAX_BYTES = 1024
# Producers that count in other units write instants no calendar has: the year 9999 is the last.
TIMESTAMP_MAX_MS = 253_402_300_799_999
STRUCTURED_MODE = "application/cloudevents+json"


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Where a record lies; `topic` is the catalogue's name, without the installation's prefix."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Original:
    """A record as it arrived, kept whole for what is rejected or waits."""

    coordinates: Coordinates
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class Envelope:
    """The CloudEvents attributes that were present and readable."""

    type: str | None = None
    source: str | None = None
    id: str | None = None
    time: str | None = None
    subject: str | None = None
    traceparent: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace the message belongs to (W3C: version-trace-span-flags), for log entries."""
        parts = (self.traceparent or "").split("-")
        return parts[1] if len(parts) >= 4 else None


@dataclass(frozen=True, slots=True)
class Message:
    """One readable record: its envelope and its decoded JSON body."""

    original: Original
    envelope: Envelope
    body: Any


@dataclass(frozen=True)
class Item:
    """One unit of work: (message, index in it). Outcomes, dedup and waiting are per item."""

    original: Original
    index: int
    envelope: Envelope
    body: Any

    @cached_property  # Asked for several times, and a hash each time.
    def item_id(self) -> UUID:
        """What makes two deliveries the same item: (source, id, index), else where it lies."""
        return item_id(self.original, self.envelope, self.index)

    @property
    def causation_id(self) -> str:
        """The sender's id for the message, or where it lies."""
        return self.envelope.id or str(self.original.coordinates)


class ConsumedRecord(Protocol):
    """The part of aiokafka's ConsumerRecord that is read here."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def item_id(original: Original, envelope: Envelope, index: int) -> UUID:
    """Identity of an item (design 7.6). An id without a source counts within topic and key only."""
    if envelope.id is None:
        return named_uuid(f"{original.coordinates}#{index}")
    source = envelope.source or f"{original.coordinates.topic}/{(original.key or b'').hex()}"
    return named_uuid(f"{source}\n{envelope.id}\n{index}")


def named_uuid(name: str) -> UUID:
    """`uuid5(ITEM_NAMESPACE, name)`, in half the time: every item and every answer has one."""
    digest = sha1(_ITEM_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


def original_of(record: ConsumedRecord, topic: str) -> Original:
    """The record as kept; `topic` is its catalogue name."""
    return Original(
        Coordinates(topic, record.partition, record.offset),
        record.key,
        tuple((name, value or b"") for name, value in record.headers),
        record.value,
        datetime.fromtimestamp(min(max(record.timestamp, 0), TIMESTAMP_MAX_MS) / 1000, UTC),
    )


def read_message(original: Original) -> Message:
    """Decode envelope and body, CloudEvents binary or structured mode.

    Raises:
        Malformed: unreadable header bytes, a key that cannot be answered under, or a body that is
            not one plain JSON value.
    """
    if len(original.key or b"") > KEY_MAX_BYTES:
        errors = [FieldError("/key", f"the record's key has more than {KEY_MAX_BYTES} bytes")]
        raise Malformed("key_too_long", errors)
    headers = _read_headers(original.headers)
    body = decode_json(original.value)
    if _is_structured(headers, body):
        return Message(original, _structured_envelope(headers, body), body.get("data"))
    type_ = headers.get("ce_type") or _text(body.get("type") if isinstance(body, dict) else None)
    envelope = Envelope(
        type_,
        headers.get("ce_source"),
        headers.get("ce_id"),
        headers.get("ce_time"),
        headers.get("ce_subject"),
        headers.get("traceparent"),
    )
    return Message(original, envelope, body)


def readable_envelope(original: Original) -> Envelope:
    """What can be told of a message that cannot be read whole; never raises."""
    found: dict[str, str] = {}
    for name, value in original.headers:
        if name in READ_HEADERS:
            text = value.decode("utf-8", "replace").replace("\x00", "\ufffd")
            found[name] = text[:HEADER_MAX_CHARACTERS]
    return Envelope(
        found.get("ce_type"),
        found.get("ce_source"),
        found.get("ce_id"),
        found.get("ce_time"),
        found.get("ce_subject"),
        found.get("traceparent"),
    )


def headers_of(envelope: Envelope) -> tuple[tuple[str, bytes], ...]:
    """The headers of binary mode that say the same."""
    said = (
        ("ce_type", envelope.type),
        ("ce_source", envelope.source),
        ("ce_id", envelope.id),
        ("ce_time", envelope.time),
        ("ce_subject", envelope.subject),
        ("traceparent", envelope.traceparent),
    )
    return tuple((name, text.encode()) for name, text in said if text)


def _read_headers(headers: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        if name not in READ_HEADERS:
            continue
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("header_not_utf8", [_header_error(name, str(error))]) from error
        if len(text) > HEADER_MAX_CHARACTERS or "\x00" in text:
            message = f"at most {HEADER_MAX_CHARACTERS} characters, none of them NUL"
            raise Malformed("header_not_allowed", [_header_error(name, message)])
        found[name] = text
    return {name: text for name, text in found.items() if text}


def _header_error(name: str, message: str) -> FieldError:
    return FieldError(f"/headers/{name}", message)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= HEADER_MAX_CHARACTERS else None


def _is_structured(headers: dict[str, str], body: Any) -> bool:
    if not isinstance(body, dict):
        return False
    declared = headers.get("content-type", "").startswith(STRUCTURED_MODE)
    return declared or ("specversion" in body and "type" in body and "data" in body)


def _structured_envelope(headers: dict[str, str], body: dict[str, Any]) -> Envelope:
    return Envelope(
        _text(body.get("type")),
        _text(body.get("source")),
        _text(body.get("id")),
        _text(body.get("time")),
        _text(body.get("subject")),
        _text(body.get("traceparent")) or headers.get("traceparent"),
    )
