"""Reads topic ids and log offsets from the broker over a separate connection.

A broker answers the requests of one connection in order, so a request behind a fetch that never
returns would not be answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.runtime.kafka.compat.topic_ids import topic_ids

ASK_TIMEOUT_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BrokerSnapshot:
    """Ids of the topics, and first and end offset of the partitions, that exist."""

    topic_ids: Mapping[str, UUID]
    logs: Mapping[TopicPartition, tuple[int, int]]


class BrokerProbe:
    """Sends requests to the broker with a consumer that fetches no records."""

    def __init__(self, make_consumer: Callable[[], AIOKafkaConsumer]) -> None:
        self._make_consumer = make_consumer
        self._consumer: AIOKafkaConsumer | None = None

    async def ask(
        self, topics: Collection[str], partitions: Collection[TopicPartition]
    ) -> BrokerSnapshot | None:
        """Read the state of topics and partitions; None if the broker does not answer in time."""
        try:
            async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
                return await self._ask(topics, partitions)
        except (KafkaError, OSError, TimeoutError) as error:
            log.info("survey_failed", error=repr(error))
            await self.close()
            return None

    async def _ask(
        self, topics: Collection[str], partitions: Collection[TopicPartition]
    ) -> BrokerSnapshot:
        if self._consumer is None:
            consumer = self._make_consumer()
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        ids = await topic_ids(self._consumer, topics)
        there = [p for p in partitions if p.topic in ids]
        first = await self._consumer.beginning_offsets(there)
        end = await self._consumer.end_offsets(there)
        return BrokerSnapshot(ids, {p: (first[p], end[p]) for p in there})

    async def close(self) -> None:
        """Disconnect; the next request connects again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()
