"""Markers: what each transaction of exactly-once publication held, on a topic of our own.

A marker is the exact set of outbox rows of its transaction, committed with their records. Whoever
takes a shard over reads the last one, and so knows what is published however its predecessor died.
Not a highest id: ids are not committed in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson
from aiokafka import TopicPartition

from services.runtime.kafka.compat import close_client
from services.runtime.outbox.rows import OutboxRow

# How far from the end the last marker of a shard is looked for at first. It is the newest record
# or nearly so, unless the shard was silent while those that share its partition were not.
FIRST_SPAN = 32
SPAN_GROWTH = 16
FETCH_TIMEOUT_MS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Reader(Protocol):
    """The part of AIOKafkaConsumer that is used; it reads committed records."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read on from an offset."""

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of the log, stable or not, as the last answer told it."""

    async def position(self, partition: TopicPartition) -> int:
        """The offset to be read next."""

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[Any, int]:
        """The end of what is stable."""

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[Any, int]:
        """The first offset that is left."""

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int) -> Mapping[Any, Any]:
        """Records by partition; none when none came in time."""


@dataclass(frozen=True, slots=True)
class Published:
    """Rows by id and the moment they were made.

    The moment, because ids are given again after a database was restored to an earlier time:
    a new row must not be taken for the one that was published under its id.
    """

    ids: tuple[int, ...]
    created_at: tuple[datetime, ...]

    @classmethod
    def of(cls, rows: Sequence[OutboxRow]) -> Published:
        """The rows of a transaction."""
        return cls(tuple(row.id for row in rows), tuple(row.created_at for row in rows))

    def pack(self) -> bytes:
        """As the value of a marker."""
        moments = [(moment - _EPOCH) // _MICROSECOND for moment in self.created_at]
        return orjson.dumps({"ids": self.ids, "created_at_us": moments})

    @classmethod
    def unpack(cls, value: bytes) -> Published:
        """The inverse of `pack`."""
        found = orjson.loads(value)
        moments = (_EPOCH + moment * _MICROSECOND for moment in found["created_at_us"])
        return cls(tuple(found["ids"]), tuple(moments))


class Markers:
    """Where the markers of one service are, and the last of each shard."""

    def __init__(self, service: str, topic: str, make_reader: Callable[[], Reader]) -> None:
        self._service = service
        self.topic = topic
        self._make_reader = make_reader

    def key(self, shard: int) -> bytes:
        """The key of a shard's markers."""
        return f"{self._service}/{shard}".encode()

    async def last(self, shard: int, partition: int) -> Published | None:
        """What the last committed marker of a shard says; None when it never had one.

        To be asked after the shard's producer has started: only then is the last transaction of
        the one before decided. The group-offset of the other variant is not asked for anything:
        for moments after a broker's restart it reads as absent (trap 1).
        """
        reader = self._make_reader()
        await reader.start()
        try:
            place = TopicPartition(self.topic, partition)
            reader.assign([place])
            value = await _last_value(reader, place, self.key(shard))
        finally:
            await close_client.close(reader.stop())
        return None if value is None else Published.unpack(value)


async def _last_value(reader: Reader, place: TopicPartition, key: bytes) -> bytes | None:
    """The newest value of a key, looked for from the end backwards."""
    first = (await reader.beginning_offsets([place]))[place]
    end = (await reader.end_offsets([place]))[place]
    span, top = FIRST_SPAN, None
    while True:
        start = max(first, end - span)
        reader.seek(place, start)
        found, top = await _read_to_top(reader, place, key, top)
        if found is not None or start == first:
            return found
        span *= SPAN_GROWTH


async def _read_to_top(
    reader: Reader, place: TopicPartition, key: bytes, top: int | None
) -> tuple[bytes | None, int]:
    """The last value of the key from the reader's place to the end of the log, and that end.

    The end of the log, not the end of what is stable: a transaction of another shard that began
    before our last marker and is still open hides it. It is waited for.
    """
    found: bytes | None = None
    while top is None or await reader.position(place) < top:
        records = await reader.getmany(place, timeout_ms=FETCH_TIMEOUT_MS)
        for record in records.get(place, ()):
            if record.key == key:
                found = record.value
        if top is None:
            top = reader.highwater(place)
    return found, top
