"""The orders and claims services on real servers: two replicas each, a claim under three keys."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from uuid import uuid5

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.envelope import CloudEvent, write_headers
from schemas.identity import claim_id, order_id
from services.claims.app import build as build_claims
from services.orders.app import build as build_orders
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.messages.records import ITEM_NAMESPACE

DEADLINE_SECONDS = 60
SHOP = "demo-shop"
SOURCE = "/tests"
UPDATED = "orders/ORDER_UPDATED"


@pytest.fixture
async def settings(database_url, kafka_bootstrap_servers, topic_prefix) -> Settings:
    """Settings of a fresh database and fresh topics."""
    made = Settings(
        database_url=database_url,
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        relay_poll_seconds=0.1,
        http_port=0,
    )
    await topics.create(made)
    return made


@pytest.fixture
async def running(settings) -> AsyncIterator[None]:
    """Two replicas of both services."""
    services = [build(settings) for build in (build_orders, build_claims) * 2]
    await asyncio.gather(*(service.start() for service in services))
    yield
    await asyncio.gather(*(service.stop() for service in services))


@pytest.fixture
async def send(settings) -> AsyncIterator[Callable]:
    """Publishes one message."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()

    async def one(topic, type_, body, *, ce_id, key):
        headers = write_headers(CloudEvent(type=type_, source=SOURCE, id=ce_id))
        value = json.dumps(body).encode()
        await producer.send_and_wait(settings.topic(topic), value, key.encode(), headers=headers)

    yield one
    await producer.stop()


@pytest.fixture
async def read(settings) -> AsyncIterator[Callable]:
    """Reads a topic from its beginning until `count` of its bodies fit."""
    open_readers = []

    async def until(topic, count, fits=lambda body: True):
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        open_readers.append(consumer)
        consumer.assign([TopicPartition(settings.topic(topic), number) for number in range(6)])
        found = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    bodies = (json.loads(record.value) for record in records)
                    found += [body for body in bodies if fits(body)]
        return found

    yield until
    for consumer in open_readers:
        await consumer.stop()


async def test_claims_are_applied_after_their_orders_through_kafka(running, send, read):
    """Updates come first, then claims by external id, then the delivery, then the orders."""
    numbers = [str(number) for number in range(20)]
    for n in numbers:
        await send("claims.commands", "claim.update", an_update(n), ce_id=f"u{n}", key="x")
        await send("claims.commands", "claim.open", an_opening(n), ce_id=f"c{n}", key="y")
        await send("carrier.tracking", "tracking.reported", a_report(n), ce_id=f"t{n}", key="z")
        await send("orders.commands", "order.upsert", an_upsert(n), ce_id=f"o{n}", key=n)

    events = await read("claims.events", 2 * len(numbers))

    by_order = {}
    for body in events:
        by_order.setdefault(body["order_id"], []).append(body)
    assert set(by_order) == {str(order_id(SHOP, number)) for number in numbers}
    for bodies in by_order.values():
        assert [body["sequence"] for body in bodies] == [1, 2]
        assert [body["event_data"]["status"] for body in bodies] == ["pending", "accepted"]
        assert bodies[0]["event_data"]["shipment_phase_at_creation"] == "delivered"
        assert bodies[0]["context"]["order"]["address"]["zip_code"] == "10115"


async def test_order_events_after_a_claim_hold_the_claim(running, send, read):
    await send("orders.commands", "order.upsert", an_upsert("1"), ce_id="o1", key="1")
    await send("carrier.tracking", "tracking.reported", a_report("1"), ce_id="t1", key="1")
    await send("claims.commands", "claim.open", an_opening("1"), ce_id="c1", key="1")
    await read("claims.events", 1)

    shown, count = [], 0
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not shown:  # Orders may hear of the claim after any of these.
            count += 1
            update = an_address("1", f"1000{count}")
            await send("orders.commands", "order.update", update, ce_id=f"a{count}", key="1")
            events = await read("orders.events", count, lambda body: body["ref"] == UPDATED)
            shown = events[-1]["context"]["claims"]

    assert [claim["claim_id"] for claim in shown] == [str(claim_of("1"))]


def claim_of(number):
    """The id of the claim that `an_opening(number)` will open."""
    item = uuid5(ITEM_NAMESPACE, f"{SOURCE}\nc{number}\n0")
    return claim_id(order_id(SHOP, number), str(item))


def an_upsert(number):
    return {
        "shop_slug": SHOP,
        "id": number,
        "order": {
            "order_number": number,
            "external_id": f"gid-{number}",
            "order_placed_at": "2026-03-01T09:00:00Z",
            "address": {"zip_code": "10115"},
            "products": [{"sku": "MUG-BLUE", "quantity": 2}],
        },
        "trackings": [{"tracking_number": f"1Z9{number}", "carrier_reference": "ups"}],
    }


def a_report(number):
    scan = {"event_name": "SUCCESSFULLY_DELIVERED", "occurred_at": "2026-03-04T09:00:00Z"}
    return {"carrier_reference": "ups", "tracking_number": f"1Z9{number}", "scans": [scan]}


def an_opening(number):
    return {
        "shop_slug": SHOP,
        "id": f"gid-{number}",
        "id_type": "external_id",
        "tracking_number": f"1Z9{number}",
        "reason": "investigation",
        "selected_items": [{"sku": "MUG-BLUE", "quantity": 2}],
    }


def an_update(number):
    return {"shop_slug": SHOP, "claim_id": str(claim_of(number)), "status": "accepted"}


def an_address(number, zip_code):
    return {"shop_slug": SHOP, "id": number, "address": {"zip_code": zip_code}}
