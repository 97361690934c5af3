"""A flood stops its partition before more is parked than the limit, and no other partition."""

import asyncio

import pytest
from aiokafka import TopicPartition

from services.runtime.batch.items import FailureKind, ItemRef
from services.runtime.operations.audit import Signature
from services.runtime.operations.partition_admin import PartitionAdmin
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import READ, until, values

WHO = Signature("mira", "seen, go on")


@pytest.fixture
def settings(settings):
    """More than 20 failing items trip; batches of ten."""
    return settings.model_copy(update={"fuse_window_items": 2_000, "batch_max_orders": 10})


class Failing:
    """Reports what a service's `apply` would: some items parked, some malformed."""

    def __init__(self, echo):
        self._echo = echo
        self.parks = lambda _: False
        self.sender_of_malformed = lambda _: None

    async def apply(self, connection, batch):
        for record in batch.records:
            ref = ItemRef(record.coordinates, 0)
            sender = self.sender_of_malformed(record)
            if sender:
                batch.report.malformed.append((ref, sender))
                continue
            batch.report.started.append(ref)
            if self.parks(record):
                batch.report.parked.append((ref, FailureKind.DECISION))
        await self._echo.apply(connection, batch)


@pytest.fixture
def failing(echo):
    return Failing(echo)


@pytest.fixture
async def start(settings, failing, start_with):
    return lambda: start_with(failing.apply)


def stopped(service):
    return service.running.consumer.assignment.stops.reasons


async def positions(settings):
    connection = await connect(settings, "orders")
    acts = PartitionAdmin(
        connection, settings.consumer_group("orders"), settings.kafka_topic_prefix
    )
    found = {each.partition.partition: each for each in await acts.standing()}
    await connection.close()
    return found


async def resume(settings, partition, allow=0):
    connection = await connect(settings, "orders")
    group = settings.consumer_group("orders")
    async with connection.transaction():
        await PartitionAdmin(connection, group, settings.kafka_topic_prefix).resume(
            partition, WHO, allow
        )
    await connection.close()


async def test_a_flood_stops_its_partition_within_the_limit(
    start, publish, read_all, settings, failing
):
    failing.parks = lambda record: record.coordinates.partition == 1
    service = await start()
    await publish(values(60), partition=1)
    await publish(values(30), partition=2)

    here = TopicPartition(settings.topic(READ), 1)
    await until(lambda: here in stopped(service), "stopped")

    assert "failed and were to be parked" in stopped(service)[here]
    assert "orderflow partitions resume" in stopped(service)[here]
    assert len(await read_all(50)) == 50  # Thirty elsewhere, and the twenty within the limit.
    assert (await positions(settings))[1].next_offset == 20
    is_ready, detail = await service.readiness()["orders.partitions"]()
    assert not is_ready
    assert "failed and were to be parked" in detail

    await resume(settings, here)  # Nothing was mended: as much again at most.
    await until_at(settings, 40)
    await until(lambda: here in stopped(service), "stopped again")

    await resume(settings, here, allow=1_000)
    assert len(await read_all(90)) == 90
    assert stopped(service) == {}


async def until_at(settings, offset):
    async with asyncio.timeout(60):
        while (await positions(settings))[1].next_offset != offset:
            await asyncio.sleep(0.02)


async def test_malformed_from_several_senders_stops_and_from_one_is_an_alert(
    start, publish, read_all, settings, failing
):
    def sender(record):
        if record.coordinates.partition == 1:
            return f"sender-{record.coordinates.offset % 4}"
        return "sender-0"

    failing.sender_of_malformed = sender
    service = await start()
    await publish(values(200), partition=1)
    await publish(values(200), partition=2)

    here = TopicPartition(settings.topic(READ), 1)
    await until(lambda: here in stopped(service), "stopped")
    await until(lambda: bad_sources(service, settings, 2) == 1, "published")

    assert "from 4 sources are malformed" in stopped(service)[here]
    await read_all(200 + (await positions(settings))[1].next_offset)
    assert list(stopped(service)) == [here]


def bad_sources(service, settings, partition):
    labels = ("orders", settings.topic(READ), str(partition))
    return service.metrics.bad_sources.labels(*labels)._value.get()
