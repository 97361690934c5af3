"""A topic that is not the one that was read is noticed, running or not, and not read (P8)."""

import asyncio
import json

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.runtime.kafka.compat.topic_ids import topic_ids
from services.runtime.operations.partition_admin import LogRange, PartitionAdmin, Signature
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import READ, until, values

WHO = Signature("mira", "the old records are gone for good")


@pytest.fixture
async def admin(settings):
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    yield admin
    await admin.close()


@pytest.fixture
async def outsider(settings):
    """A consumer outside of every service."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await consumer.start()
    yield consumer
    await consumer.stop()


@pytest.fixture
def remake(settings, admin, outsider):
    """Deletes the topic that is read and makes another one of its name."""
    topic = settings.topic(READ)

    async def do():
        (before,) = (await topic_ids(outsider, {topic})).values()
        await admin.delete_topics([topic])
        async with asyncio.timeout(60):
            while (await admin.create_topics([NewTopic(topic, 6, 1)])).topic_errors[0][1]:
                await asyncio.sleep(0.05)
            while (await topic_ids(outsider, {topic})).get(topic) in {None, before}:
                await asyncio.sleep(0.05)
            while not await has_leaders(admin, topic):
                await asyncio.sleep(0.05)

    return do


async def has_leaders(admin, topic):
    (found,) = await admin.describe_topics([topic])
    return len(found["partitions"]) == 6 and all(p["leader"] >= 0 for p in found["partitions"])


def stopped(service):
    return service.running.consumer.assignment.stops.reasons


async def why_stopped(service, here):
    await until(lambda: here in stopped(service), "stopped")
    return stopped(service)[here]


def numbers(found):
    return sorted(json.loads(value)["n"] for value in found)


async def test_topic_recreated_while_the_service_is_down_stops_its_partition(
    start, publish, read_all, settings, remake
):
    service = await start()
    await publish(values(5), partition=1)
    await read_all(5)
    await service.stop()
    await remake()
    await publish(values(20)[10:], partition=1)  # More than were applied: 5 lies among them.
    here = TopicPartition(settings.topic(READ), 1)

    service = await start()

    why = await why_stopped(service, here)
    assert "deleted and recreated" in why
    assert "orderflow partitions move" in why
    connection = await connect(settings, "orders")
    async with connection.transaction():
        acts = PartitionAdmin(
            connection, settings.consumer_group("orders"), settings.kafka_topic_prefix
        )
        await acts.move(here, "earliest", LogRange(0, 10), WHO)
    await connection.close()
    assert numbers((await read_all(15))[5:]) == list(range(10, 20))


async def test_topic_recreated_under_a_running_service_stops_its_partition(
    start, publish, read_all, settings, remake
):
    service = await start()
    await publish(values(5), partition=1)
    await read_all(5)

    await remake()

    here = TopicPartition(settings.topic(READ), 1)
    why = await why_stopped(service, here)
    assert "recreated" in why
    is_ready, detail = await service.readiness()["orders.partitions"]()
    assert not is_ready
    assert "orderflow partitions move" in detail


@pytest.mark.parametrize("is_running", [True, False], ids=["running", "down"])
async def test_offset_out_of_range_after_records_were_deleted(
    start, publish, read_all, settings, admin, is_running
):
    here = TopicPartition(settings.topic(READ), 1)
    service = await start()
    await publish(values(5), partition=1)
    await read_all(5)
    if is_running:
        # As if it lagged behind retention.
        service.running.consumer.assignment.consumer().pause(here)
    else:
        await service.stop()
    await publish(values(30)[5:], partition=1)
    await admin.delete_records({here: RecordsToDelete(20)})
    if not is_running:
        service = await start()

    why = await why_stopped(service, here)

    assert "5 is outside the topic's offsets 20..30" in why


async def test_offset_out_of_range_after_retention(
    start, publish, read_all, settings, admin, outsider
):
    here = TopicPartition(settings.topic(READ), 1)
    service = await start()
    await publish(values(5), partition=1)
    await read_all(5)
    await service.stop()
    await publish(values(30)[5:], partition=1)
    short = {"retention.bytes": "1", "segment.bytes": "1048576", "segment.ms": "100"}
    resource = ConfigResource(ConfigResourceType.TOPIC, here.topic, configs=short)
    await admin.alter_configs([resource])
    # The broker under test looks for what may go every few seconds at most by its own settings;
    # where it does so every few minutes, an operator's deletion has the same effect.
    await admin.delete_records({here: RecordsToDelete(-1)})
    first = await outsider.beginning_offsets([here])

    service = await start()

    why = await why_stopped(service, here)
    assert f"5 is outside the topic's offsets {first[here]}..30" in why


async def test_log_truncated_and_written_again_stops_its_partition(
    start, publish, read_all, settings, database_url
):
    """As a broker restored from an older disk has it: the same topic, the same offsets."""
    here = TopicPartition(settings.topic(READ), 1)
    service = await start()
    await publish(values(10), partition=1)
    await read_all(10)
    await service.stop()
    connection = await asyncpg.connect(database_url)
    # What was applied at offset 4 was another record than the one that is there now.
    await connection.execute(
        "UPDATE orders.position SET next_offset = 5, last_offset = 4, last_crc32 = 1 "
        "WHERE partition = 1"
    )
    await connection.close()

    service = await start()

    why = await why_stopped(service, here)
    assert "the record before stored position 5 is not the one that was applied" in why


async def test_fingerprint_of_a_record_that_retention_removed_proves_nothing(
    start, publish, read_all, settings, admin
):
    here = TopicPartition(settings.topic(READ), 1)
    service = await start()
    await publish(values(10), partition=1)
    await read_all(10)
    await service.stop()
    await admin.delete_records({here: RecordsToDelete(10)})

    service = await start()
    await publish(values(12)[10:], partition=1)

    assert numbers(await read_all(12)) == list(range(12))
    assert stopped(service) == {}
