"""What the tests of feeds share: events with all their headers, and the records of a topic."""

import asyncio
import json
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.envelope import CloudEvent, write_headers
from schemas.topics import (
    CLAIMS_EVENTS,
    EVENT_TOPICS,
    ORDERS_EVENTS,
    SHIPMENTS_EVENTS,
    feed_topic,
)
from services.runtime.kafka import topics
from tests.integration.deliveries.conftest import DEADLINE_SECONDS, SHOP, until_row

TYPES = {
    ORDERS_EVENTS: "order.updated",
    SHIPMENTS_EVENTS: "shipment.scanned",
    CLAIMS_EVENTS: "claim.updated",
}
CIRCUIT_OPEN = "SELECT FROM deliveries.destination_health WHERE open_until IS NOT NULL"
FAILED = "SELECT error FROM deliveries.attempt WHERE verdict = 'retry'"


def a_feed(name="warehouse", shop=SHOP, **changes):
    """The body of `destination.upsert` for a feed."""
    return {"shop_slug": shop, "destination_id": name, "kind": "feed", **changes}


def headers_of(event, topic):
    """The headers that an event has on its shared topic."""
    return write_headers(
        CloudEvent(
            type=TYPES[topic],
            source="orderflow/orders",
            id=event["event_id"],
            time=event["triggered_at"],
            subject=event["order_id"],
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            causation_id=f"cause of {event['event_id']}",
            sequence=event["sequence"],
            order_version=event["order_version"],
        )
    )


@asynccontextmanager
async def publishing(settings):
    """Publishes events with their headers on an event topic, in the order given."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()

    async def all_of(topic, *events):
        for event in events:
            # Spaces and characters that an encoder of JSON may write otherwise.
            value = json.dumps(event, indent=1, ensure_ascii=False).encode()
            key = event["order_id"].encode()
            headers = headers_of(event, topic)
            await producer.send(settings.topic(topic), value, key, headers=headers)
        await producer.flush()

    try:
        yield all_of
    finally:
        await producer.stop()


async def make_feed(settings, shop=SHOP):
    """Make the topic of a shop's feed."""
    await topics.create(settings, [feed_topic(shop)])


async def records_of(settings, *names, count, **options):
    """The records of topics of the contract, each partition in its order, once there are so many.

    `options` are those of the consumer.
    """
    consumer = AIOKafkaConsumer(
        **{"bootstrap_servers": settings.kafka_bootstrap_servers, **options},
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        places = [
            TopicPartition(settings.topic(name), number) for name in names for number in range(6)
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        found = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += records
        return found
    finally:
        await consumer.stop()


async def fed(settings, count, shop=SHOP, **options):
    """The records of a shop's feed, once there are so many."""
    return await records_of(settings, feed_topic(shop).name, count=count, **options)


async def shared(settings, count):
    """The records of the event topics, once there are so many."""
    return await records_of(settings, *EVENT_TOPICS, count=count)


def whole(record):
    """A record without its place and time."""
    return record.key, record.value, record.headers


async def until_sent(settings):
    """Wait until no delivery is left."""
    await until_row(
        settings,
        "SELECT WHERE NOT EXISTS (SELECT FROM deliveries.delivery)"
        " AND NOT EXISTS (SELECT FROM deliveries.backlog)",
    )
