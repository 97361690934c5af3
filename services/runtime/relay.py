"""The relay: committed outbox rows to Kafka, in order, deleted once acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import asyncpg
import structlog
from asyncpg import Connection

from services.runtime.leases import ShardLeases
from services.runtime.outbox import unpack_headers
from services.runtime.parts import OutboxParts
from services.runtime.queries import load
from services.runtime.retrying import backoff_seconds
from services.runtime.telemetry import Metrics

SQL = load(Path(__file__).parent / "sql" / "outbox.sql")
ROWS_A_SHARD = 64
BYTES_A_SHARD = 512 * 1024  # As Postgres stores them, compressed: several times that in memory.
BALANCE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Producer(Protocol):
    """The part of AIOKafkaProducer that the relay uses."""

    async def start(self) -> None:
        """Connect."""

    async def abort(self) -> None:
        """Disconnect; what is pending is not sent."""

    async def send(
        self, topic: str, value: bytes, key: bytes, *, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[object]:
        """Take a record to send; the future ends when it is acknowledged or has failed."""


def _records(row: asyncpg.Record) -> Iterator[tuple[str, bytes, bytes, bytes]]:
    return zip(row["topics"], row["keys"], row["headers"], row["values"], strict=True)


class Relay:
    """Publishes the shards it holds; any number of relays share one outbox.

    At least once: a row is deleted only after every record in it is acknowledged, and after any
    failure the producer is thrown away and the shard is read again from its oldest row.
    """

    def __init__(
        self,
        *,
        service: str,
        shards: int,
        poll_seconds: float,
        connect: Callable[[], Awaitable[Connection]],
        make_producer: Callable[[], Producer],
        physical_topic: Callable[[str], str],
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._shards = shards
        self._poll_seconds = poll_seconds
        self._connect = connect
        self._make_producer = make_producer
        self._physical_topic = physical_topic
        self._metrics = metrics
        self._now = now
        self._parts = OutboxParts()
        self._progressed = False
        self._woken = asyncio.Event()
        self._draining = False
        self.healthy = False

    def wake(self) -> None:
        """Called after a commit in this process: there may be something to publish."""
        self._woken.set()

    def drain(self) -> None:
        """Publish what the held shards still have, then let `run` return."""
        self._draining = True
        self._woken.set()

    async def run(self) -> None:
        """Publish until drained; lost servers are waited for, for as long as it takes."""
        attempt = 0
        while True:
            try:
                await self._session()
                return
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - unpublished rows stay, so try for ever
                self.healthy = False
                attempt = 0 if self._progressed else attempt + 1
                self._metrics.transient_retries_total.labels(self._service).inc()
                log.warning("relay_interrupted", error=repr(error), attempt=attempt)
                if self._draining:
                    return
                await asyncio.sleep(backoff_seconds(attempt))

    async def _session(self) -> None:
        self._progressed = False
        connection = await self._connect()
        try:
            producer = self._make_producer()
            try:
                await producer.start()
                leases = ShardLeases(connection, self._service, self._shards)
                await leases.join()
                await self._publish_until_drained(connection, leases, producer)
            finally:
                with contextlib.suppress(Exception):  # A broken producer may fail to close.
                    await producer.abort()
        finally:
            connection.terminate()
            self._metrics.relay_shards.labels(self._service).set(0)

    async def _publish_until_drained(
        self, connection: Connection, leases: ShardLeases, producer: Producer
    ) -> None:
        loop = asyncio.get_running_loop()
        balanced_at = -BALANCE_SECONDS
        while True:
            self._woken.clear()
            if loop.time() - balanced_at >= BALANCE_SECONDS:
                await leases.balance()
                self._metrics.relay_shards.labels(self._service).set(len(leases.held))
                balanced_at = loop.time()
            if 0 in leases.held:  # One relay of a service is enough.
                await self._parts.tidy(connection)
            published = await self._publish_once(connection, leases, producer)
            self.healthy = True
            self._progressed = True
            if published:
                continue
            if self._draining:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._poll_seconds)

    async def _publish_once(
        self, connection: Connection, leases: ShardLeases, producer: Producer
    ) -> bool:
        rows = await connection.fetch(
            SQL["read_outbox"], sorted(leases.held), ROWS_A_SHARD, BYTES_A_SHARD
        )
        if not rows:
            return False
        await self._send(producer, rows)
        done = [[row[column] for row in rows] for column in ("shard", "id", "slot")]
        await connection.execute(SQL["delete_published"], *done)
        self._measure(rows)
        return True

    async def _send(self, producer: Producer, rows: Sequence[asyncpg.Record]) -> None:
        """Send every record and await its acknowledgement; the first failure ends the round.

        At once, so that nothing is sent behind a record that failed: when its batch expired and
        the next one did not, that one would be read first.
        """
        pending: list[asyncio.Future[object]] = []
        failed: list[BaseException] = []

        def note(sent: asyncio.Future[object]) -> None:
            if sent.cancelled():
                failed.append(ConnectionError("a record was dropped before it was sent"))
            elif error := sent.exception():
                failed.append(error)

        for row in rows:
            for topic, key, headers, value in _records(row):
                sent = await producer.send(
                    self._physical_topic(topic), value, key, headers=unpack_headers(headers)
                )
                sent.add_done_callback(note)
                pending.append(sent)
                if failed:
                    raise failed[0]
        await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        if failed:
            raise failed[0]

    def _measure(self, rows: Sequence[asyncpg.Record]) -> None:
        now = self._now()
        latency = self._metrics.event_latency_seconds.labels(self._service)
        for row in rows:
            if row["caused_at"]:
                latency.observe((now - row["caused_at"]).total_seconds())
            for topic, count in Counter(row["topics"]).items():
                self._metrics.relay_published_total.labels(self._service, topic).inc(count)
