"""Stopped partitions: not read until an operator resumes them, red in readiness, logged as errors.

Each stop is also stored in the position row. A stop by the circuit breaker or by a lost position
holds there until an operator resumes the partition: over restarts, rebalances, and for other
replicas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

from services.runtime.partitions.circuit_breaker import CircuitBreakerTripped
from services.runtime.partitions.log_identity import PositionLost
from services.runtime.partitions.partition_state import AssignedPartitions, PartitionState, Stop
from services.runtime.partitions.positions import SQL, Positions
from services.runtime.postgres.connections import Pool
from services.runtime.retry import forget_rows, is_transient

STORE_TIMEOUT_SECONDS = 5.0

log = structlog.get_logger(__name__)


class StoppedPartitions:
    """The stopped ones of the assigned partitions; nothing of them is skipped."""

    def __init__(
        self,
        states: AssignedPartitions,
        positions: Positions,
        pool: Pool,
        locate: Callable[[], AIOKafkaConsumer | None],
    ) -> None:
        self._states = states
        self._positions = positions
        self._pool = pool
        self._locate = locate
        self._storing = asyncio.Lock()

    def __contains__(self, partition: TopicPartition) -> bool:
        state = self._states.get(partition)
        return state is not None and state.stop is not None

    def partitions(self) -> frozenset[TopicPartition]:
        """The stopped partitions."""
        return frozenset(p for p, state in self._states.items() if state.stop)

    @property
    def reasons(self) -> Mapping[TopicPartition, str]:
        """Why each stopped partition is stopped."""
        return {p: state.stop.why for p, state in self._states.items() if state.stop}

    async def stop(self, partition: TopicPartition, error: Exception) -> None:
        """Read nothing more of the partition, and store why at its position.

        A partition that is stopped already keeps its first reason. A partition that this process
        has lost in the meantime is stopped by its next reader.
        """
        state = self._states.get(partition)
        if state is not None and state.stop is not None:
            return
        forget_rows(error)
        kind = _kind_of(error)
        log.error(
            "partition_stopped",
            topic=partition.topic,
            partition=partition.partition,
            kind=kind,
            error=str(error),
            exc_info=error if kind == "bug" else None,
        )
        if state is None:
            return
        why = repr(error) if kind == "bug" else str(error)
        position = error.position if isinstance(error, PositionLost) else state.next_offset
        self._hold(state, Stop(kind, why, position, is_stored=position is None))
        await self._store_all()

    def hold(self, partition: TopicPartition, why: str) -> None:
        """Keep a partition stopped that its position row marks as stopped."""
        state = self._states.get(partition)
        if state is None:
            return
        self._hold(state, Stop("held", why, None, is_stored=True))
        log.error(
            "partition_still_stopped",
            topic=partition.topic,
            partition=partition.partition,
            error=why,
        )

    def pause_again(self) -> None:
        """Pause what is stopped: a rebalance has made the client read all partitions."""
        for state in self._states.values():
            if state.stop:
                self._pause(state.partition)

    async def end_resumed(self) -> list[PartitionState]:
        """End the stops that an operator has resumed, and return their partitions.

        Asks Postgres only where something is stopped.
        """
        await self._store_all()
        stored = [s for s in self._states.values() if s.stop and s.stop.is_stored]
        if not stored:
            return []
        columns = [s.partition.topic for s in stored], [s.partition.partition for s in stored]
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(SQL["read_stopped"], self._positions.group, *columns)
        still = {TopicPartition(row["topic"], row["partition"]) for row in rows}
        resumed = [state for state in stored if state.partition not in still]
        for state in resumed:
            self._resume(state)
        return resumed

    def _hold(self, state: PartitionState, stop: Stop) -> None:
        state.stop = stop
        state.clear_position()
        self._pause(state.partition)
        state.gauges.set_stopped(is_stopped=True)

    def _resume(self, state: PartitionState) -> None:
        partition, state.stop = state.partition, None
        if self._states.get(partition) is not state:  # Lost in the meantime, with its gauges.
            return
        state.gauges.set_stopped(is_stopped=False)
        consumer = self._locate()
        try:
            if consumer is not None:
                consumer.resume(partition)
        except IllegalStateError:  # Taken from us in the meantime.
            return
        log.info("partition_resumed", topic=partition.topic, partition=partition.partition)

    async def _store_all(self) -> None:
        """Store the stops that are not stored yet. While Postgres does not answer they wait for
        the next call.

        One call at a time: stored twice, a stop could come after the resume that ended it.
        """
        async with self._storing:
            for state in list(self._states.values()):
                stop = state.stop
                if stop is None or stop.is_stored:
                    continue
                try:
                    store = self._store(state.partition, stop)
                    await asyncio.wait_for(store, STORE_TIMEOUT_SECONDS)
                    stop.is_stored = True
                except Exception as error:
                    if not is_transient(error):
                        raise
                    log.warning("stop_not_stored", error=repr(error))
                    return

    async def _store(self, partition: TopicPartition, stop: Stop) -> None:
        async with self._pool.acquire() as connection:
            await connection.execute(
                SQL["store_stop"],
                self._positions.group,
                partition.topic,
                partition.partition,
                stop.position,
                stop.kind,
                stop.why,
            )

    def _pause(self, partition: TopicPartition) -> None:
        consumer = self._locate()
        try:
            if consumer is not None:
                consumer.pause(partition)
        except IllegalStateError:  # Taken from us in the meantime: its next reader stops it.
            return


def _kind_of(error: Exception) -> str:
    if isinstance(error, PositionLost):
        return "position"
    return "fuse" if isinstance(error, CircuitBreakerTripped) else "bug"
