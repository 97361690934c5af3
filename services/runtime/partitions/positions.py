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
from uuid import UUID

import asyncpg
from aiokafka import TopicPartition
from asyncpg import Connection

from services.runtime.batch.position_step import Step
from services.runtime.clock import new_id
from services.runtime.messages.records import ConsumedRecord
from services.runtime.partitions.log_identity import (
    LogTruncated,
    OffsetOutOfRange,
    PositionLost,
    RecordFingerprint,
    TopicRecreated,
    Witnesses,
    fingerprint_of,
)
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "positions.sql")
LOOK_MS = 2_000


# Stops that stand until an operator resumes the partition, whoever has it.
HELD = frozenset({"fuse", "position"})


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

    def __init__(self, service: str, group: str) -> None:
        self.group = group
        self.reader = UUID(new_id())  # Which process this is, as the rows say it.
        self.witnesses = Witnesses()
        self._service = service
        self._places: dict[TopicPartition, _Place] = {}
        self._topic_ids: dict[TopicPartition, UUID] = {}
        # What taking a row found, until its placing has succeeded: the row tells it only once.
        self._abandoned: set[TopicPartition] = set()
        self._fuse_allows: dict[TopicPartition, int] = {}

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """After a failure or a rebalance nothing is known: place again before reading."""
        for partition in partitions:
            self._places.pop(partition, None)
        self.witnesses.forget(partitions)

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
        topic_ids: Mapping[str, UUID],
    ) -> SeekResult:
        """Seek every partition to its stored position; a new group starts at the first offset.

        What is stopped, and what has a position that means nothing, is not placed.
        """
        first = await consumer.beginning_offsets(partitions)
        rows = await self._take(connection, partitions, first, topic_ids)
        # Asked last: another consumer may move the position past an end that was asked before it.
        end = await consumer.end_offsets(partitions)
        free = [p for p in partitions if rows[p]["stopped_kind"] not in HELD]
        doubts = {
            p: self._outside(p, rows[p]["next_offset"], first[p], end[p])
            or self._made_anew(p, rows[p], topic_ids)
            for p in free
        }
        for partition in free:
            if doubts[partition] is None:
                self._seek(consumer, partition, rows[partition], first[partition])
        return SeekResult(
            tuple(doubt for doubt in doubts.values() if doubt),
            {p: rows[p]["stopped_detail"] for p in partitions if p not in doubts},
            *self._findings(free),
        )

    def _findings(
        self, partitions: Sequence[TopicPartition]
    ) -> tuple[frozenset[TopicPartition], dict[TopicPartition, int]]:
        abandoned = self._abandoned.intersection(partitions)
        self._abandoned -= abandoned
        known = [p for p in partitions if p in self._fuse_allows]
        return frozenset(abandoned), {p: self._fuse_allows.pop(p) for p in known}

    def doubt(
        self,
        partition: TopicPartition,
        before: int,
        log: tuple[int, int],
        topic_ids: Mapping[str, UUID],
    ) -> PositionLost | None:
        """Why a placed partition cannot be where it stands, by what the broker says of its log.

        `before` is the position before the broker was asked for first offset and end: positions,
        too, move while it answers.
        """
        position, was = self.next_offset(partition), self._topic_ids.get(partition)
        if position is None:
            return None
        is_now = topic_ids.get(partition.topic)
        if was and is_now and was != is_now:
            return TopicRecreated(self._service, partition, position, was, is_now)
        if position < log[0] or before > log[1]:
            return OffsetOutOfRange(self._service, partition, position, *log)
        return None

    def written_anew(self, partition: TopicPartition) -> PositionLost | None:
        """The witness of the partition spoke against it."""
        position = self.next_offset(partition)
        return None if position is None else LogTruncated(self._service, partition, position)

    def _outside(
        self, partition: TopicPartition, position: int, first: int, end: int
    ) -> PositionLost | None:
        if first <= position <= end:
            return None
        return OffsetOutOfRange(self._service, partition, position, first, end)

    def _made_anew(
        self, partition: TopicPartition, row: asyncpg.Record, topic_ids: Mapping[str, UUID]
    ) -> PositionLost | None:
        was, is_now = row["topic_id"], topic_ids.get(partition.topic)
        if was and is_now and was != is_now:
            return TopicRecreated(self._service, partition, row["next_offset"], was, is_now)
        if known := was or is_now:
            self._topic_ids[partition] = known
        return None

    def _seek(
        self, consumer: Seeker, partition: TopicPartition, row: asyncpg.Record, first: int
    ) -> None:
        """To the last record applied where the log still has it, else to the next one."""
        position, last = row["next_offset"], row["last_offset"]
        self._places[partition] = _Place(position)
        if last is None or not first <= last < position:
            consumer.seek(partition, position)
            return
        consumer.seek(partition, last)
        mark = RecordFingerprint(last, row["last_timestamp_ms"], row["last_crc32"])
        self.witnesses.expect(partition, mark)

    def seek_again(self, consumer: Seeker, partition: TopicPartition) -> None:
        """To where we stand, past a witness."""
        self.witnesses.forget([partition])
        consumer.seek(partition, self._places[partition].next_offset)

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

    async def _take(
        self,
        connection: Connection,
        partitions: Sequence[TopicPartition],
        first: Mapping[TopicPartition, int],
        topic_ids: Mapping[str, UUID],
    ) -> dict[TopicPartition, asyncpg.Record]:
        """Make the rows ours; returns them as they were."""
        columns = _columns(partitions)
        ids = [topic_ids.get(p.topic) for p in partitions]
        starts = [first[partition] for partition in partitions]
        async with connection.transaction():
            await connection.execute(SQL["add_positions"], self.group, *columns, starts)
            rows = await connection.fetch(SQL["lock_places"], self.group, *columns)
            await connection.execute(SQL["take_places"], self.group, *columns, ids, self.reader)
        taken = {TopicPartition(row["topic"], row["partition"]): row for row in rows}
        for partition, row in taken.items():
            if row["reader"] not in (None, self.reader):
                self._abandoned.add(partition)
            if row["fuse_allows"]:
                self._fuse_allows[partition] = row["fuse_allows"]
        return taken

    async def let_go(self, connection: Connection, ended: Mapping[TopicPartition, Ended]) -> None:
        """Nothing of these is in hand any more."""
        await connection.execute(
            SQL["let_go_places"],
            self.group,
            *_columns(list(ended)),
            [each.is_careful for each in ended.values()],
            [each.survived for each in ended.values()],
            self.reader,
        )

    async def lock(
        self, connection: Connection, partitions: Sequence[TopicPartition]
    ) -> list[TopicPartition]:
        """Lock the rows of a batch's partitions; returns those that are not where we stand."""
        rows = await connection.fetch(SQL["lock_positions"], self.group, *_columns(partitions))
        stored = {
            TopicPartition(row["topic"], row["partition"]): row["next_offset"]
            for row in rows
            if row["stopped_kind"] not in HELD
        }
        return [p for p in partitions if stored.get(p) != self.next_offset(p)]

    def step(self, last: Mapping[TopicPartition, ConsumedRecord]) -> Step:
        """Where a batch ends, by its last records."""
        marks = [fingerprint_of(record) for record in last.values()]
        columns = (
            *_columns(list(last)),
            [mark.offset for mark in marks],
            [mark.timestamp_ms for mark in marks],
            [mark.crc32 for mark in marks],
        )
        return Step(self.group, columns)

    async def save(self, connection: Connection, step: Step) -> None:
        """Store where the batch ends, in the batch's own transaction, unless the outbox has."""
        if not step.is_stored:
            await connection.execute(SQL["move_positions"], step.group, *step.columns)
            step.is_stored = True


def _columns(partitions: Sequence[TopicPartition]) -> tuple[list[str], list[int]]:
    return [p.topic for p in partitions], [p.partition for p in partitions]


@dataclass(frozen=True, slots=True)
class SeekResult:
    """What placing found out."""

    lost: tuple[PositionLost, ...]  # Their stored position means nothing.
    held: Mapping[TopicPartition, str]  # Stopped before, and why.
    abandoned: frozenset[TopicPartition]  # Their last reader never let go: it died.
    fuse_allows: Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a partition is let go: its next reader must be careful; noted tries that we survived."""

    is_careful: bool
    survived: int
