"""Kafka's committed offsets, made to follow our positions: lag monitors read them, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

TELL_SECONDS = 1.0
COMMIT_TIMEOUT_SECONDS = 5.0  # The client itself would try for as long as the broker is away.


class Committer(Protocol):
    """The part of AIOKafkaConsumer used here."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store offsets for the group."""


class CommittedOffsets:
    """Commits positions that Kafka has not been told, beside the batches: none waits for it.

    Our own position stands in Postgres. Only where the service stops is Kafka told as a batch ends,
    because it may be the last.
    """

    def __init__(self) -> None:
        self._told: dict[TopicPartition, int] = {}

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
