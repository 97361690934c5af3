"""Checks beside the poll loop: is each topic still the one that was read, and is it polled?"""

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
from services.runtime.partitions.log_identity import PositionLost, check_range, check_topic_id
from services.runtime.partitions.partition_state import (
    AssignedPartitions,
    PartitionState,
    Unpolled,
)

POSITION_TIMEOUT_SECONDS = 0.5

log = structlog.get_logger(__name__)


class LogMonitor:
    """Stops partitions whose log is not the one that was read, and reports stalls."""

    def __init__(
        self,
        assignment: Assignment,
        poll_monitor: PollMonitor,
        probe: BrokerProbe,
        stall_seconds: float,
    ) -> None:
        self._assignment = assignment
        self._poll_monitor = poll_monitor
        self._probe = probe
        self._stalls = StallMonitor(assignment.states, stall_seconds)
        self._topic_ids: dict[str, UUID] = {}
        self.missing: tuple[str, ...] = ()
        """Topics to read that the brokers do not have."""

    @property
    def trouble(self) -> str | None:
        """What is not read although it could be; None where all is read."""
        return self._stalls.trouble

    async def look(self) -> None:
        """Check once; called every measuring interval."""
        positions = self._assignment.positions
        known = {p: positions.next_offset(p) for p in self._assignment.partitions}
        placed = {p: offset for p, offset in known.items() if offset is not None}
        consumer = self._assignment.consumer()
        topics = consumer.subscription() if consumer else frozenset()
        snapshot = await self._probe.ask(topics, placed)
        if snapshot is None:
            self._stalls.reset()
            return
        self.missing = tuple(sorted(topics - snapshot.topic_ids.keys()))
        await self._follow_topics(consumer, snapshot.topic_ids)
        await self._stop_lost(placed, snapshot)
        reached = {
            p: Reach(polled, end)
            for p, (_, end) in snapshot.logs.items()
            if (polled := await self._polled(p)) is not None
        }
        self._stalls.look(
            self._poll_monitor.waited_seconds(),
            reached,
            is_joining=self._assignment.is_joining or self._assignment.is_refused_by_kafka,
        )

    async def close(self) -> None:
        """Disconnect."""
        await self._probe.close()

    async def _follow_topics(
        self, consumer: AIOKafkaConsumer, topic_ids: Mapping[str, UUID]
    ) -> None:
        """Make the client follow a recreated topic.

        By itself the client finds the topic only minutes later.
        """
        is_new = any(self._topic_ids.get(topic, id_) != id_ for topic, id_ in topic_ids.items())
        self._topic_ids.update(topic_ids)
        if is_new:
            log.error("topic_recreated", topics=sorted(topic_ids))
            await consumer._client.force_metadata_update()  # noqa: SLF001 - has no public name

    async def _stop_lost(
        self, before: Mapping[TopicPartition, int], snapshot: BrokerSnapshot
    ) -> None:
        """Stop partitions whose position was impossible in two checks in a row.

        Just after a change of leaders a broker may answer with an end that is too low.
        """
        for state in list(self._assignment.states.values()):
            error = self._doubt(state, before, snapshot)
            was_doubted, state.log.is_doubted = state.log.is_doubted, error is not None
            if error and was_doubted:
                await self._assignment.stops.stop(state.partition, error)

    def _doubt(
        self, state: PartitionState, before: Mapping[TopicPartition, int], snapshot: BrokerSnapshot
    ) -> PositionLost | None:
        """Why the position is impossible; `before` are the positions before the brokers were asked:
        positions move while they answer.
        """
        partition, position = state.partition, state.next_offset
        if position is None or partition not in snapshot.logs:
            return None
        service, is_now = self._assignment.service, snapshot.topic_ids.get(partition.topic)
        return check_topic_id(
            service, partition, position, state.log.topic_id, is_now
        ) or check_range(
            service, partition, position, snapshot.logs[partition], before=before[partition]
        )

    async def _polled(self, partition: TopicPartition) -> int | None:
        """How far the client has read, markers of transactions included; None where unknown."""
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


class StallMonitor:
    """Which partitions are not polled although they have records, and for how long.

    Times are seconds of the poll loop without those it applied records (`PollMonitor`).
    """

    def __init__(self, states: AssignedPartitions, seconds: float) -> None:
        self._states = states
        self._seconds = seconds
        self._joining_since: float | None = None
        self.trouble: str | None = None

    def look(
        self, now: float, reached: Mapping[TopicPartition, Reach], *, is_joining: bool
    ) -> None:
        """Compare with the last look, at a moment when the brokers answer."""
        stalls = []
        for state in self._states.values():
            state.unpolled = unpolled = _unpolled(state.unpolled, reached.get(state.partition), now)
            if unpolled and now - unpolled.since >= self._seconds:
                stalls.append(_partition_stall(state.partition, now - unpolled.since))
        if not is_joining:
            self._joining_since = None
        elif self._joining_since is None:
            self._joining_since = now
        if self._joining_since is not None and now - self._joining_since >= self._seconds:
            stalls.append(_joining_stall(now - self._joining_since))
        self.trouble = "; ".join(stalls) or None

    def reset(self) -> None:
        """Start again: while the brokers do not answer, an unread partition is not stalled."""
        for state in self._states.values():
            state.unpolled = None
        self._joining_since = None
        self.trouble = None


def _unpolled(last: Unpolled | None, reach: Reach | None, now: float) -> Unpolled | None:
    if reach is None or reach.polled >= reach.end:
        return None
    return last if last and last.polled == reach.polled else Unpolled(reach.polled, now)


def _partition_stall(partition: TopicPartition, seconds: float) -> str:
    topic, number = partition
    return f"{topic}[{number}] has records and is not polled for {seconds:.0f} seconds"


def _joining_stall(seconds: float) -> str:
    return (
        f"for {seconds:.0f} seconds its group gives it no partitions, or its client cannot "
        "find where they begin, and Kafka answers"
    )
