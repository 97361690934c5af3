"""Two ways to publish rows: at least once, and exactly once for readers of committed records.

Either is good for one producer's life. After any failure both are thrown away: a producer that
was refused a record, or fenced, is of no use any more (traps 3 and 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from aiokafka.errors import UnknownTopicOrPartitionError
from asyncpg import Connection

from services.runtime.outbox.markers import Markers, Published
from services.runtime.outbox.record_sender import Producer, send_rows
from services.runtime.outbox.rows import OutboxRow
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")


class MarkerTopicMissing(Exception):
    """Exactly once has nowhere to put its markers; the text has the way out."""


class Delivery(Protocol):
    """One producer's life."""

    async def start(self) -> None:
        """Connect, and know what is published already."""

    async def publish(self, rows: Sequence[OutboxRow], *, one_by_one: bool = False) -> None:
        """Publish the rows and remove them from the outbox."""

    async def abort(self) -> None:
        """End; nothing more is sent."""


async def delete(connection: Connection, rows: Sequence[OutboxRow]) -> None:
    """Remove rows that Kafka has."""
    await connection.execute(
        SQL["delete_published"],
        [row.shard for row in rows],
        [row.id for row in rows],
        [row.slot for row in rows],
    )


class AtLeastOnce:
    """Records, each acknowledged, then the rows go. A process that dies between the two repeats
    them, and so does a Postgres that dies soon after: no deletion waits for the disk.
    """

    def __init__(
        self, producer: Producer, connection: Connection, physical_topic: Callable[[str], str]
    ) -> None:
        self._producer = producer
        self._connection = connection
        self._physical_topic = physical_topic

    async def start(self) -> None:
        """Connect; what this session deletes waits for no disk."""
        await self._connection.fetchval(SQL["commit_at_once"])
        await self._producer.start()

    async def publish(self, rows: Sequence[OutboxRow], *, one_by_one: bool = False) -> None:
        """Send the rows, then delete them."""
        await self._send(rows, one_by_one=one_by_one)
        await self._delete(rows)

    async def abort(self) -> None:
        """Disconnect."""
        await self._producer.abort()

    async def _send(self, rows: Sequence[OutboxRow], *, one_by_one: bool) -> None:
        await send_rows(self._producer, rows, self._physical_topic, one_by_one=one_by_one)

    async def _delete(self, rows: Sequence[OutboxRow]) -> None:
        await delete(self._connection, rows)


class ExactlyOnce:
    """A shard's rows and their marker in one Kafka transaction, whose producer Kafka fences.

    Only the last marker matters, because rows are deleted, durably, before the next transaction
    can commit. A relay that was stopped and woken holds an older epoch of the same transactional
    id, and cannot commit (trap 7); the lease only decides who tries. What it wrote in a
    transaction left open holds back readers of those partitions until its successor starts, or
    the transaction times out (trap 6), and is seen by readers of uncommitted records (trap 8).
    The producer is aiokafka's own, as FastStream's cannot publish in a transaction (trap 10).
    """

    def __init__(
        self,
        producer: Producer,
        connection: Connection,
        physical_topic: Callable[[str], str],
        *,
        markers: Markers,
        shard: int,
    ) -> None:
        self._producer = producer
        self._connection = connection
        self._physical_topic = physical_topic
        self._markers = markers
        self._shard = shard
        self._partition = 0

    async def start(self) -> None:
        """Take the shard over, in this order: the start decides what the marker is.

        The producer's start fences the one before and ends its open transaction. A broker that is
        starting refuses it with an error that is waited out (trap 9).
        """
        await self._connection.fetchval(SQL["commit_durably"])
        await self._producer.start()
        published = await self._recall()
        if published:
            await self._forget(published)

    async def publish(self, rows: Sequence[OutboxRow], *, one_by_one: bool = False) -> None:
        """Send the rows and their marker, commit, then delete: before the next commit, durably."""
        await self._producer.begin_transaction()
        await self._send(rows, one_by_one=one_by_one)
        await self._mark(rows)
        await self._commit()
        await self._delete(rows)

    async def abort(self) -> None:
        """Disconnect; an open transaction is ended by the next who starts."""
        await self._producer.abort()

    async def _recall(self) -> Published | None:
        """What the one before us published last."""
        try:
            partitions = await self._producer.partitions_for(self._markers.topic)
        except UnknownTopicOrPartitionError:
            raise MarkerTopicMissing(
                f"topic {self._markers.topic} is missing, which ORDERFLOW_PUBLICATION=exactly_once "
                "needs: run `orderflow topics create`"
            ) from None
        self._partition = self._shard % len(partitions)
        return await self._markers.last(self._shard, self._partition)

    async def _forget(self, published: Published) -> None:
        await self._connection.execute(
            SQL["delete_marked"], self._shard, published.ids, published.created_at
        )

    async def _send(self, rows: Sequence[OutboxRow], *, one_by_one: bool) -> None:
        await send_rows(self._producer, rows, self._physical_topic, one_by_one=one_by_one)

    async def _mark(self, rows: Sequence[OutboxRow]) -> None:
        """After the records are acknowledged: sent beside them it costs retries (trap 5)."""
        marked = await self._producer.send(
            self._markers.topic,
            Published.of(rows).pack(),
            self._markers.key(self._shard),
            partition=self._partition,
        )
        await marked

    async def _commit(self) -> None:
        await self._producer.commit_transaction()

    async def _delete(self, rows: Sequence[OutboxRow]) -> None:
        await delete(self._connection, rows)
