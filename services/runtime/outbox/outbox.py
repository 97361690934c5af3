"""The outbox: records written in the transaction that decided them, and published afterwards."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from asyncpg import Connection
from msgspec import Struct

from services.runtime.batch.batch import NO_STEP, PositionStep
from services.runtime.messages.headers import pack_headers, read_headers
from services.runtime.outbox.leases import count_old_relays
from services.runtime.outbox.rows import pack
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")
# The largest size of a row, unpacked, unless one record is larger: the relay holds rows of all its
# shards in memory.
ROW_BYTES = 1024 * 1024
CHECK_SECONDS = 1.0
# After a relay of the version before was seen: it may reconnect, as after a database failover.
OLD_RELAYS_SECONDS = 10.0


class Outgoing(Struct, frozen=True, gc=False):
    """One record to publish. Records with equal `shard_by` are published in the order appended.

    `topic` is the catalogue's name, `key` the Kafka key. `headers` are packed by `headers_by_place`
    or `headers_by_name`. `shard_by` is the order id if there is one, else the key.
    """

    topic: str
    key: bytes
    value: bytes
    headers: bytes
    shard_by: str


class Outbox:
    """Appends records to the table `outbox` of the connection's schema (the service's name).

    A schema has one number of shards, stored in it. The table rejects rows of a process with
    another number (`shard_count.py`): an order's records would lie in two shards.

    Rows are packed (`rows.py`) unless a relay of the version before is alive, which reads arrays
    only (decision 0094). That is checked once in CHECK_SECONDS.
    """

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._service = ""
        self._packs = False
        self._check_at = 0.0

    async def append(
        self,
        connection: Connection,
        outgoing: Sequence[Outgoing],
        *,
        caused_at: datetime | None = None,
        step: PositionStep | None = None,
    ) -> None:
        """Insert the records in one statement: one row a shard, or several of at most ROW_BYTES.

        The same statement stores `step`, the position where the batch ends, unless there are no
        records or a relay of the version before is alive. `step.is_stored` says whether it did.

        Call it while the locks of the records' orders are held: row ids are taken here, and for
        each order they must rise in the order of commits.
        """
        if not outgoing:
            return
        if time.monotonic() >= self._check_at:
            await self._check_relays(connection)
        by_shard: dict[int, list[Outgoing]] = {}
        for record in outgoing:
            by_shard.setdefault(shard_of(record.shard_by, self._shards), []).append(record)
        shards = sorted(by_shard.items())
        if self._packs:
            await self._append_packed(connection, shards, caused_at, step)
        else:
            await self._append_arrays(connection, shards, caused_at)

    async def append_null(
        self, connection: Connection, topic: str, key: bytes, *, shard_by: str
    ) -> None:
        """Insert a record without a value: of its key, a compacted topic then keeps nothing.

        It is a row of its own, in arrays: they can have a null, and every relay reads them. As with
        `append`, the caller holds the lock of the order.
        """
        shard = shard_of(shard_by, self._shards)
        row = (shard, None, self._shards, [topic], [key], [pack_headers(())], [None], 1, len(key))
        await connection.copy_records_to_table(
            "outbox", columns=["shard", "caused_at", "shards", *ARRAYS], records=[row]
        )

    async def _append_packed(
        self,
        connection: Connection,
        by_shard: Sequence[tuple[int, Sequence[Outgoing]]],
        caused_at: datetime | None,
        step: PositionStep | None,
    ) -> None:
        rows = [
            (shard, packed.value, packed.records, packed.unpacked_bytes)
            for shard, records in by_shard
            for packed in pack(records, ROW_BYTES)
        ]
        columns = map(list, zip(*rows, strict=True))
        moved = NO_STEP if step is None or step.is_stored else step
        await connection.execute(
            SQL["append_rows"], *columns, caused_at, self._shards, moved.group, *moved.columns
        )
        if step is not None:
            step.is_stored = True

    async def _append_arrays(
        self,
        connection: Connection,
        by_shard: Sequence[tuple[int, Sequence[Outgoing]]],
        caused_at: datetime | None,
    ) -> None:
        await connection.copy_records_to_table(
            "outbox",
            columns=["shard", "caused_at", "shards", *ARRAYS],
            records=[
                (shard, caused_at, self._shards, *_as_arrays(records))
                for shard, records in by_shard
            ],
        )

    async def _check_relays(self, connection: Connection) -> None:
        if not self._service:
            self._service = await connection.fetchval(SQL["find_service"])
        self._packs = not await count_old_relays(connection, self._service)
        pause = CHECK_SECONDS if self._packs else OLD_RELAYS_SECONDS
        self._check_at = time.monotonic() + pause


def shard_of(shard_by: str, shards: int) -> int:
    """Compute the shard of an order id or key; the same in every process and release."""
    return zlib.crc32(shard_by.encode()) % shards


ARRAYS = ("topics", "keys", "headers", "values", "records", "unpacked_bytes")


def _as_arrays(records: Sequence[Outgoing]) -> tuple[object, ...]:
    """The columns ARRAYS of one row."""
    headers = [pack_headers(read_headers(record.headers)) for record in records]
    sizes = (len(each.key) + len(each.value) for each in records)
    return (
        [record.topic for record in records],
        [record.key for record in records],
        headers,
        [record.value for record in records],
        len(records),
        sum(sizes) + sum(map(len, headers)),
    )
