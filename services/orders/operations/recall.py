"""Recall: what was published of orders after the time their database was restored to.

Read from the topics of events and stored with each order, so that no sequence number is given out
twice and no fact is published again while the commands are decided once more
(docs/decisions/0071).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.topics import ORDERS_EVENTS, SHIPMENTS_EVENTS
from services.orders.domain.model.ids import Uuid, digest_of
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options
from services.runtime.kafka.topics import TopicError
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "recall.sql")
ORDERS_A_STATEMENT = 1_000
POLL_MS = 500


@dataclass(slots=True)
class PublishedSince:
    """What the topics hold of one order beyond its stored version."""

    shop: str
    order_number: str = ""
    version: int = 0
    sequences: dict[str, int] = field(default_factory=dict)
    events: set[int] = field(default_factory=set)

    def add(self, topic: str, event: dict[str, object]) -> None:
        """Add an event; order and repetition do not matter."""
        order = event["context"].get("order") or {}  # type: ignore[attr-defined]
        self.order_number = order.get("order_number") or self.order_number
        self.version = max(self.version, int(str(event["order_version"])))
        number = int(str(event["sequence"]))
        self.sequences[topic] = max(number, self.sequences.get(topic, 0))
        self.events.add(digest_of(str(event["event_id"])))

    def as_json(self) -> str:
        """JSON of a stored `domain.model.published.Published`."""
        return orjson.dumps(
            {
                "order_sequence": self.sequences.get(ORDERS_EVENTS, 0),
                "shipment_sequence": self.sequences.get(SHIPMENTS_EVENTS, 0),
                "version": self.version,
                "events": sorted(self.events),
            }
        ).decode()


async def recall(
    settings: Settings, connection: Connection, since: datetime | None
) -> dict[Uuid, PublishedSince]:
    """Read the topics of events to their ends; returns the orders that were published beyond.

    The result is stored in the caller's transaction.
    """
    found: dict[Uuid, PublishedSince] = {}
    async for records in _read(settings, since):
        events = [(record.topic, json.loads(record.value)) for record in records if record.value]
        stored = await _versions(connection, {event["order_id"] for _, event in events})
        for topic, event in events:
            order_id = event["order_id"]
            if event["order_version"] > stored.get(order_id, 0):
                known = found.setdefault(order_id, PublishedSince(event["shop_slug"]))
                known.add(topic.removeprefix(settings.kafka_topic_prefix), event)
    await _save(connection, found)
    return found


async def _versions(connection: Connection, order_ids: set[Uuid]) -> dict[Uuid, int]:
    rows = await connection.fetch(SQL["read_versions"], list(order_ids))
    return {str(row["order_id"]): row["version"] for row in rows}


async def _save(connection: Connection, found: dict[Uuid, PublishedSince]) -> None:
    rows = [(id_, each.shop, each.order_number, each.as_json()) for id_, each in found.items()]
    for start in range(0, len(rows), ORDERS_A_STATEMENT):
        columns = zip(*rows[start : start + ORDERS_A_STATEMENT], strict=True)
        await connection.execute(SQL["save_published"], *map(list, columns))


async def _read(
    settings: Settings, since: datetime | None
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Committed records of both topics, from a time on or from the beginning, to their ends."""
    topics = [settings.topic(ORDERS_EVENTS), settings.topic(SHIPMENTS_EVENTS)]
    consumer = AIOKafkaConsumer(
        *topics,
        **client_options(settings),
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    await consumer.start()  # Without a group it has all partitions from now on.
    try:
        partitions = [at for topic in topics for at in _partitions(consumer, topic)]
        ends = await consumer.end_offsets(partitions)
        for partition, offset in (await _begins(consumer, partitions, since, ends)).items():
            consumer.seek(partition, offset)
        while any([await consumer.position(at) < end for at, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                yield records
    finally:
        await consumer.stop()


def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise TopicError(f"Kafka has no topic {topic}: run `orderflow topics create`")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def _begins(
    consumer: AIOKafkaConsumer,
    partitions: Sequence[TopicPartition],
    since: datetime | None,
    ends: dict[TopicPartition, int],
) -> dict[TopicPartition, int]:
    if since is None:
        begins: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        return begins
    asked = dict.fromkeys(partitions, int(since.timestamp() * 1000))
    found = await consumer.offsets_for_times(asked)
    return {at: found[at].offset if found.get(at) else ends[at] for at in partitions}
