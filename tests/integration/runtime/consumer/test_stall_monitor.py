"""A consumer that is alive and reads nothing: liveness says so, and again when it reads."""

import asyncio
import json

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.client import ConnectionGroup

from tests.integration.runtime.conftest import READ, values

STALL_SECONDS = 2.0


@pytest.fixture
def settings(settings):
    """What takes two minutes in life takes two seconds here."""
    return settings.model_copy(update={"stall_seconds": STALL_SECONDS})


async def until_live(service, *, is_live):
    """Wait until liveness says so; what it says."""
    async with asyncio.timeout(60):
        while True:
            found, detail = await service.liveness()["orders.consuming"]()
            if found is is_live:
                return detail
            await asyncio.sleep(0.05)


def fetching(service):
    """The connections that records come over; heartbeats have their own."""
    client = service.running.consumer.assignment.consumer()._client
    return [
        connection
        for (_, group), connection in client._conns.items()
        if group == ConnectionGroup.DEFAULT and connection.connected()
    ]


async def test_stall_is_a_fetch_that_is_never_answered(start, publish, read_all):
    service = await start()
    await publish(values(5), partition=1)
    await read_all(5)
    for connection in fetching(service):
        connection._reader._transport.pause_reading()  # As a half-open connection is.
    await publish(values(10)[5:], partition=1)

    detail = await until_live(service, is_live=False)
    assert "orders.commands[1] has records and is not polled" in detail

    for connection in fetching(service):
        connection.close()  # As the client itself does when its request times out.
    found = await read_all(10)
    assert sorted(json.loads(value)["n"] for value in found) == list(range(10))
    assert await until_live(service, is_live=True) == "polls"


class Unwilling(ConsumerRebalanceListener):
    """Holds a rebalance up: its member answers heartbeats and does not join again."""

    def __init__(self):
        self.asked, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def on_partitions_revoked(self, revoked):
        if revoked:
            self.asked.set()
            await self.may_go_on.wait()

    async def on_partitions_assigned(self, assigned):
        """Nothing to do."""


async def test_stall_is_a_rebalance_that_never_ends(start, publish, read_all, settings):
    service = await start()
    unwilling, third = member_of(settings), member_of(settings)
    listener = Unwilling()
    unwilling.subscribe([settings.topic(READ)], listener=listener)
    third.subscribe([settings.topic(READ)])
    await unwilling.start()
    joining = asyncio.create_task(third.start())
    async with asyncio.timeout(60):
        await listener.asked.wait()

    detail = await until_live(service, is_live=False)
    assert "its group gives it no partitions" in detail

    listener.may_go_on.set()
    await joining
    await unwilling.stop()
    await third.stop()
    assert await until_live(service, is_live=True) == "polls"
    await publish(values(5))
    assert len(await read_all(5)) == 5


def member_of(settings):
    """Another member of the service's group."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=settings.consumer_group("orders"),
        rebalance_timeout_ms=300_000,
        enable_auto_commit=False,
    )


async def test_stall_is_no_open_transaction(start, publish, settings):
    """They cannot be read yet, and the marker at its end is no record."""
    service = await start()
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        transactional_id=settings.kafka_topic_prefix,
    )
    await producer.start()
    watch = service.running.stall_monitor
    looks = await watched(watch)
    async with producer.transaction():
        await (await producer.send(settings.topic(READ), values(1)[0], b"1", partition=1))
        await looks(STALL_SECONDS + 1)
        assert watch.trouble is None
    await looks(STALL_SECONDS + 1)
    await producer.stop()

    assert watch.trouble is None


async def watched(watch):
    """Looks again and again for so many seconds of the loop's own time."""

    async def go_on(seconds):
        begun = watch._poll_monitor.waited_seconds()
        async with asyncio.timeout(60):
            while watch._poll_monitor.waited_seconds() < begun + seconds:
                await watch.look()

    return go_on
