"""Publisher: puts records on Kafka, and answers when all in-sync replicas have them, or soon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError
from aiokafka.structs import RecordMetadata

from schemas.topics import CARRIER_TRACKING, CLAIMS_COMMANDS, ORDERS_COMMANDS, PORTAL_ACTIVITY
from services.gateway.messages.records import Record
from services.gateway.names import SERVICE
from services.gateway.refusal import Refused, unavailable
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import make_producer
from services.runtime.kafka.compat.abortable_producer import RelayProducer
from services.runtime.kafka.diagnosis import why_unusable
from services.runtime.kafka.topics import require
from services.runtime.observability.health import CheckResult
from services.runtime.observability.metrics import Metrics
from services.runtime.retry import backoff_seconds

TOPICS = (ORDERS_COMMANDS, CLAIMS_COMMANDS, CARRIER_TRACKING, PORTAL_ACTIVITY)
PING_SECONDS = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """Where a record is; `offset` is None where Kafka has the record and does not say where."""

    record: Record
    partition: int
    offset: int | None


class Publisher:
    """One producer, as long as Kafka takes what it sends.

    Nothing is kept for later. When Kafka does not acknowledge in time, the producer is closed with
    all that it holds, every request that waits gets 503, and so does each later one until a new
    producer has reached Kafka. A record whose request got 503 may be on Kafka all the same: its
    sender sends it again with the same id.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._producer: RelayProducer | None = None
        self._closing: asyncio.Task[None] | None = None
        self._is_lost = asyncio.Event()
        self._is_lost.set()
        self._requests = 0
        self.trouble = "not connected yet"

    async def run(self) -> None:
        """Connect, and connect again whenever the producer was closed, until cancelled."""
        attempt = 0
        while True:
            await self._is_lost.wait()
            try:
                await self._connect()
                attempt = 0
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                self.trouble = await self._why(error)
                log.warning("waiting_for_server", service=SERVICE, error=self.trouble)
                await asyncio.sleep(backoff_seconds(attempt))
                attempt += 1

    async def publish(self, records: Sequence[Record]) -> list[Published]:
        """Put records on Kafka; returns once all in-sync replicas have all of them.

        Raises:
            Refused: 413, Kafka takes no record so large; 503, Kafka does not acknowledge in time or
                too many requests wait for it.
        """
        producer = self._producer
        if producer is None:
            raise unavailable("kafka_unavailable", "Kafka does not answer; send this again")
        with self._place():
            sends = asyncio.ensure_future(self._send(producer, records))
            try:
                async with asyncio.timeout(self._settings.gateway_publish_seconds):
                    placed = await sends
            except (RecordTooLargeError, MessageSizeTooLargeError):
                raise Refused(
                    413, "too_large", "Kafka takes no record so large: send less at once"
                ) from None
            except (TimeoutError, KafkaError) as error:
                self._lose(producer, str(error) or "Kafka has not acknowledged in time")
                raise unavailable(
                    "kafka_unavailable", "Kafka has not acknowledged; send this again"
                ) from None
        for record in records:
            self._metrics.http_records_total.labels(SERVICE, record.topic).inc()
        return [
            Published(record, at.partition, at.offset if at.offset >= 0 else None)
            for record, at in zip(records, placed, strict=True)
        ]

    async def _send(
        self, producer: RelayProducer, records: Sequence[Record]
    ) -> list[RecordMetadata]:
        futures = [
            await producer.send(
                self._settings.topic(record.topic),
                record.value,
                key=record.key,
                headers=list(record.headers),
            )
            for record in records
        ]
        for future in futures:
            future.add_done_callback(_retrieve)
        await asyncio.wait(futures)
        failed = [error for future in futures if (error := future.exception())]
        if failed:
            raise failed[0]
        return [future.result() for future in futures]

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """A place among the requests that wait for Kafka."""
        if self._requests >= self._settings.gateway_max_in_flight:
            raise unavailable("too_many_in_flight", "too many requests wait for Kafka", 1)
        self._requests += 1
        gauge = self._metrics.http_requests_in_flight.labels(SERVICE)
        gauge.set(self._requests)
        try:
            yield
        finally:
            self._requests -= 1
            gauge.set(self._requests)

    def _lose(self, producer: RelayProducer, trouble: str) -> None:
        """Close the producer and all that it holds; the requests that wait for it get errors."""
        if self._producer is not producer:
            return
        self._producer, self.trouble = None, trouble
        self._closing = asyncio.create_task(producer.abort(), name="gateway.close_producer")
        log.warning("kafka_lost", service=SERVICE, error=trouble)
        self._is_lost.set()

    async def _connect(self) -> None:
        if self._closing:
            await asyncio.wait([self._closing])
        await require(self._settings, TOPICS)
        producer = make_producer(self._settings)
        try:
            await producer.start()
        except BaseException:
            await producer.abort()
            raise
        self._producer, self.trouble = producer, ""
        self._is_lost.clear()
        log.info("kafka_connected", service=SERVICE)

    async def _why(self, error: Exception) -> str:
        if isinstance(error, KafkaError):
            return await why_unusable(self._settings, error)
        return str(error) or type(error).__name__

    async def check(self) -> CheckResult:
        """Whether Kafka answers: without requests nothing else would notice its absence."""
        producer = self._producer
        if producer is None:
            return False, self.trouble
        async with asyncio.timeout(PING_SECONDS):
            await producer.client.fetch_all_metadata()
        return True, "answers"

    async def close(self) -> None:
        """Close the producer; no request waits for it any more."""
        producer, self._producer = self._producer, None
        if producer:
            await producer.abort()
        if self._closing:
            await asyncio.wait([self._closing])


def _retrieve(future: asyncio.Future[RecordMetadata]) -> None:
    """Retrieve the error of a record whose request has ended, or asyncio would log it."""
    if not future.cancelled():
        future.exception()
