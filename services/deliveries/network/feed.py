"""Writes records to the topics of feeds; one producer of this process serves all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import errors
from aiokafka.structs import RecordMetadata

from services.deliveries.domain.schedule import Answer
from services.deliveries.names import SERVICE
from services.deliveries.network.client import Response
from services.runtime.kafka.compat.abortable_producer import RelayProducer
from services.runtime.kafka.compat.topic_creation import check_topic
from services.runtime.kafka.partitioning import partition_of

WRITE_SECONDS = 15.0
"""How long one record may take, with connecting; then its attempt has failed."""
_OF_ONE_RECORD = (
    errors.MessageSizeTooLargeError,
    errors.RecordTooLargeError,
    errors.RecordListTooLargeError,
)
"""Errors that say nothing about other records of the topic."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """One record of a feed; `shop` is the one whose feed it is."""

    shop: str
    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class FeedClient:
    """Connects with the first record. Use it in one running loop, and close it there.

    A topic is asked for before its first record, and again after a failure: aiokafka asks for a
    missing one without end, and for all records of a topic apart from each other.
    """

    def __init__(self, open_producer: Callable[[], RelayProducer]) -> None:
        self._open_producer = open_producer
        self._producer: RelayProducer | None = None
        self._opening: asyncio.Task[RelayProducer] | None = None
        self._checks: dict[str, asyncio.Task[None]] = {}
        """By topic: one request, for which all records of the topic wait."""
        self._present: set[str] = set()

    async def write(self, record: FeedRecord) -> Response:
        """Write a record and wait for all in-sync replicas; every failure is an Answer."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                placed = await self._write(record)
            answer = Answer(None, is_written=True)
            text = f"partition {placed.partition}, offset {placed.offset}"
        except _OF_ONE_RECORD as error:
            answer, text = Answer(None, _described(error, record), is_receivers=False), ""
        except (errors.KafkaError, TimeoutError, OSError) as error:
            self._present.discard(record.topic)
            answer, text = Answer(None, _described(error, record)), ""
        return Response(answer, time.monotonic() - started, text)

    async def close(self) -> None:
        """Disconnect; records under way may still be written."""
        for task in (*self._checks.values(), *filter(None, (self._opening,))):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._producer:
            await self._producer.abort()

    async def _write(self, record: FeedRecord) -> RecordMetadata:
        producer = await self._connected()
        await self._check(producer, record.topic)
        partitions = await producer.partitions_for(record.topic)
        sent = await producer.send(
            record.topic,
            record.value,
            record.key,
            partition=partition_of(record.key, len(partitions)),
            headers=list(record.headers),
        )
        sent.add_done_callback(_retrieve)
        return await sent

    async def _connected(self) -> RelayProducer:
        """The producer; records that come while it connects wait for the same connection."""
        if self._producer and not self._producer.has_ended:
            return self._producer
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> RelayProducer:
        if self._producer:
            log.warning("feed_producer_ended", service=SERVICE)
            await self._producer.abort()
            self._producer = None
        producer = self._open_producer()
        try:
            await producer.start()
        except BaseException:
            await producer.abort()
            raise
        self._present.clear()
        self._producer = producer
        return producer

    async def _check(self, producer: RelayProducer, topic: str) -> None:
        if topic in self._present:
            return
        check = self._checks.get(topic)
        if check is None:
            check = asyncio.create_task(check_topic(producer.client, topic))
            check.add_done_callback(lambda _: self._checks.pop(topic, None))
            self._checks[topic] = check
        await asyncio.shield(check)
        self._present.add(topic)


def _retrieve(sent: asyncio.Future[RecordMetadata]) -> None:
    """Look at the error of a record that is not waited for any more, or asyncio would log it."""
    if not sent.cancelled():
        sent.exception()


def _described(error: BaseException, record: FeedRecord) -> str:
    """Why a record was not written, with the way out."""
    match error:
        case errors.UnknownTopicOrPartitionError():
            return (
                f"Kafka has no topic {record.topic}: "
                f"`orderflow destinations feed {record.shop}` makes it"
            )
        case errors.TopicAuthorizationFailedError():
            return (
                f"Kafka's rules (ACLs) do not let the deliveries service write to {record.topic}: "
                "allow it Write on topics that begin with `shop.`"
            )
        case _ if isinstance(error, _OF_ONE_RECORD):
            return (
                f"{record.topic} takes no record of {len(record.value)} bytes: set its "
                "max.message.bytes as `orderflow topics list` has it for orders.events"
            )
        case TimeoutError():
            return f"Kafka did not acknowledge within {WRITE_SECONDS:.0f} s"
        case _:
            return f"Kafka did not take the record: {type(error).__name__}"
