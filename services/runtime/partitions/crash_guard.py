"""Find the record that kills the process which reads it.

A partition whose last reader died without releasing it is read record by record for a while, each
record in a transaction of its own, and each attempt is recorded in the position row before it
begins. A record with two attempts recorded has killed three processes: one in a batch, two alone.
A record that merely was in the same partition, or in a process killed from outside, was not being
applied at that moment, or succeeds at the next attempt. Outside of this mode nothing is written.
"""

from __future__ import annotations

import structlog
from aiokafka import TopicPartition

ATTEMPTS_MAX = 2

log = structlog.get_logger(__name__)


class CrashGuard:
    """How many records of one partition are still to be read one by one."""

    __slots__ = ("_partition", "_records", "is_attempting", "left")

    def __init__(self, partition: TopicPartition, records: int) -> None:
        self._partition = partition
        self._records = records
        self.left = 0
        """Records still to be read one by one; 0 outside of the mode."""
        self.is_attempting = False
        """Whether an attempt at a record is recorded and has not ended."""

    def begin(self) -> None:
        """Read the next records one by one: the last reader died."""
        self.left = self._records
        log.warning(
            "careful_mode_begun", topic=self._partition.topic, partition=self._partition.partition
        )

    def clear(self) -> None:
        """End this mode: the partition is released, its next reader decides by the position row."""
        self.left = 0
        self.is_attempting = False

    def end_attempt(self, *, is_applied: bool) -> None:
        """End the attempt that was recorded; an applied record is one less to read one by one.

        Stale records have no attempt and do not count: with few records in a batch, the mode would
        otherwise end before the record that kills was read. The last applied one ends the mode.
        """
        was_attempting, self.is_attempting = self.is_attempting, False
        if not (self.left and was_attempting and is_applied):
            return
        self.left -= 1
        if not self.left:
            log.info(
                "careful_mode_ended",
                topic=self._partition.topic,
                partition=self._partition.partition,
            )
