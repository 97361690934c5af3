"""Markers: which outbox rows each transaction of exactly-once publication has published.

A marker is a record of the topic `orderflow.published`, committed with the records of the
transaction. It holds the exact ids of the rows: ids are not committed in their order, so the
highest id would not be enough. A relay that takes over a shard reads its last marker and knows
which rows are published, wherever the relay before stopped.
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

# How many records before the end the search for a shard's last marker begins. The marker is among
# the newest records unless only other shards of its partition published for a while.
FIRST_SPAN = 32
SPAN_GROWTH = 16
FETCH_TIMEOUT_MS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class MarkerReader(Protocol):
    """The methods of AIOKafkaConsumer that are used; it reads committed records."""

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Set the partitions to read."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Set the offset that is read next."""

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of the log in the last response, including records not committed yet."""

    async def position(self, partition: TopicPartition) -> int:
        """Return the offset that is read next."""

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[Any, int]:
        """Return the last stable offsets."""

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[Any, int]:
        """Return the first offsets of the logs."""

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int) -> Mapping[Any, Any]:
        """Return records by partition; none if none arrives in time."""


@dataclass(frozen=True, slots=True)
class PublishedRows:
    """Rows identified by id and time of creation, in step.

    The id alone is not enough: a database restored to an earlier time gives ids again, and a new
    row must not be taken for the published row with the same id.
    """

    ids: tuple[int, ...]
    created_at: tuple[datetime, ...]

    @classmethod
    def of(cls, rows: Sequence[OutboxRow]) -> PublishedRows:
        """Identify the rows of a transaction."""
        return cls(tuple(row.id for row in rows), tuple(row.created_at for row in rows))

    def pack(self) -> bytes:
        """Encode as the value of a marker: JSON, times in microseconds since 1970."""
        times = [(each - _EPOCH) // _MICROSECOND for each in self.created_at]
        return orjson.dumps({"ids": self.ids, "created_at_us": times})

    @classmethod
    def unpack(cls, value: bytes) -> PublishedRows:
        """Decode the value of a marker."""
        found = orjson.loads(value)
        times = (_EPOCH + each * _MICROSECOND for each in found["created_at_us"])
        return cls(tuple(found["ids"]), tuple(times))


class Markers:
    """The markers of one service: their topic and keys, and the last one of a shard."""

    def __init__(self, service: str, topic: str, make_reader: Callable[[], MarkerReader]) -> None:
        self._service = service
        self.topic = topic
        self._make_reader = make_reader

    def key(self, shard: int) -> bytes:
        """The Kafka key of a shard's markers."""
        return f"{self._service}/{shard}".encode()

    async def last(self, shard: int, partition: int) -> PublishedRows | None:
        """Read the last committed marker of a shard; None if the shard never had one.

        Call it after the shard's producer has started: before that the last transaction of the
        relay before may still be open. Markers are records and not group offsets because offsets
        read as absent for a moment after a broker restarts.
        """
        reader = self._make_reader()
        await reader.start()
        try:
            log = TopicPartition(self.topic, partition)
            reader.assign([log])
            value = await _last_value(reader, log, self.key(shard))
        finally:
            await close_client.close(reader.stop())
        return None if value is None else PublishedRows.unpack(value)


async def _last_value(reader: MarkerReader, log: TopicPartition, key: bytes) -> bytes | None:
    """Search backwards from the end of the log for the newest value of a key."""
    first = (await reader.beginning_offsets([log]))[log]
    end = (await reader.end_offsets([log]))[log]
    span, top = FIRST_SPAN, None
    while True:
        start = max(first, end - span)
        reader.seek(log, start)
        found, top = await _read_to_top(reader, log, key, top)
        if found is not None or start == first:
            return found
        span *= SPAN_GROWTH


async def _read_to_top(
    reader: MarkerReader, log: TopicPartition, key: bytes, top: int | None
) -> tuple[bytes | None, int]:
    """Read to the end of the log; returns the last value of the key, and that end.

    The last stable offset would be too early: an open transaction of another shard that began
    before our last marker hides the marker. The read waits until that transaction has ended.
    """
    found: bytes | None = None
    while top is None or await reader.position(log) < top:
        records = await reader.getmany(log, timeout_ms=FETCH_TIMEOUT_MS)
        for record in records.get(log, ()):
            if record.key == key:
                found = record.value
        if top is None:
            top = reader.highwater(log)
    return found, top
