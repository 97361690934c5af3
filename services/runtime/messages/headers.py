"""Headers of a record as bytes: those of CloudEvents by their places, others by their names.

The first byte says which form follows. `[` begins the JSON of `pack_headers`, in which the tables
of parked, waiting and rejected items keep headers, and rows of the outbox that hold arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from struct import Struct, error

import orjson

from schemas.envelope import (
    CE_CAUSATIONID,
    CE_ID,
    CE_ORDERVERSION,
    CE_SEQUENCE,
    CE_SOURCE,
    CE_SPECVERSION,
    CE_SUBJECT,
    CE_TIME,
    CE_TYPE,
    CONTENT_TYPE,
    CONTENT_TYPE_JSON,
    SPEC_VERSION,
    TRACEPARENT,
    CloudEvent,
    write_headers,
)
from services.runtime.messages.json_codec import encode_json

PLACES = (
    CE_SPECVERSION,
    CE_ID,
    CE_SOURCE,
    CE_TYPE,
    CE_TIME,
    CE_SUBJECT,
    CONTENT_TYPE,
    TRACEPARENT,
    CE_CAUSATIONID,
    CE_SEQUENCE,
    CE_ORDERVERSION,
)
"""The names behind the values of the form by place. Another list of names is another form."""
BY_PLACE, BY_NAME, AS_JSON = 1, 2, ord("[")
_SEPARATORS = len(PLACES) - 1
_LENGTHS = Struct(">HI")


class PackedDataUnreadable(ValueError):
    """Bytes of the outbox that this version cannot read; the text says what is wrong with them."""


def headers_by_place(  # noqa: PLR0917 - the attributes of CloudEvents
    id: str,  # noqa: A002 - as CloudEvents calls it
    source: str,
    type: str,  # noqa: A002 - as CloudEvents calls it
    time: str,
    subject: str | None = None,
    traceparent: str | None = None,
    causation_id: str | None = None,
    sequence: int | None = None,
    order_version: int | None = None,
) -> bytes:
    """The headers of an event with a JSON value, packed; what `write_headers` writes of it.

    Attributes that are None or empty are left out.
    """
    number = "" if sequence is None else sequence
    version = "" if order_version is None else order_version
    packed = (
        f"\1{SPEC_VERSION}\0{id}\0{source}\0{type}\0{time}\0{subject or ''}\0{CONTENT_TYPE_JSON}"
        f"\0{traceparent or ''}\0{causation_id or ''}\0{number}\0{version}"
    ).encode()
    if packed.count(0) == _SEPARATORS:
        return packed
    event = CloudEvent(
        id=id,
        source=source,
        type=type,
        time=time,
        subject=subject,
        traceparent=traceparent,
        causation_id=causation_id,
        sequence=sequence,
        order_version=order_version,
    )
    return headers_by_name([each for each in write_headers(event) if each[1]])


def headers_by_name(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Any headers, packed; names may repeat, values may hold any bytes."""
    parts = [bytes((BY_NAME,))]
    for name, value in headers:
        encoded = name.encode()
        parts += (_LENGTHS.pack(len(encoded), len(value)), encoded, value)
    return b"".join(parts)


def read_headers(packed: bytes) -> list[tuple[str, bytes]]:
    """The headers that any of the forms holds, in their order.

    Raises:
        Unreadable: the form is unknown, or the bytes are not of the form.
    """
    form = packed[0] if packed else None
    if form == BY_PLACE:
        values = packed[1:].split(b"\0")
        if len(values) == len(PLACES):
            return [*compress(zip(PLACES, values, strict=True), values)]
        raise PackedDataUnreadable(f"headers by place have {len(values)} values, not {len(PLACES)}")
    try:
        if form == BY_NAME:
            return _read_by_name(packed)
        if form == AS_JSON:
            return unpack_headers(packed)
    except (ValueError, TypeError, error) as wrong:
        raise PackedDataUnreadable(f"headers are damaged: {wrong}") from wrong
    raise PackedDataUnreadable(f"headers are of form {form}, which this version does not know")


def _read_by_name(packed: bytes) -> list[tuple[str, bytes]]:
    found, at = [], 1
    while at < len(packed):
        name_bytes, value_bytes = _LENGTHS.unpack_from(packed, at)
        middle = at + _LENGTHS.size + name_bytes
        end = middle + value_bytes
        if end > len(packed):
            raise PackedDataUnreadable("a header is longer than what is left")
        found.append((packed[at + _LENGTHS.size : middle].decode(), packed[middle:end]))
        at = end
    return found


def pack_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Headers as JSON; bytes as latin-1 text, which maps every byte to one character."""
    return encode_json([(name, value.decode("latin-1")) for name, value in headers])


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    """The inverse of `pack_headers`."""
    return [(name, value.encode("latin-1")) for name, value in orjson.loads(packed)]
