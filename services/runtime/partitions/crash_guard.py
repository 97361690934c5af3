"""Careful mode: which record kills the process that reads it?

A partition whose last reader died without letting go is read record by record for a while, each in
a transaction of its own, and before each it is noted that it is tried. A record that was tried
twice already has killed its process three times: once in a batch, twice alone. What merely stood
in the same partition, or in a process that was killed from outside, was never in hand at that
moment, or goes through at the next try. Outside of this mode nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import structlog
from aiokafka import TopicPartition

from services.runtime.messages.records import ConsumedRecord
from services.runtime.partitions.positions import SQL, Ended, Positions
from services.runtime.postgres.connections import Connection

TRIES_MAX = 2

log = structlog.get_logger(__name__)


class CrashGuard:
    """The partitions of this process that are read record by record, and for how long still."""

    def __init__(self, positions: Positions, records: int) -> None:
        self._positions = positions
        self._records = records
        self._left: dict[TopicPartition, int] = {}
        self._in_hand: set[TopicPartition] = set()

    def begin(self, partitions: Collection[TopicPartition]) -> None:
        """Their last reader died: look at what comes next record by record."""
        for partition in partitions:
            self._left[partition] = self._records
            log.warning("careful_mode_begun", topic=partition.topic, partition=partition.partition)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Others read them now."""
        for partition in partitions:
            self._left.pop(partition, None)
            self._in_hand.discard(partition)

    def ended(self, partition: TopicPartition) -> Ended:
        """How we let go of the partition: a try that is in hand now has killed nobody."""
        return Ended(partition in self._left, int(partition in self._in_hand))

    def split(
        self, records: Sequence[ConsumedRecord]
    ) -> tuple[Sequence[ConsumedRecord], Sequence[ConsumedRecord]]:
        """What is to be applied record by record, and what together."""
        if not self._left:
            return (), records
        left = dict(self._left)
        alone: list[ConsumedRecord] = []
        together: list[ConsumedRecord] = []
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            is_alone = left.get(partition, 0) > 0
            (alone if is_alone else together).append(record)
            if is_alone:
                left[partition] -= 1
        return alone, together

    def forbids(self, partition: TopicPartition) -> bool:
        """Whether records of it would be applied unnoted: polled before the mode began, say."""
        return partition in self._left and partition not in self._in_hand

    async def note(
        self, connection: Connection, partition: TopicPartition, offset: int
    ) -> int | None:
        """Say that the record is begun; how often it was, or None where it is not ours to read."""
        tries: int | None = await connection.fetchval(
            SQL["note_try"],
            self._positions.group,
            partition.topic,
            partition.partition,
            offset,
            self._positions.reader,
        )
        if tries is not None:
            self._in_hand.add(partition)
        return tries

    def done(self, partition: TopicPartition) -> None:
        """One record more was applied, or was not ours; the last one ends the mode."""
        self._in_hand.discard(partition)
        if partition not in self._left:
            return
        self._left[partition] -= 1
        if self._left[partition] <= 0:
            del self._left[partition]
            log.info("careful_mode_ended", topic=partition.topic, partition=partition.partition)
