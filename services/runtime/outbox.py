"""The outbox: records that leave in the transaction that decided them, and are published after."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from asyncpg import Connection

from services.runtime.documents import encode_json

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to publish. Records with equal `shard_by` leave in the order they were appended.

    `topic` is the catalogue's name, `key` the Kafka key; `shard_by` is the order id where there
    is one, else the key.
    """

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    shard_by: str


class Outbox:
    """Appends records to the outbox table of the connection's schema.

    `shards` is one number for a schema, noted there: a row that was divided by another is refused
    (`shards.py`), because an order's records would lie in two shards.
    """

    def __init__(self, shards: int) -> None:
        self._shards = shards

    async def append(
        self,
        connection: Connection,
        outgoing: Sequence[Outgoing],
        *,
        caused_at: datetime | None = None,
    ) -> None:
        """Store the records in one statement: one wide row per shard.

        Must run under the locks of the orders the records tell of: ids are taken here, and per
        order their order must be the order of commits.
        """
        if not outgoing:
            return
        by_shard: dict[int, list[Outgoing]] = {}
        for record in outgoing:
            by_shard.setdefault(shard_of(record.shard_by, self._shards), []).append(record)
        await connection.copy_records_to_table(
            "outbox",
            columns=["shard", "topics", "keys", "headers", "values", "caused_at", "shards"],
            records=[
                (*_row(shard, records), caused_at, self._shards)
                for shard, records in sorted(by_shard.items())
            ],
        )


def shard_of(shard_by: str, shards: int) -> int:
    """The shard of an order id or key: stable over processes and releases."""
    return zlib.crc32(shard_by.encode()) % shards


def _row(shard: int, records: Sequence[Outgoing]) -> tuple[object, ...]:
    return (
        shard,
        [record.topic for record in records],
        [record.key for record in records],
        [pack_headers(record.headers) for record in records],
        [record.value for record in records],
    )


def pack_headers(headers: Sequence[tuple[str, bytes]]) -> bytes:
    """Headers as JSON; bytes as latin-1 text, which maps every byte to one character."""
    return encode_json([(name, value.decode("latin-1")) for name, value in headers])


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    """The inverse of `pack_headers`."""
    return [(name, value.encode("latin-1")) for name, value in orjson.loads(packed)]
