"""Kafka's committed offsets, made to follow our positions: lag monitors read them, nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

TELL_SECONDS = 1.0  # Between two commits after batches.
COMMIT_TIMEOUT_SECONDS = 5.0  # The client itself would try for as long as the broker is away.


class Committer(Protocol):
    """The part of AIOKafkaConsumer used here."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store offsets for the group."""


class CommittedOffsets:
    """Commits positions that Kafka has not been told.

    After a batch it is told where the last time is a second ago: its answer takes ten milliseconds,
    as long as a small batch. The rest, and what a rebalance fell upon, `follow` tells: with no
    further message a monitor would show a lag for ever that there is not.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._told: dict[TopicPartition, int] = {}
        self._monotonic = monotonic
        self._due_at = monotonic()
        self.is_last = False
        """The service stops: each batch may be the last to be told of."""

    def is_due(self) -> bool:
        """Whether Kafka is to be told after this batch; the answer is taken for done."""
        now = self._monotonic()
        if now < self._due_at and not self.is_last:
            return False
        self._due_at = now + TELL_SECONDS
        return True

    async def follow(self, consumer: Committer, positions: Mapping[TopicPartition, int]) -> None:
        """Commit what differs from what was told before; what fails is told the next time."""
        news = {p: offset for p, offset in positions.items() if self._told.get(p) != offset}
        if not news:
            return
        try:
            await asyncio.wait_for(consumer.commit(news), COMMIT_TIMEOUT_SECONDS)
        except (KafkaError, IllegalStateError, TimeoutError):
            return
        self._told.update(news)

    def forget(self) -> None:
        """After a rebalance others may have committed: tell all again."""
        self._told.clear()
