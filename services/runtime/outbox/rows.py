"""Rows of the outbox: records packed into one value, and rows as the relay reads them.

A packed value is a byte for its form and a zstd frame. The decompressed frame holds the records
one after the other: four lengths, then topic, key, headers (`messages/headers.py`) and value.

Rows are written packed unless a relay of the version before is alive, which reads arrays only
(decision 0094). Such a relay, if it starts later, fails at a packed row and retries; `unpack_rows`
of this version replaces the packed value by arrays meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is an exception
from typing import Any, Protocol

import cramjam
import structlog
from asyncpg import Connection

from services.runtime.messages.headers import PackedDataUnreadable, pack_headers, read_headers
from services.runtime.postgres.queries import load

SQL_FILE = Path(__file__).parent / "outbox.sql"
SQL = load(SQL_FILE)
ZSTD = 1  # The form's byte, 0 to 255; a new form takes the next number.
LEVEL = 1
_ZSTD_PREFIX = bytes((ZSTD,))
_LENGTHS = Struct(">HIII")
UNPACK_ROWS_A_SHARD = 2  # How many rows of each shard are unpacked in memory at once.

log = structlog.get_logger(__name__)


class Packable(Protocol):
    """The members of a record that are packed."""

    @property
    def topic(self) -> str:
        """The topic's name in the catalogue."""

    @property
    def key(self) -> bytes:
        """The Kafka key."""

    @property
    def headers(self) -> bytes:
        """The headers, packed by `messages/headers.py`."""

    @property
    def value(self) -> bytes:
        """The value."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed value, with the number of its records and their size unpacked, in bytes."""

    value: bytes
    records: int
    unpacked_bytes: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Unpacked records as four lists; record n is the n-th entry of each."""

    topics: list[str]
    keys: list[bytes]
    headers: list[bytes]
    values: list[bytes]


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """Records of one shard, written by one transaction.

    Record n is the n-th entry of `topics`, `keys`, `headers` (packed by `messages/headers.py`) and
    `values`; a value is None where a compacted topic is to forget the key. `segment` is the number
    of the table partition. `caused_at` is None where no message caused the records. `is_last` says
    that the shard had no further rows.
    """

    shard: int
    id: int
    segment: int
    topics: Sequence[str]
    keys: Sequence[bytes]
    headers: Sequence[bytes]
    values: Sequence[bytes | None]
    created_at: datetime
    caused_at: datetime | None
    is_last: bool


# Packing.


def pack(records: Sequence[Packable], bytes_max: int) -> Iterator[Packed]:
    """Pack records in their order into values of at most `bytes_max` bytes unpacked.

    A record larger than `bytes_max` gets a value with no other record in it.
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
    """Unpack one value of `pack`; takes no more memory than `unpacked_bytes`.

    Raises:
        PackedDataUnreadable: the form is unknown, or the bytes are damaged.
    """
    if value[:1] != _ZSTD_PREFIX:
        form = value[0] if value else None
        raise PackedDataUnreadable(
            f"the packed records are of form {form}, which this version does not know"
        )
    body = bytearray(unpacked_bytes)
    try:
        found = cramjam.zstd.decompress_into(memoryview(value)[1:], body)
        columns = _columns(bytes(body))
    except (cramjam.DecompressionError, StructError, UnicodeDecodeError) as error:
        raise PackedDataUnreadable(f"the packed records are damaged: {error}") from error
    if found != unpacked_bytes or len(columns.topics) != records:
        raise PackedDataUnreadable(
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
        raise PackedDataUnreadable(
            "the packed records are damaged: the last is longer than what is left"
        )
    return Columns(topics, keys, headers, values)


_topic = lru_cache(maxsize=256)(bytes.decode)


# Reading.


def read_rows(
    rows: Sequence[Any],
) -> tuple[list[OutboxRow], list[tuple[Any, PackedDataUnreadable]]]:
    """Read rows of the statement `read_outbox`.

    Returns the readable rows, and the unreadable ones each with the reason, both in their order.
    """
    read: list[OutboxRow] = []
    failed: list[tuple[Any, PackedDataUnreadable]] = []
    for row in rows:
        try:
            read.append(read_row(row))
        except PackedDataUnreadable as error:
            failed.append((row, error))
    return read, failed


def read_row(row: Any) -> OutboxRow:
    """Read one row of the statement `read_outbox`, packed or in arrays.

    Raises:
        PackedDataUnreadable: its records are packed in an unknown form, or damaged.
    """
    if row["packed"] is None:
        records = Columns(row["topics"], row["keys"], row["headers"], row["values"])
    else:
        records = unpack(row["packed"], row["records"], row["unpacked_bytes"])
    return OutboxRow(
        shard=row["shard"],
        id=row["id"],
        segment=row["slot"],
        topics=records.topics,
        keys=records.keys,
        headers=records.headers,
        values=records.values,
        created_at=row["created_at"],
        caused_at=row["caused_at"],
        is_last=row["is_last"],
    )


# Unpacking in the table, for a relay of the version before.


async def unpack_rows(connection: Connection, shards: Collection[int]) -> int:
    """Replace the oldest packed rows of these shards by arrays; returns how many.

    Rows locked by another transaction, and rows that cannot be read, stay as they are.
    """
    done = 0
    async with connection.transaction():
        found = await connection.fetch(SQL["lock_packed"], sorted(shards), UNPACK_ROWS_A_SHARD)
        for row in found:
            try:
                await _unpack_row(connection, row)
                done += 1
            except PackedDataUnreadable as error:
                log.warning("row_unreadable", shard=row["shard"], row=row["id"], error=str(error))
    return done


async def unpack_one(connection: Connection, shard: int, row: int) -> bool:
    """Replace one packed row by arrays; false if there is no such row or it is not packed.

    Raises:
        PackedDataUnreadable: the row cannot be read; it stays as it is.
    """
    async with connection.transaction():
        found = await connection.fetchrow(SQL["lock_packed_row"], shard, row)
        if found is None:
            return False
        await _unpack_row(connection, found)
        return True


async def _unpack_row(connection: Connection, row: Any) -> None:
    records = unpack(row["packed"], row["records"], row["unpacked_bytes"])
    headers = [pack_headers(read_headers(each)) for each in records.headers]
    size = sum(sum(map(len, column)) for column in (records.keys, headers, records.values))
    await connection.execute(
        SQL["unpack_row"],
        *(row[column] for column in ("shard", "id", "slot")),
        records.topics,
        records.keys,
        headers,
        records.values,
        size,
    )
