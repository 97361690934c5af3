"""Headers of a record packed as bytes, in one of three forms.

The first byte is the form. By place: the values of the CloudEvents headers in a fixed order. By
name: names and values with their lengths. `[` begins the JSON of `pack_headers`, in which parked,
waiting and rejected items and outbox rows with arrays store headers.

`ce_dataschema` follows from the type, so the form by place does not store it: reading adds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from struct import Struct, error

import orjson

from schemas.envelope import (
    CE_CAUSATIONID,
    CE_DATASCHEMA,
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
from schemas.schema_ids import schema_id
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
_COUNT = len(PLACES)
_SPEC_HEADER = (CE_SPECVERSION, SPEC_VERSION.encode())
_FIRST = bytes((BY_PLACE,)) + SPEC_VERSION.encode()
_NAMES = (CE_DATASCHEMA, *PLACES[1:])
"""The first value of the form by place is always the same; `ce_dataschema` is read in its place."""
_TYPE = PLACES.index(CE_TYPE)
_BEFORE_TYPE, _AFTER_TYPE = (part.encode() for part in schema_id("\n").split("\n"))
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
        data_schema=schema_id(type),
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
    values = packed.split(b"\0")
    if values[0] == _FIRST and len(values) == _COUNT:
        values[0] = _BEFORE_TYPE + values[_TYPE] + _AFTER_TYPE
        return [_SPEC_HEADER, *compress(zip(_NAMES, values, strict=True), values)]
    return _read_other_form(packed)


def _read_other_form(packed: bytes) -> list[tuple[str, bytes]]:
    form = packed[0] if packed else None
    if form == BY_PLACE:
        count = packed.count(0) + 1
        raise PackedDataUnreadable(
            f"headers by place are {count} values from specversion {packed[1:4]!r}, not {_COUNT} "
            f"from {SPEC_VERSION}"
        )
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
