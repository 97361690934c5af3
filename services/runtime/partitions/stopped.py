"""Partitions this process reads no more of, and why: paused, red in readiness, loud in the log.

Each is also told in its position row. A stop by the fuse or by a lost position stands there until
an operator resumes the partition: over restarts, rebalances, and for other replicas.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

from services.runtime.partitions.circuit_breaker import FuseTripped
from services.runtime.partitions.gauges import PartitionGauges
from services.runtime.partitions.log_identity import PositionLost
from services.runtime.partitions.positions import SQL, Positions
from services.runtime.postgres.connections import Pool
from services.runtime.retry import forget_rows, is_transient

STORE_TIMEOUT_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Stop:
    kind: str
    why: str
    position: int | None
    is_stored: bool


class StoppedPartitions:
    """The stopped partitions of one consumer; nothing of them is skipped."""

    def __init__(
        self,
        positions: Positions,
        gauges: PartitionGauges,
        pool: Pool,
        locate: Callable[[], AIOKafkaConsumer | None],
    ) -> None:
        self._positions = positions
        self._gauges = gauges
        self._pool = pool
        self._locate = locate
        self._stops: dict[TopicPartition, _Stop] = {}
        self._storing = asyncio.Lock()

    def __contains__(self, partition: TopicPartition) -> bool:
        return partition in self._stops

    @property
    def reasons(self) -> Mapping[TopicPartition, str]:
        """Why each stopped partition is."""
        return {partition: stop.why for partition, stop in self._stops.items()}

    async def stop(self, partition: TopicPartition, error: Exception) -> None:
        """Read no more of the partition; readiness and metrics turn red (design 4)."""
        forget_rows(error)
        kind = _kind_of(error)
        why = repr(error) if kind == "bug" else str(error)
        position = (
            error.position
            if isinstance(error, PositionLost)
            else self._positions.next_offset(partition)
        )
        self._hold(partition, _Stop(kind, why, position, is_stored=position is None))
        log.error(
            "partition_stopped",
            topic=partition.topic,
            partition=partition.partition,
            kind=kind,
            error=str(error),
            exc_info=error if kind == "bug" else None,
        )
        await self._store_all()

    def hold(self, partition: TopicPartition, why: str) -> None:
        """It was stopped before, perhaps by another process, and nobody has resumed it."""
        self._hold(partition, _Stop("held", why, None, is_stored=True))
        log.error(
            "partition_still_stopped",
            topic=partition.topic,
            partition=partition.partition,
            error=why,
        )

    def keep_only(self, partitions: Collection[TopicPartition]) -> None:
        """After a rebalance: the next owner decides for the others; ours are paused again."""
        self._stops = {p: stop for p, stop in self._stops.items() if p in partitions}
        for partition in self._stops:
            self._pause(partition)

    async def take_resumed(self) -> list[TopicPartition]:
        """Stop no longer what an operator has resumed; costs nothing while nothing is stopped."""
        await self._store_all()
        stored = [p for p, stop in self._stops.items() if stop.is_stored]
        if not stored:
            return []
        columns = [p.topic for p in stored], [p.partition for p in stored]
        async with self._pool.acquire() as connection:
            rows = await connection.fetch(SQL["read_stopped"], self._positions.group, *columns)
        still = {TopicPartition(row["topic"], row["partition"]) for row in rows}
        resumed = [p for p in stored if p not in still]
        for partition in resumed:
            self._release(partition)
        return resumed

    def _hold(self, partition: TopicPartition, stop: _Stop) -> None:
        self._stops[partition] = stop
        self._positions.forget([partition])
        self._pause(partition)
        self._gauges.set_stopped(partition, is_stopped=True)

    def _release(self, partition: TopicPartition) -> None:
        self._stops.pop(partition, None)
        self._gauges.set_stopped(partition, is_stopped=False)
        consumer = self._locate()
        try:
            if consumer is not None:
                consumer.resume(partition)
        except IllegalStateError:  # Taken from us in the meantime.
            return
        log.info("partition_resumed", topic=partition.topic, partition=partition.partition)

    async def _store_all(self) -> None:
        """What cannot be stored now, as Postgres is away, is the next time this process looks.

        One at a time: stored twice, a stop could come after the resume that ended it.
        """
        async with self._storing:
            for partition, stop in list(self._stops.items()):
                if stop.is_stored:
                    continue
                try:
                    await asyncio.wait_for(self._store(partition, stop), STORE_TIMEOUT_SECONDS)
                    stop.is_stored = True
                except Exception as error:
                    if not is_transient(error):
                        raise
                    log.warning("stop_not_stored", error=repr(error))
                    return

    async def _store(self, partition: TopicPartition, stop: _Stop) -> None:
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
        except IllegalStateError:  # Taken from us in the meantime: its next owner will see.
            return


def _kind_of(error: Exception) -> str:
    if isinstance(error, PositionLost):
        return "position"
    return "fuse" if isinstance(error, FuseTripped) else "bug"
