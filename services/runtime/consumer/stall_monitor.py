"""Looks beside the poll loop: is each topic still the one we read, and are its records polled?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from services.runtime.consumer.poll import PollMonitor
from services.runtime.kafka.broker_probe import BrokerProbe, BrokerSnapshot
from services.runtime.partitions.assignment import Assignment

POSITION_TIMEOUT_SECONDS = 0.5

log = structlog.get_logger(__name__)


class LogWatch:
    """Stops what is no longer the log that was read; says what stands still."""

    def __init__(
        self, assignment: Assignment, loop: PollMonitor, surveyor: BrokerProbe, stall_seconds: float
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

    async def _stop_lost(
        self, placed: Mapping[TopicPartition, int], survey: BrokerSnapshot
    ) -> None:
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


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one partition was polled, and how far it could be."""

    polled: int
    end: int


class Stalls:
    """What has stood still, and since when; times are the poll loop's own (see PollLoop)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[TopicPartition | None, tuple[int, float]] = {}
        self.trouble: str | None = None

    def look(
        self, now: float, reached: Mapping[TopicPartition, Reach], *, is_joining: bool
    ) -> None:
        """Compare with the last look, at a moment when the broker answers."""
        behind: dict[TopicPartition | None, int] = {
            p: reach.polled for p, reach in reached.items() if reach.polled < reach.end
        }
        if is_joining:
            behind[None] = 0
        self._since = {
            what: self._since[what] if self._is_as_before(what, polled) else (polled, now)
            for what, polled in behind.items()
        }
        still = {
            what: now - since
            for what, (_, since) in self._since.items()
            if now - since >= self._seconds
        }
        self.trouble = "; ".join(_told(what, seconds) for what, seconds in still.items()) or None

    def forget(self) -> None:
        """The broker does not answer: nobody can read, and nothing is a stall."""
        self._since.clear()
        self.trouble = None

    def _is_as_before(self, what: TopicPartition | None, polled: int) -> bool:
        return what in self._since and self._since[what][0] == polled


def _told(what: TopicPartition | None, seconds: float) -> str:
    if what is None:
        return (
            f"for {seconds:.0f} seconds its group gives it no partitions, or its client cannot "
            "tell where they begin, and Kafka answers"
        )
    return f"{what.topic}[{what.partition}] has records and is not polled for {seconds:.0f} seconds"
