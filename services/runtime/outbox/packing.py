"""Records of the outbox as one compressed value, and back.

The value is a byte that says its form and a zstd frame. Unpacked, the frame is the records one
after the other: four lengths, then topic, key, headers (`event_headers.py`) and value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is an exception
from typing import Protocol

import cramjam

from services.runtime.messages.headers import Unreadable

ZSTD = 1  # Zero to 255; the next form takes the next number.
LEVEL = 1
_ZSTD_PREFIX = bytes((ZSTD,))
_LENGTHS = Struct(">HIII")


class Packable(Protocol):
    """What is packed of a record."""

    @property
    def topic(self) -> str:
        """The catalogue's name."""

    @property
    def key(self) -> bytes:
        """The Kafka key."""

    @property
    def headers(self) -> bytes:
        """As `event_headers.py` packs them."""

    @property
    def value(self) -> bytes:
        """The value."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Records packed: how many, and how many bytes they are unpacked."""

    value: bytes
    records: int
    unpacked_bytes: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Records unpacked, in step."""

    topics: list[str]
    keys: list[bytes]
    headers: list[bytes]
    values: list[bytes]


def pack(records: Sequence[Packable], bytes_max: int) -> Iterator[Packed]:
    """The records in their order, in values of at most `bytes_max` bytes unpacked.

    A record that is larger by itself has a value of its own.
    """
    parts: list[bytes] = []
    count = size = 0
    for record in records:
        topic, key, headers, value = record.topic.encode(), record.key, record.headers, record.value
        lengths = len(topic), len(key), len(headers), len(value)
        whole = _LENGTHS.size + sum(lengths)
        if count and size + whole > bytes_max:
            yield _packed(parts, count, size)
            parts, count, size = [], 0, 0
        parts += (_LENGTHS.pack(*lengths), topic, key, headers, value)
        count += 1
        size += whole
    if count:
        yield _packed(parts, count, size)


def _packed(parts: Sequence[bytes], count: int, size: int) -> Packed:
    frame = cramjam.zstd.compress(b"".join(parts), LEVEL)
    return Packed(_ZSTD_PREFIX + bytes(frame), count, size)


def unpack(value: bytes, records: int, unpacked_bytes: int) -> Columns:
    """The inverse of `pack`, of one value; no more memory is taken than `unpacked_bytes`.

    Raises:
        Unreadable: the form is unknown, or the bytes are damaged.
    """
    if value[:1] != _ZSTD_PREFIX:
        form = value[0] if value else None
        raise Unreadable(f"the packed records are of form {form}, which this version does not know")
    body = bytearray(unpacked_bytes)
    try:
        found = cramjam.zstd.decompress_into(memoryview(value)[1:], body)
        columns = _columns(bytes(body))
    except (cramjam.DecompressionError, StructError, UnicodeDecodeError) as error:
        raise Unreadable(f"the packed records are damaged: {error}") from error
    if found != unpacked_bytes or len(columns.topics) != records:
        raise Unreadable(
            f"the packed records are damaged: {len(columns.topics)} records in {found} bytes, not "
            f"{records} in {unpacked_bytes}"
        )
    return columns


def _columns(body: bytes) -> Columns:
    topics: list[str] = []
    keys: list[bytes] = []
    headers: list[bytes] = []
    values: list[bytes] = []
    at, end = 0, len(body)
    while at < end:
        topic, key, header, value = _LENGTHS.unpack_from(body, at)
        topics.append(_topic(body[(at := at + _LENGTHS.size) : (at := at + topic)]))
        keys.append(body[at : (at := at + key)])
        headers.append(body[at : (at := at + header)])
        values.append(body[at : (at := at + value)])
    if at != end:
        raise Unreadable("the packed records are damaged: the last is longer than what is left")
    return Columns(topics, keys, headers, values)


_topic = lru_cache(maxsize=256)(bytes.decode)
