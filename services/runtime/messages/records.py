"""From a Kafka record to items: where it lies, its envelope, its body."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

from services.runtime.messages.json_codec import (
    FieldError,
    Malformed,
    decode_json,
    validate,
)

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
    "item_of",
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


class Coordinates(Struct, frozen=True, gc=False):
    """Where a record lies; `topic` is the catalogue's name, without the installation's prefix."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Original(Struct, frozen=True, gc=False):
    """A record as it arrived, kept whole for what is rejected or waits."""

    coordinates: Coordinates
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    timestamp: datetime


class Envelope(Struct, frozen=True, gc=False):
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


class Message(Struct, frozen=True, gc=False):
    """One readable record: its envelope and its decoded JSON body."""

    original: Original
    envelope: Envelope
    body: Any


class Item(Struct, frozen=True, gc=False):
    """One unit of work: (message, index in it). Outcomes, dedup and waiting are per item.

    Made by `item_of`.
    """

    original: Original
    index: int
    envelope: Envelope
    body: Any
    """Its part of a message with several items; None where the message is the item."""
    item_id: str
    """A UUID: what makes two deliveries the same item."""

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


def item_of(original: Original, index: int, envelope: Envelope, body: Any) -> Item:
    """The item with this index of a message; `body` as `Item` has it."""
    return Item(original, index, envelope, body, item_id(original, envelope, index))


def item_id(original: Original, envelope: Envelope, index: int) -> str:
    """A UUID from (source, id, index) of the message, else from where it lies.

    An id without a source counts within topic and key only.
    """
    if envelope.id is None:
        return named_uuid(f"{original.coordinates}#{index}")
    source = envelope.source or f"{original.coordinates.topic}/{(original.key or b'').hex()}"
    return named_uuid(f"{source}\n{envelope.id}\n{index}")


def named_uuid(name: str) -> str:
    """`str(uuid5(ITEM_NAMESPACE, name))` in a quarter of its time: each item and answer has one."""
    digest = sha1(_ITEM_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANTS[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def original_of(record: ConsumedRecord, topic: str) -> Original:
    """The record as kept; `topic` is its catalogue name."""
    return Original(
        Coordinates(topic, record.partition, record.offset),
        record.key,
        _valued(record.headers),
        record.value,
        datetime.fromtimestamp(min(max(record.timestamp, 0), TIMESTAMP_MAX_MS) / 1000, UTC),
    )


def _valued(headers: Sequence[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """Headers as kept: Kafka knows null for a value, which is kept as no bytes."""
    if None in [value for _, value in headers]:
        return tuple([(name, value or b"") for name, value in headers])
    return tuple(headers)


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
    """Known headers as text, empty ones left out; all in one pass where none is in the way."""
    read = [header for header in headers if header[0] in READ_HEADERS]
    try:
        text = b"\n".join([value for _, value in read]).decode()
    except UnicodeDecodeError:
        return _read_headers_one_by_one(read)
    values = text.split("\n")
    is_plain = len(text) <= HEADER_MAX_CHARACTERS and "\0" not in text and "" not in values
    if not is_plain or len(values) != len(read):
        return _read_headers_one_by_one(read)
    return dict(zip([name for name, _ in read], values, strict=True))


def _read_headers_one_by_one(headers: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
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
