"""Headers of a record packed as bytes, in one of three forms.

The first byte is the form. By place: the values of the CloudEvents headers in a fixed order. By
name: names and values with their lengths. `[` begins the JSON of `pack_headers`, in which parked,
waiting and rejected items and outbox rows with arrays store headers.
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
"""The names of the values of the form by place, in order. Another list needs another form."""
BY_PLACE, BY_NAME, AS_JSON = 1, 2, ord("[")
_SEPARATORS = len(PLACES) - 1
_LENGTHS = Struct(">HI")


class PackedDataUnreadable(ValueError):
    """Packed headers or records of the outbox are damaged or of an unknown form."""


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
    """Pack the headers that `write_headers` makes of an event with a JSON value.

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
    """Pack any headers; names may repeat, values may hold any bytes."""
    parts = [bytes((BY_NAME,))]
    for name, value in headers:
        encoded = name.encode()
        parts += (_LENGTHS.pack(len(encoded), len(value)), encoded, value)
    return b"".join(parts)


def read_headers(packed: bytes) -> list[tuple[str, bytes]]:
    """Unpack headers of any form, in their order.

    Raises:
        PackedDataUnreadable: the form is unknown, or the bytes do not follow it.
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
    """Pack headers as JSON; values as latin-1 text, which maps each byte to one character."""
    return encode_json([(name, value.decode("latin-1")) for name, value in headers])


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    """Unpack the JSON of `pack_headers`."""
    return [(name, value.encode("latin-1")) for name, value in orjson.loads(packed)]
