"""How outbox rows are published: at least once, or exactly once for readers of committed records.

A delivery lives as long as its producer. Both are discarded after any failure: a producer cannot
be used again after it was fenced or after a record of its transaction was rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from aiokafka.errors import UnknownTopicOrPartitionError
from asyncpg import Connection

from services.runtime.outbox.markers import Markers, PublishedRows
from services.runtime.outbox.record_sender import Producer, send_rows
from services.runtime.outbox.rows import OutboxRow
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "outbox.sql")


class MarkerTopicMissing(Exception):
    """Exactly-once publication needs the marker topic; the text has the command that makes it."""


class Delivery(Protocol):
    """Publishes rows with one producer, from `start` to `abort`."""

    async def start(self) -> None:
        """Connect, and delete rows that are known to be published already."""

    async def publish(self, rows: Sequence[OutboxRow], *, one_by_one: bool = False) -> None:
        """Publish the rows, then delete them from the outbox."""

    async def abort(self) -> None:
        """Disconnect; pending records are not sent."""


async def delete(connection: Connection, rows: Sequence[OutboxRow]) -> None:
    """Delete rows whose records Kafka has acknowledged."""
    await connection.execute(
        SQL["delete_published"],
        [row.shard for row in rows],
        [row.id for row in rows],
        [row.segment for row in rows],
    )


class AtLeastOnce:
    """Sends records, waits for every acknowledgement, then deletes the rows.

    Records are published again if the process dies before the deletion, or if Postgres crashes soon
    after it: the deletion does not wait for the disk (`synchronous_commit` off).
    """

    def __init__(
        self, producer: Producer, connection: Connection, physical_topic: Callable[[str], str]
    ) -> None:
        self._producer = producer
        self._connection = connection
        self._physical_topic = physical_topic

    async def start(self) -> None:
        """Connect; deletions of this session do not wait for the disk."""
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
    """Publishes the rows of one shard and their marker in one Kafka transaction.

    The last marker names all rows that can be published and not yet deleted, because rows are
    deleted durably before the next transaction commits. A relay that was stopped and continues has
    an older epoch of the shard's transactional id: Kafka fences it, so it cannot commit. The lease
    only decides which relay tries.

    A transaction left open blocks readers of committed records in its partitions until the next
    relay starts a producer with the same id, or until the transaction times out. Readers of
    uncommitted records see aborted records. The producer is aiokafka's: the one of FastStream
    cannot publish in a transaction.
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
        """Connect, then delete the rows that the last marker names.

        The marker is read after the producer has started: starting it fences the relay before and
        ends its open transaction. While a broker starts, it refuses this with an error; the caller
        retries.
        """
        await self._connection.fetchval(SQL["commit_durably"])
        await self._producer.start()
        published = await self._read_marker()
        if published:
            await self._delete_marked(published)

    async def publish(self, rows: Sequence[OutboxRow], *, one_by_one: bool = False) -> None:
        """Send the rows and their marker, commit, then delete the rows durably."""
        await self._producer.begin_transaction()
        await self._send(rows, one_by_one=one_by_one)
        await self._mark(rows)
        await self._commit()
        await self._delete(rows)

    async def abort(self) -> None:
        """Disconnect; the next producer with this transactional id ends an open transaction."""
        await self._producer.abort()

    async def _read_marker(self) -> PublishedRows | None:
        """Read which rows the last committed transaction of the shard published."""
        try:
            partitions = await self._producer.partitions_for(self._markers.topic)
        except UnknownTopicOrPartitionError:
            raise MarkerTopicMissing(
                f"topic {self._markers.topic} is missing, which ORDERFLOW_PUBLICATION=exactly_once "
                "needs: run `orderflow topics create`"
            ) from None
        self._partition = self._shard % len(partitions)
        return await self._markers.last(self._shard, self._partition)

    async def _delete_marked(self, published: PublishedRows) -> None:
        await self._connection.execute(
            SQL["delete_marked"], self._shard, published.ids, published.created_at
        )

    async def _send(self, rows: Sequence[OutboxRow], *, one_by_one: bool) -> None:
        await send_rows(self._producer, rows, self._physical_topic, one_by_one=one_by_one)

    async def _mark(self, rows: Sequence[OutboxRow]) -> None:
        """Send the marker after the records are acknowledged; sent with them it causes retries."""
        marked = await self._producer.send(
            self._markers.topic,
            PublishedRows.of(rows).pack(),
            self._markers.key(self._shard),
            partition=self._partition,
        )
        await marked

    async def _commit(self) -> None:
        await self._producer.commit_transaction()

    async def _delete(self, rows: Sequence[OutboxRow]) -> None:
        await delete(self._connection, rows)
