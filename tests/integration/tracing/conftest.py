"""Services with traces on the real stack, in this process, and a collector of their spans."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pydantic import SecretStr

from schemas.envelope import CloudEvent, write_headers
from schemas.topics import ORDERS_COMMANDS, rejected_topic
from services import registry
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.serve import Serving
from tests.collector import Collector, collecting

DEADLINE_SECONDS = 40
SHOP = "demo-shop"
TRACE_ID, SENDER_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
REJECTED = rejected_topic(ORDERS_COMMANDS, "orders")
SENDER = f"00-{TRACE_ID}-{SENDER_ID}-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as opened:
        yield opened


@pytest.fixture
async def settings(collector, database_url, kafka_bootstrap_servers, topic_prefix) -> Settings:
    """Settings of a fresh database and fresh topics, with traces of what senders trace alone."""
    made = Settings(
        database_url=database_url,
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=3,
        http_port=0,
        gateway_port=0,
        metrics_interval_seconds=0.1,
        sweep_interval_seconds=0.1,
        parking_first_delay_seconds=0.1,
        parking_interval_seconds=0.1,
        deliveries_key=SecretStr(base64.b64encode(bytes(range(32))).decode()),
        deliveries_allow_http=True,
        deliveries_ports=",".join(map(str, range(1024, 65536))),
        deliveries_networks="127.0.0.0/8",
        otel_exporter_otlp_endpoint=collector.endpoint,
        otel_traces_sampler_arg=0.0,
    )
    await topics.create(made)
    return made


Start = Callable[..., Awaitable[list[Serving]]]


@pytest.fixture
async def start(settings) -> AsyncIterator[Start]:
    """Starts services by name, with changed settings; all are stopped after the test."""
    async with AsyncExitStack() as stack:

        async def start_all(*names: str, **changes: object) -> list[Serving]:
            used = settings.model_copy(update=changes)
            services = [registry.load(registry.entry_of(name).build)(used) for name in names]
            for service in services:
                stack.push_async_callback(service.stop)
                await service.start()
            return services

        yield start_all


Send = Callable[..., Awaitable[None]]


@pytest.fixture
async def send(settings) -> AsyncIterator[Send]:
    """Sends a message by its type, with a `traceparent` or without."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()

    async def send_one(topic, type_, body, *, key, id_, traceparent=SENDER):
        event = CloudEvent(type=type_, source="/shop", id=id_, traceparent=traceparent)
        await producer.send_and_wait(
            settings.topic(topic),
            json.dumps(body).encode(),
            key.encode(),
            headers=write_headers(event),
        )

    yield send_one
    await producer.stop()


@pytest.fixture
def read(settings) -> Callable:
    """Reads a topic until it has so many records; returns (headers, body) of each."""

    async def read_topic(topic, count=1):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            name = settings.topic(topic)
            consumer.assign(
                [TopicPartition(name, n) for n in consumer.partitions_for_topic(name) or range(3)]
            )
            found = []
            async with asyncio.timeout(DEADLINE_SECONDS):
                while len(found) < count:
                    for records in (await consumer.getmany(timeout_ms=100)).values():
                        found += [(dict(each.headers), json.loads(each.value)) for each in records]
            return found
        finally:
            await consumer.stop()

    return read_topic


def an_order(number="1001", **more):
    """The body of an `order.upsert`."""
    return {
        "shop_slug": SHOP,
        "id": number,
        "order": {"order_number": number, "address": {"zip_code": "10115"}} | more,
        "trackings": [],
    }


def traceparent_of(headers):
    """The `traceparent` among headers; None where there is none."""
    value = headers.get("traceparent")
    return None if value is None else value.decode()
