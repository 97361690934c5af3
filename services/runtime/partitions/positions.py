"""The stored position of each partition, and the fence that holds a batch to it.

Postgres holds the position; Kafka's committed offset is never a start. Records of a partition are
applied only after this process has sought the partition to its stored position, and only where a
batch begins at that position; other records are dropped and read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from aiokafka import TopicPartition
from asyncpg import Connection

from services.runtime.batch.batch import PositionStep
from services.runtime.clock import new_id
from services.runtime.messages.records import ConsumedRecord
from services.runtime.partitions.log_identity import (
    PositionLost,
    RecordFingerprint,
    check_range,
    check_topic_id,
    fingerprint_of,
)
from services.runtime.partitions.partition_state import AssignedPartitions, PartitionState
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "positions.sql")
LOOK_MS = 2_000


# Stops that hold for every process until an operator resumes the partition.
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


@dataclass(frozen=True, slots=True)
class SeekResult:
    """What a seek to the stored positions found."""

    lost: tuple[PositionLost, ...]
    """Why some partitions were not sought: their positions are impossible."""
    held: Mapping[TopicPartition, str]
    """Partitions that were stopped before and are not sought, with the reason."""
    free: tuple[TopicPartition, ...]
    """All partitions that are not held; those not lost are sought."""


class Positions:
    """The position rows of one consumer group, and the positions of the assigned partitions."""

    def __init__(self, service: str, group: str, states: AssignedPartitions) -> None:
        self.group = group
        self.reader = UUID(new_id())
        """This process, as the position rows name the reader of a partition."""
        self._service = service
        self._states = states

    def next_offset(self, partition: TopicPartition) -> int | None:
        """The offset of the partition's next record; None where it was not sought yet."""
        state = self._states.get(partition)
        return state.next_offset if state else None

    async def seek_to_stored(
        self,
        connection: Connection,
        consumer: Seeker,
        partitions: Sequence[TopicPartition],
        topic_ids: Mapping[str, UUID],
    ) -> SeekResult:
        """Seek every partition to its stored position; a new group begins at the first offset.

        A partition that is stopped, or has an impossible position, is not sought.
        """
        first = await consumer.beginning_offsets(partitions)
        rows = await self._claim(connection, partitions, first, topic_ids)
        # Asked last: another consumer may move the position past an end that was asked before it.
        end = await consumer.end_offsets(partitions)
        free = tuple(p for p in partitions if rows[p]["stopped_kind"] not in HELD)
        lost = []
        for partition in free:
            state, row = self._states.get(partition), rows[partition]
            if state is None:  # Taken from this process in the meantime.
                continue
            error = self._check(state, row, (first[partition], end[partition]), topic_ids)
            if error:
                lost.append(error)
            else:
                _seek(consumer, state, row, first[partition])
        held = {p: rows[p]["stopped_detail"] for p in partitions if p not in free}
        return SeekResult(tuple(lost), held, free)

    def _check(
        self,
        state: PartitionState,
        row: asyncpg.Record,
        log: tuple[int, int],
        topic_ids: Mapping[str, UUID],
    ) -> PositionLost | None:
        """Why the stored position is impossible; where it is possible, keep the topic's id."""
        partition, position = state.partition, row["next_offset"]
        was, is_now = row["topic_id"], topic_ids.get(partition.topic)
        error = check_range(self._service, partition, position, log) or check_topic_id(
            self._service, partition, position, was, is_now
        )
        if not error and (known := was or is_now):
            state.log.topic_id = known
        return error

    async def look_past_gap(self, consumer: Seeker, partition: TopicPartition) -> None:
        """Find the record that follows the position, by reading it; then seek back.

        Only the poll loop may call it, between two polls. A poll that merely begins later proves no
        gap: its records may be the rest of an older one, or those before may have been dropped by
        a poll that raised.
        """
        state = self._states.get(partition)
        if state is None or state.next_offset is None:
            return
        position = state.next_offset
        found = await consumer.getmany(partition, timeout_ms=LOOK_MS, max_records=1)
        first = await consumer.beginning_offsets([partition])
        consumer.seek(partition, position)
        if first[partition] <= position and state.next_offset == position:
            state.offset_after_gap = next((each.offset for each in found.get(partition, ())), None)

    async def _claim(
        self,
        connection: Connection,
        partitions: Sequence[TopicPartition],
        first: Mapping[TopicPartition, int],
        topic_ids: Mapping[str, UUID],
    ) -> dict[TopicPartition, asyncpg.Record]:
        """Write this process as the reader; returns the rows before the update."""
        columns = _columns(partitions)
        ids = [topic_ids.get(p.topic) for p in partitions]
        starts = [first[partition] for partition in partitions]
        async with connection.transaction():
            await connection.execute(SQL["add_positions"], self.group, *columns, starts)
            rows = await connection.fetch(SQL["lock_to_claim"], self.group, *columns)
            await connection.execute(
                SQL["claim_partitions"], self.group, *columns, ids, self.reader
            )
        claimed = {TopicPartition(row["topic"], row["partition"]): row for row in rows}
        for partition, row in claimed.items():
            state = self._states.get(partition)
            if state is None:
                continue
            if row["reader"] not in (None, self.reader):
                state.was_abandoned = True
            if row["fuse_allows"]:
                state.failures_allowed = row["fuse_allows"]
        return claimed

    async def record_attempt(
        self, connection: Connection, partition: TopicPartition, offset: int
    ) -> int | None:
        """Record an attempt at one record in the position row, before it begins.

        Returns how many attempts are recorded with this one; None where another process reads the
        partition, or its position is past the record.
        """
        attempts: int | None = await connection.fetchval(
            SQL["record_attempt"],
            self.group,
            partition.topic,
            partition.partition,
            offset,
            self.reader,
        )
        state = self._states.get(partition)
        if attempts is not None and state is not None:
            state.crash_guard.is_attempting = True
        return attempts

    async def release(self, connection: Connection, released: Sequence[Released]) -> None:
        """Write to the position rows that this process has released the partitions."""
        await connection.execute(
            SQL["release_partitions"],
            self.group,
            *_columns([each.partition for each in released]),
            [each.is_guarded for each in released],
            [each.survived for each in released],
            self.reader,
        )

    async def lock(
        self, connection: Connection, partitions: Sequence[TopicPartition]
    ) -> list[TopicPartition]:
        """Lock the rows of a batch's partitions; returns the partitions whose stored position is
        not the one this process has.
        """
        rows = await connection.fetch(SQL["lock_positions"], self.group, *_columns(partitions))
        stored = {
            TopicPartition(row["topic"], row["partition"]): row["next_offset"]
            for row in rows
            if row["stopped_kind"] not in HELD
        }
        return [p for p in partitions if stored.get(p) != self.next_offset(p)]

    def step(self, last: Mapping[TopicPartition, ConsumedRecord]) -> PositionStep:
        """The positions after a batch, from the last record of each partition."""
        places = _columns(list(last))
        fingerprints = [fingerprint_of(record) for record in last.values()]
        columns = (
            *places,
            [each.offset for each in fingerprints],
            [each.timestamp_ms for each in fingerprints],
            [each.crc32 for each in fingerprints],
        )
        return PositionStep(self.group, columns)

    async def save(self, connection: Connection, step: PositionStep) -> None:
        """Store the positions in the batch's transaction, where the outbox has not done so."""
        if not step.is_stored:
            await connection.execute(SQL["move_positions"], step.group, *step.columns)
            step.is_stored = True


@dataclass(frozen=True, slots=True)
class Released:
    """How this process releases a partition."""

    partition: TopicPartition
    is_guarded: bool
    """The next reader must read record by record."""
    survived: int
    """Recorded attempts (0 or 1) that did not kill this process."""

    @classmethod
    def of(cls, state: PartitionState) -> Released:
        """The release of a partition, from its present state."""
        guard = state.crash_guard
        is_guarded = bool(guard.left) or state.was_abandoned
        return cls(state.partition, is_guarded, int(guard.is_attempting))


def _seek(consumer: Seeker, state: PartitionState, row: asyncpg.Record, first: int) -> None:
    """Seek to the last record applied where the log still has it, otherwise to the next one."""
    position, last = row["next_offset"], row["last_offset"]
    state.advance(position)
    if last is None or not first <= last < position:
        consumer.seek(state.partition, position)
        return
    consumer.seek(state.partition, last)
    state.log.expected = RecordFingerprint(last, row["last_timestamp_ms"], row["last_crc32"])


def _columns(partitions: Sequence[TopicPartition]) -> tuple[list[str], list[int]]:
    return [p.topic for p in partitions], [p.partition for p in partitions]
