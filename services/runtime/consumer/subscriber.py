"""The FastStream batch subscriber of a service."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.message import AckStatus

from services.runtime.config.settings import Settings
from services.runtime.consumer.consumer import BatchConsumer
from services.runtime.consumer.poll import FreshPolls
from services.runtime.kafka.clients import IDLE_FETCH_WAIT_MS, broker_options
from services.runtime.kafka.compat import header_names
from services.runtime.partitions.assignment import Assignment

# What one fetch may bring into memory, over all partitions and per partition. A partition's bound
# must hold the largest message: Kafka exceeds it only for the first partition of a fetch.
FETCH_MAX_BYTES = 4 * 1024 * 1024
PARTITION_FETCH_MAX_BYTES = 1024 * 1024
# The share of the drain timeout that the current batch may take; the rest is for publishing.
GRACEFUL_SHARE = 0.7


def subscribe(
    settings: Settings, service: str, topics: Sequence[str], consumer: BatchConsumer
) -> tuple[KafkaBroker, Any]:
    """A FastStream broker with one batch subscriber over `topics` (catalogue names), whose records
    go to `consumer`.

    Raw records, negative acknowledgement on error, no auto-commit: FastStream's defaults lose
    messages (acknowledgement comes first, and its parser drops batches with odd headers).
    """
    header_names.install()
    broker = KafkaBroker(
        settings.kafka_bootstrap_servers.split(","),
        apply_types=False,
        logger=logging.getLogger("faststream"),
        log_level=logging.DEBUG,
        allow_auto_create_topics=False,
        graceful_timeout=settings.drain_timeout_seconds * GRACEFUL_SHARE,
        client_id=f"orderflow-{service}",
        **broker_options(settings),
        request_timeout_ms=settings.kafka_request_timeout_ms,
    )
    subscriber = broker.subscriber(
        *(settings.topic(topic) for topic in topics),
        group_id=settings.consumer_group(service),
        batch=True,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        isolation_level="read_committed",
        group_instance_id=settings.kafka_group_instance_id,
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=settings.kafka_heartbeat_interval_ms,
        rebalance_timeout_ms=settings.kafka_rebalance_timeout_ms,
        max_poll_interval_ms=settings.kafka_max_poll_interval_ms,
        fetch_max_bytes=FETCH_MAX_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_MAX_BYTES,
        fetch_max_wait_ms=IDLE_FETCH_WAIT_MS,
        listener=consumer.assignment,
        parser=_raw_parser(lambda: subscriber.consumer, consumer.assignment),
        decoder=_raw_records,
        no_reply=True,
    )
    consumer.assignment.bind(lambda: subscriber.consumer)

    # FastStream builds a validator from the annotation; records need none.
    async def handle(records: Any) -> None:
        await consumer.handle(records)

    subscriber(handle)
    _take_over_polls(subscriber, consumer, settings)
    return broker, subscriber


def _take_over_polls(subscriber: Any, consumer: BatchConsumer, settings: Settings) -> None:
    """Poll by `FreshPolls`, watched by the consumer's `PollMonitor`.

    FastStream only logs a poll that fails. After a poll without records it sleeps as long as the
    poll took, and a record that comes then waits.
    """

    async def poll(client: Any) -> Sequence[Any]:
        polled = await client.getmany(
            timeout_ms=settings.poll_timeout_ms, max_records=settings.batch_max_records
        )
        return tuple(chain.from_iterable(polled.values()))

    stops = consumer.assignment.stops
    fresh = FreshPolls(poll, records_max=settings.batch_max_records, stopped=stops.partitions)
    consumer.poll_monitor.bind(fresh.fetch_ahead)
    timed = consumer.traces.timed(fresh.poll) if consumer.traces else fresh.poll
    subscriber.get_msg = lambda client: consumer.poll_monitor.watch(timed(client))


class _Polled(KafkaAckableMessage):
    """The records of a poll. Their offsets are committed beside the batches; those of the last
    batch of a stopping service here.
    """

    def __init__(self, records: Any, consumer: Any, assignment: Assignment) -> None:
        super().__init__(raw_message=records, body=b"", headers={}, consumer=consumer)
        self._assignment = assignment

    async def ack(self) -> None:
        """Commit the stored positions; the client's own may be past a stopped partition's."""
        self.committed = AckStatus.ACKED
        if self._assignment.is_stopping:
            await self._assignment.commit_offsets()
        await super().ack()


def _raw_parser(
    locate: Callable[[], Any], assignment: Assignment
) -> Callable[[Any], Awaitable[KafkaAckableMessage]]:
    """A parser that cannot fail: FastStream's own loses a whole batch over one bad header."""

    async def parse(records: Any) -> KafkaAckableMessage:
        return _Polled(records, locate(), assignment)

    return parse


async def _raw_records(message: Any) -> Any:
    """A decoder that returns the records as they are."""
    return message.raw_message
