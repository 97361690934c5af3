"""Where this process stands in each assigned partition, and the fence that holds it to it.

Postgres holds the position; Kafka's committed offset is never a start (design 7.1). A partition
is either *placed* (we know the offset its next record must have, because we sought or left off
there) or not; records of a partition that is not placed are dropped and read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from aiokafka import TopicPartition
from asyncpg import Connection

from services.runtime.queries import load

SQL = load(Path(__file__).parent / "sql" / "positions.sql")
LOOK_MS = 2_000


class PositionOutsideTopic(Exception):
    """A stored position that the topic no longer, or not yet, has: never reset silently (P8)."""

    def __init__(self, partition: TopicPartition, position: int, first: int, end: int) -> None:
        super().__init__(
            f"{partition.topic}[{partition.partition}]: stored position {position} is outside the "
            f"topic's offsets {first}..{end}; records were lost or the topic was made anew. "
            "Nothing is read from this partition until an operator decides: restore the topic, "
            "or accept the loss by setting the position row to an offset inside it "
            "(docs/operating.md, 'A position outside its topic')."
        )
        self.partition = partition


class Seeker(Protocol):
    """The part of AIOKafkaConsumer used here."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read from `offset` next."""

    async def beginning_offsets(
        self, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """The oldest offset each partition still has."""

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset the next record of each partition will get."""

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Any]]:
        """Read the next records of the partitions."""


@dataclass(slots=True)
class _Place:
    next_offset: int
    # The first offset that the log still has from `next_offset` on, when it is another one:
    # compaction and transaction markers leave gaps. Known only after it was looked up.
    first_there: int | None = None


class Positions:
    """The placed partitions of one consumer group in one process."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._places: dict[TopicPartition, _Place] = {}

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """After a failure or a rebalance nothing is known: place again before reading."""
        for partition in partitions:
            self._places.pop(partition, None)

    def keep_only(self, partitions: Collection[TopicPartition]) -> None:
        """Forget what is no longer assigned."""
        self.forget([known for known in self._places if known not in partitions])

    def is_placed(self, partition: TopicPartition) -> bool:
        """Whether records of the partition may be applied."""
        return partition in self._places

    def next_offset(self, partition: TopicPartition) -> int | None:
        """The offset the partition's next record is expected at."""
        place = self._places.get(partition)
        return place.next_offset if place else None

    def continues(self, partition: TopicPartition, first_offset: int) -> bool:
        """Whether a batch that begins at `first_offset` begins where we stand."""
        place = self._places.get(partition)
        if place is None:
            return False
        return first_offset in (place.next_offset, place.first_there)

    def advance(self, moved: Mapping[TopicPartition, int]) -> None:
        """Leave off after a committed batch."""
        for partition, next_offset in moved.items():
            self._places[partition] = _Place(next_offset)

    async def place(
        self,
        connection: Connection,
        consumer: Seeker,
        partitions: Sequence[TopicPartition],
    ) -> list[PositionOutsideTopic]:
        """Seek every partition to its stored position; a new group starts at the first offset.

        Returns the partitions that cannot be read: their stored position lies outside the topic.
        """
        first = await consumer.beginning_offsets(partitions)
        stored = await self._stored(connection, partitions, first)
        # Asked last: another consumer may move the position past an end that was asked before it.
        end = await consumer.end_offsets(partitions)
        outside = []
        for partition in partitions:
            position = stored[partition]
            if not first[partition] <= position <= end[partition]:
                outside.append(
                    PositionOutsideTopic(partition, position, first[partition], end[partition])
                )
                continue
            consumer.seek(partition, position)
            self._places[partition] = _Place(position)
        return outside

    async def look_past_gap(self, consumer: Seeker, partition: TopicPartition) -> None:
        """Find the record that follows where we stand, by reading it; then seek back.

        Only the reader may call it, between two polls. A poll that merely begins later proves no
        gap: it may be the rest of an older one, or what a poll that raised has swallowed.
        """
        place = self._places.get(partition)
        if place is None:
            return
        found = await consumer.getmany(partition, timeout_ms=LOOK_MS, max_records=1)
        first = await consumer.beginning_offsets([partition])
        consumer.seek(partition, place.next_offset)
        if first[partition] <= place.next_offset:
            place.first_there = next((record.offset for record in found.get(partition, ())), None)

    async def _stored(
        self,
        connection: Connection,
        partitions: Sequence[TopicPartition],
        first: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, int]:
        topics, numbers = _columns(partitions)
        starts = [first[partition] for partition in partitions]
        await connection.execute(SQL["add_positions"], self._group, topics, numbers, starts)
        return _by_partition(
            await connection.fetch(SQL["read_positions"], self._group, topics, numbers)
        )

    async def lock(
        self, connection: Connection, partitions: Sequence[TopicPartition]
    ) -> list[TopicPartition]:
        """Lock the rows of a batch's partitions; returns those that are not where we stand."""
        rows = await connection.fetch(SQL["lock_positions"], self._group, *_columns(partitions))
        stored = _by_partition(rows)
        return [p for p in partitions if stored.get(p) != self.next_offset(p)]

    async def save(self, connection: Connection, moved: Mapping[TopicPartition, int]) -> None:
        """Store where the batch ends, in the batch's own transaction."""
        columns = _columns(list(moved))
        await connection.execute(SQL["move_positions"], self._group, *columns, list(moved.values()))


def _columns(partitions: Sequence[TopicPartition]) -> tuple[list[str], list[int]]:
    return [p.topic for p in partitions], [p.partition for p in partitions]


def _by_partition(rows: Sequence[asyncpg.Record]) -> dict[TopicPartition, int]:
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
