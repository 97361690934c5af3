"""A service that repeats what it reads, on the real stack, in this process."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.messages.headers import headers_by_name
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.service import Service

DEADLINE_SECONDS = 40
READ, WRITTEN = "orders.commands", "orders.outcomes"
NO_HEADERS = headers_by_name(())


@pytest.fixture
async def settings(database_url, kafka_bootstrap_servers, topic_prefix) -> Settings:
    """Settings of a fresh database and fresh topics."""
    made = Settings(
        database_url=database_url,
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        relay_poll_seconds=0.05,
        metrics_interval_seconds=0.1,
        http_port=0,
    )
    await topics.create(made)
    return made


class Echo:
    """Publishes each record's value once; `break_on` raises what a bug or a fault would."""

    def __init__(self, settings: Settings) -> None:
        self.outbox = Outbox(settings.outbox_shards)
        self.break_on: Callable[[bytes], None] = lambda _: None
        self.batches: list[list[bytes]] = []

    async def apply(self, connection, batch):
        values = [record.value for record in batch.records]
        for value in values:
            self.break_on(value)
        self.batches.append(values)
        await self.outbox.append(
            connection,
            [
                Outgoing(WRITTEN, record.key, record.value, NO_HEADERS, record.key.decode())
                for record in batch.records
            ],
            step=batch.step,
        )


@pytest.fixture
async def echo(settings) -> Echo:
    """What the services of the test apply."""
    return Echo(settings)


@pytest.fixture
async def start(start_with, echo) -> Callable:
    """Starts replicas that repeat what they read."""
    return lambda: start_with(echo.apply)


@pytest.fixture
async def start_with(settings) -> AsyncIterator[Callable]:
    """Starts replicas around an `apply`; all are stopped after the test."""
    running: list[Service] = []

    async def start_one(apply) -> Service:
        service = Service(
            name="orders", settings=settings, topics=[READ], apply=apply, metrics=Metrics()
        )
        running.append(service)
        await service.start()
        return service

    yield start_one
    for service in running:
        await service.stop()


@pytest.fixture
async def publish(settings) -> AsyncIterator[Callable]:
    """Publishes values on the read topic, by key or to a partition."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()

    async def send(values, *, partition=None):
        for value in values:
            key = str(json.loads(value)["key"]).encode()
            await producer.send(settings.topic(READ), value, key, partition=partition)
        await producer.flush()

    yield send
    await producer.stop()


@pytest.fixture
async def read_all(settings) -> AsyncIterator[Callable]:
    """Reads the written topic from outside until there are `count` values, by partition order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    consumer.assign([TopicPartition(settings.topic(WRITTEN), number) for number in range(6)])
    found: list[bytes] = []

    async def read(count):
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found.extend(record.value for record in records)
        return found

    yield read
    await consumer.stop()


async def until(condition, what):
    """Wait for a condition, at most to the deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)
    return what


def values(count, keys=7):
    """Numbered values of a few keys."""
    return [json.dumps({"key": n % keys, "n": n}).encode() for n in range(count)]
