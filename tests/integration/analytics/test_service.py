"""The analytics service on Kafka and Postgres: two replicas on six partitions."""

import asyncio
import random

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.analytics.app import build
from services.runtime.kafka import topics
from tests.integration.analytics.lives import (
    expected_rows,
    history,
    stored,
    without_complete_version,
)

DEADLINE_SECONDS = 40
ORDERS = 60
MALFORMED_EACH = 3
MALFORMED = b'{"source": "orders"'


@pytest.fixture
async def start(settings):
    """Starts replicas; those still running are stopped after the test."""
    await topics.create(settings)
    running = []

    async def start_one():
        service = build(settings)
        running.append(service)
        await service.start()
        return service

    yield start_one
    for service in running:
        await service.stop()


async def send(settings, events):
    """Publish events on the topics of their sources, keyed by their orders."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await producer.start()
    try:
        sent = [
            await producer.send(
                settings.topic(f"{event['source']}.events"),
                orjson.dumps(event),
                key=event["order_id"].encode(),
            )
            for event in events
        ]
        malformed = [
            await producer.send(settings.topic("orders.events"), MALFORMED, key=b"%d" % n)
            for n in range(MALFORMED_EACH)
        ]
        await asyncio.gather(*sent, *malformed)
    finally:
        await producer.stop()


async def until_read(connection, records):
    """Wait until the stored positions cover as many records as were sent."""
    read = None
    async with asyncio.timeout(DEADLINE_SECONDS):
        while read != records:
            await asyncio.sleep(0.05)
            read = await connection.fetchval("SELECT sum(next_offset)::int FROM position")


async def rejected(settings, count):
    """The records on analytics.rejected, by the coordinates of the refused records."""
    consumer = AIOKafkaConsumer(
        settings.topic("analytics.rejected"),
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    )
    found = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        await consumer.start()
        try:
            while len(found) < count:
                found.append(orjson.loads((await consumer.getone()).value))
        finally:
            await consumer.stop()
    return {(record["topic"], record["partition"], record["offset"]): record for record in found}


async def test_replicas_agree_on_facts_of_repeated_late_and_malformed_events(
    settings, connection, start
):
    lives = [event for n in range(ORDERS) for event in history(str(1000 + n))]
    dice = random.Random(4)
    repeats = dice.sample(lives, len(lives) // 3)
    first, _ = await asyncio.gather(start(), start())

    await send(settings, lives)
    await first.stop()
    await send(settings, dice.sample(repeats, len(repeats)))
    await start()
    await send(settings, dice.sample(lives, len(lives)))
    await until_read(connection, 2 * len(lives) + len(repeats) + 3 * MALFORMED_EACH)

    assert without_complete_version(await stored(connection)) == expected_rows(lives)
    found = await rejected(settings, 3 * MALFORMED_EACH)
    assert {record["reason"] for record in found.values()} == {"not_json"}
    assert all(record["original"]["value"] == MALFORMED.decode() for record in found.values())
