"""Looks beside the poll loop: is each topic still the one we read, and are its records polled?

The broker is asked over a connection of its own: requests on one connection are answered in their
order, and behind a fetch that never returns no other would be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from services.runtime.placing import Assignment
from services.runtime.polling import PollLoop
from services.runtime.stalls import Reach, Stalls
from services.runtime.topic_ids import topic_ids

ASK_TIMEOUT_SECONDS = 5.0
POSITION_TIMEOUT_SECONDS = 0.5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Survey:
    """What the broker has: ids of topics, first offset and end of partitions that are there."""

    topic_ids: Mapping[str, UUID]
    logs: Mapping[TopicPartition, tuple[int, int]]


class Surveyor:
    """Asks the broker, with a consumer that reads nothing."""

    def __init__(self, make_consumer: Callable[[], AIOKafkaConsumer]) -> None:
        self._make_consumer = make_consumer
        self._consumer: AIOKafkaConsumer | None = None

    async def ask(
        self, topics: Collection[str], partitions: Collection[TopicPartition]
    ) -> Survey | None:
        """What the broker says; None when it does not answer."""
        try:
            async with asyncio.timeout(ASK_TIMEOUT_SECONDS):
                return await self._ask(topics, partitions)
        except (KafkaError, OSError, TimeoutError) as error:
            log.info("survey_failed", error=repr(error))
            await self.close()
            return None

    async def _ask(self, topics: Collection[str], partitions: Collection[TopicPartition]) -> Survey:
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
        return Survey(ids, {p: (first[p], end[p]) for p in there})

    async def close(self) -> None:
        """Disconnect; the next question connects again."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()


class LogWatch:
    """Stops what is no longer the log that was read; says what stands still."""

    def __init__(
        self, assignment: Assignment, loop: PollLoop, surveyor: Surveyor, stall_seconds: float
    ) -> None:
        self._assignment = assignment
        self._loop = loop
        self._surveyor = surveyor
        self._stalls = Stalls(stall_seconds)
        self._doubted: frozenset[TopicPartition] = frozenset()
        self._topic_ids: dict[str, UUID] = {}
        self.missing: tuple[str, ...] = ()

    @property
    def trouble(self) -> str | None:
        """What stands still although it could be read."""
        return self._stalls.trouble

    async def look(self) -> None:
        """Once every measuring interval."""
        positions = self._assignment.positions
        known = {p: positions.next_offset(p) for p in self._assignment.partitions}
        placed = {p: offset for p, offset in known.items() if offset is not None}
        consumer = self._assignment.consumer()
        topics = consumer.subscription() if consumer else frozenset()
        survey = await self._surveyor.ask(topics, placed)
        if survey is None:
            self._stalls.forget()
            return
        self.missing = tuple(sorted(topics - survey.topic_ids.keys()))
        await self._follow_topics(consumer, survey.topic_ids)
        await self._stop_lost(placed, survey)
        reached = {
            p: Reach(polled, end)
            for p, (_, end) in survey.logs.items()
            if (polled := await self._polled(p)) is not None
        }
        self._stalls.look(
            self._loop.waited_seconds(),
            reached,
            is_joining=self._assignment.is_joining or self._assignment.is_refused_places,
        )

    async def close(self) -> None:
        """Disconnect."""
        await self._surveyor.close()

    async def _follow_topics(
        self, consumer: AIOKafkaConsumer, topic_ids: Mapping[str, UUID]
    ) -> None:
        """The group gave a deleted topic up; that it is there again it would see minutes later."""
        is_new = any(self._topic_ids.get(topic, id_) != id_ for topic, id_ in topic_ids.items())
        self._topic_ids.update(topic_ids)
        if is_new:
            log.error("topic_made_anew", topics=sorted(topic_ids))
            await consumer._client.force_metadata_update()  # noqa: SLF001 - has no public name

    async def _stop_lost(self, placed: Mapping[TopicPartition, int], survey: Survey) -> None:
        """What is doubted twice: just after a change of leaders an end may be told too low."""
        positions = self._assignment.positions
        doubts = {
            p: doubt
            for p, log_ in survey.logs.items()
            if (doubt := positions.doubt(p, placed[p], log_, survey.topic_ids))
        }
        for partition in self._doubted.intersection(doubts):
            await self._assignment.stops.stop(partition, doubts[partition])
        self._doubted = frozenset(doubts)

    async def _polled(self, partition: TopicPartition) -> int | None:
        """How far the client has read: past markers of transactions, which no record tells."""
        consumer = self._assignment.consumer()
        if consumer is None or partition in self._assignment.stops:
            return None
        try:
            async with asyncio.timeout(POSITION_TIMEOUT_SECONDS):
                polled: int = await consumer.position(partition)
                return polled
        except (IllegalStateError, KafkaError, TimeoutError):
            return None
