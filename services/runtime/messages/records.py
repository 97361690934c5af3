"""Reads a Kafka record as a message and its items: coordinates, CloudEvents attributes, body."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

from schemas.envelope import (
    CE_ID,
    CE_SOURCE,
    CE_SUBJECT,
    CE_TIME,
    CE_TYPE,
    CONTENT_TYPE,
    CONTENT_TYPE_STRUCTURED,
    HEADERS,
    TRACEPARENT,
    CloudEvent,
)
from services.runtime.messages.json_codec import (
    FieldError,
    Malformed,
    decode_json,
    validate,
)

__all__ = [
    "ConsumedRecord",
    "Coordinates",
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
    "read_envelope",
    "read_message",
    "readable_envelope",
    "time_of",
    "validate",
]

ITEM_NAMESPACE = uuid5(NAMESPACE_URL, "https://orderflow.dev/items")
_ITEM_NAMESPACE_BYTES = ITEM_NAMESPACE.bytes
READ_HEADERS = frozenset(HEADERS)
HEADER_MAX_CHARACTERS = 256
KEY_MAX_BYTES = 1024
# The end of the year 9999, datetime's last. Timestamps in other units than milliseconds exceed it.
TIMESTAMP_MAX_MS = 253_402_300_799_999


class Coordinates(Struct, frozen=True, gc=False):
    """Topic, partition and offset of a record; `topic` is its name in the catalogue."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Original(Struct, frozen=True, gc=False):
    """A record as it arrived, stored whole with rejected, waiting and parked items."""

    coordinates: Coordinates
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    timestamp: datetime


class Message(Struct, frozen=True, gc=False):
    """One readable record: its CloudEvents attributes and its decoded JSON body."""

    original: Original
    envelope: CloudEvent
    body: Any


class Item(Struct, frozen=True, gc=False):
    """One unit of work of a message; outcomes, deduplication and waiting are per item.

    `item_of` makes it.
    """

    original: Original
    index: int
    envelope: CloudEvent
    body: Any
    """The item's part of a message with several items; None if the message is the item."""
    item_id: str
    """A UUID; equal for repeated deliveries of the item."""

    @property
    def causation_id(self) -> str:
        """The sender's id of the message, or else its coordinates."""
        return self.envelope.id or str(self.original.coordinates)


class ConsumedRecord(Protocol):
    """The members of aiokafka's ConsumerRecord that are read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def item_of(original: Original, index: int, envelope: CloudEvent, body: Any) -> Item:
    """Make the item with this index of a message; `body` is that of `Item`."""
    return Item(original, index, envelope, body, item_id(original, envelope, index))


def item_id(original: Original, envelope: CloudEvent, index: int) -> str:
    """Make a UUID from (source, id, index) of the message, or else from its coordinates.

    An id without a source identifies the message only within its topic and key.
    """
    if envelope.id is None:
        return named_uuid(f"{original.coordinates}#{index}")
    source = envelope.source or f"{original.coordinates.topic}/{(original.key or b'').hex()}"
    return named_uuid(f"{source}\n{envelope.id}\n{index}")


def named_uuid(name: str) -> str:
    """Compute `str(uuid5(ITEM_NAMESPACE, name))` in a quarter of its time."""
    digest = sha1(_ITEM_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANTS[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def original_of(record: ConsumedRecord, topic: str) -> Original:
    """Copy a consumed record; `topic` is its name in the catalogue."""
    return Original(
        Coordinates(topic, record.partition, record.offset),
        record.key,
        _without_nulls(record.headers),
        record.value,
        datetime.fromtimestamp(min(max(record.timestamp, 0), TIMESTAMP_MAX_MS) / 1000, UTC),
    )


def time_of(timestamp_ms: int) -> datetime:
    """The instant of a record's timestamp; one that no datetime has is the nearest that has.

    `original_of` has the same in its body, as it is called for each record of a batch.
    """
    return datetime.fromtimestamp(min(max(timestamp_ms, 0), TIMESTAMP_MAX_MS) / 1000, UTC)


def _without_nulls(headers: Sequence[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """Copy headers; a null value, which Kafka allows, becomes empty bytes."""
    if None in [value for _, value in headers]:
        return tuple([(name, value or b"") for name, value in headers])
    return tuple(headers)


def read_message(original: Original, *, is_normalizing: bool = False) -> Message:
    """Decode attributes and body, in CloudEvents binary or structured mode.

    Where `is_normalizing`, texts of the body are brought into Unicode normal form C.

    Raises:
        Malformed: a header is not UTF-8 or too long, the key is too long for an answer, or the body
            is not one plain JSON value.
    """
    headers = _read_headers(original)
    body = decode_json(original.value, is_normalizing=is_normalizing)
    if _is_structured(headers, body):
        return Message(original, _structured_envelope(headers, body), body.get("data"))
    type_ = headers.get(CE_TYPE) or _text(body.get("type") if isinstance(body, dict) else None)
    return Message(original, _binary_envelope(headers, type_), body)


def known_type(message: Message, known: Collection[str], what: str) -> str:
    """The type of a message, one of `known`; `what` names them, such as "claim command".

    Raises:
        Malformed: the message has no type, or another one.
    """
    type_ = message.envelope.type
    if type_ is None:
        raise Malformed("type_missing", [FieldError("/type", "no type: send the header ce_type")])
    if type_ not in known:
        fact = f"{type_!r} is no {what}; known are {', '.join(known)}"
        raise Malformed("unknown_type", [FieldError("/type", fact)])
    return type_


def read_envelope(original: Original) -> CloudEvent:
    """Read the attributes of a message in binary mode, whatever its body is.

    Raises:
        Malformed: a header is not UTF-8 or too long, or the key is too long for an answer.
    """
    headers = _read_headers(original)
    return _binary_envelope(headers, headers.get(CE_TYPE))


def _binary_envelope(headers: dict[str, str], type_: str | None) -> CloudEvent:
    return CloudEvent(
        type_,
        headers.get(CE_SOURCE),
        headers.get(CE_ID),
        headers.get(CE_TIME),
        headers.get(CE_SUBJECT),
        headers.get(TRACEPARENT),
    )


def readable_envelope(original: Original) -> CloudEvent:
    """Read the attributes of a message that `read_message` may refuse; never raises."""
    found: dict[str, str] = {}
    for name, value in original.headers:
        if name in READ_HEADERS:
            text = value.decode("utf-8", "replace").replace("\x00", "\ufffd")
            found[name] = text[:HEADER_MAX_CHARACTERS]
    return CloudEvent(
        found.get(CE_TYPE),
        found.get(CE_SOURCE),
        found.get(CE_ID),
        found.get(CE_TIME),
        found.get(CE_SUBJECT),
        found.get(TRACEPARENT),
    )


def headers_of(envelope: CloudEvent) -> tuple[tuple[str, bytes], ...]:
    """Make the binary-mode headers of the attributes; absent ones are left out."""
    attributes = (
        (CE_TYPE, envelope.type),
        (CE_SOURCE, envelope.source),
        (CE_ID, envelope.id),
        (CE_TIME, envelope.time),
        (CE_SUBJECT, envelope.subject),
        (TRACEPARENT, envelope.traceparent),
    )
    return tuple((name, text.encode()) for name, text in attributes if text)


def _read_headers(original: Original) -> dict[str, str]:
    """Decode the known headers, without empty ones; in one pass if none needs a closer look.

    Raises:
        Malformed: a header is not UTF-8 or too long, or the key is too long for an answer.
    """
    if len(original.key or b"") > KEY_MAX_BYTES:
        errors = [FieldError("/key", f"the record's key has more than {KEY_MAX_BYTES} bytes")]
        raise Malformed("key_too_long", errors)
    read = [header for header in original.headers if header[0] in READ_HEADERS]
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
    declared = headers.get(CONTENT_TYPE, "").startswith(CONTENT_TYPE_STRUCTURED)
    return declared or ("specversion" in body and "type" in body and "data" in body)


def _structured_envelope(headers: dict[str, str], body: dict[str, Any]) -> CloudEvent:
    return CloudEvent(
        _text(body.get("type")),
        _text(body.get("source")),
        _text(body.get("id")),
        _text(body.get("time")),
        _text(body.get("subject")),
        _text(body.get("traceparent")) or headers.get(TRACEPARENT),
    )
