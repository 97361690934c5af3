"""A record that Kafka rejects holds up its shard alone; a service has one number of shards."""

import asyncio
import re
from contextlib import asynccontextmanager

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.runtime.clock import SystemClock
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox import shard_count
from services.runtime.outbox.outbox import Outbox, Outgoing, shard_of
from services.runtime.outbox.relay import Relay
from services.runtime.outbox.rows import unpack_one
from services.runtime.outbox.shard_count import ShardCountDiffers, ensure
from services.runtime.outbox.wiring import publisher_factory
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import NO_HEADERS, WRITTEN
from tests.integration.runtime.outbox.relaying import Feed, read_topic, until

SMALL = "orders.small"
MAX_BYTES = 20_000


@asynccontextmanager
async def relaying(settings, metrics=None):
    """Run a relay in this process."""
    relay = Relay(
        service="orders",
        shards=settings.outbox_shards,
        poll_seconds=settings.relay_poll_seconds,
        factory=publisher_factory(settings, "orders"),
        metrics=metrics or Metrics(),
        now=SystemClock().now,
    )
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def small_topic(settings):
    """A topic that rejects records of more than MAX_BYTES."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    limit = {"max.message.bytes": str(MAX_BYTES)}
    await admin.create_topics([NewTopic(settings.topic(SMALL), 6, 1, topic_configs=limit)])
    yield settings.topic(SMALL)
    await admin.close()


@pytest.fixture(params=["at_least_once", "exactly_once"])
def each_mode(settings, request):
    """Settings of each publication mode."""
    return settings.model_copy(update={"publication": request.param, "outbox_shards": 4})


async def test_relay_rejected_record_holds_up_its_shard_alone(each_mode, small_topic):
    """The rejected record is in the middle of a row, in one request with other records."""
    metrics = Metrics()
    key = "0"
    shard = shard_of(key, 4)
    async with Feed(each_mode) as feed, relaying(each_mode, metrics) as relay:
        await feed.write(3)
        await feed.until_published()
        bad = [
            Outgoing(SMALL, b"k", b"x" * size, NO_HEADERS, key)
            for size in (10, MAX_BYTES + 1_000, 10)
        ]
        await Outbox(4).append(feed.connection, bad)
        row = await feed.connection.fetchval("SELECT max(id) FROM outbox")
        await feed.write(20)

        await until(lambda: relay.trouble.startswith("Kafka refuses"))
        await feed.until_rows(lambda rows: {each["shard"] for each in rows} == {shard})
        seen = await read_topic(each_mode)

        others = {k: found for k, found in feed.expected.items() if shard_of(str(k), 4) != shard}
        assert {k: seen.firsts[k] for k in others} == others
        assert f"shard {shard} stands at row {row}, record 1 for {SMALL}" in relay.trouble
        assert "TooLarge" in relay.trouble

        await set_limit(each_mode, small_topic, 1_048_576)
        await feed.until_published()
        await until(lambda: relay.healthy)
    seen = await read_topic(each_mode)
    assert seen.firsts == feed.expected


async def set_limit(settings, topic, limit):
    """Change the limit of the topic, as an operator does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    resource = ConfigResource(
        ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(limit)}
    )
    await admin.alter_configs([resource])
    await admin.close()


@pytest.mark.parametrize("sizes", [(10, 10, MAX_BYTES + 1_000, 10), (MAX_BYTES + 1_000,)])
async def test_relay_documented_removal_of_a_rejected_record(
    settings, database_url, small_topic, project_folder, sizes
):
    page = (project_folder / "docs" / "runbook.md").read_text()
    (statements,) = re.findall(r"```sql\n(BEGIN;.*?COMMIT;)\n```", page, re.DOTALL)
    async with Feed(settings) as feed, relaying(settings) as relay:
        records = [Outgoing(SMALL, b"k", b"x" * size, NO_HEADERS, "0") for size in sizes]
        await Outbox(settings.outbox_shards).append(feed.connection, records)
        await feed.write(1)
        await until(lambda: relay.trouble.startswith("Kafka refuses"))
        shard, row, index = map(
            int, re.findall(r"shard (\d+) .*row (\d+), record (\d+) ", relay.trouble)[0]
        )
        owner = await asyncpg.connect(database_url)
        for documented, real in (
            ("shard = 3", f"shard = {shard}"),
            ("1234", str(row)),
            ("[:2]", f"[:{index}]"),
            ("[4:]", f"[{index + 2}:]"),
        ):
            assert documented in statements
            statements = statements.replace(documented, real)
        assert await unpack_one(feed.connection, shard, row)
        await owner.execute(statements)

        await feed.until_published()
        await until(lambda: relay.healthy)
        kept = await owner.fetchval("SELECT cardinality(topics) FROM taken_out")
        await owner.close()
        assert kept == len(sizes)
        assert (await read_topic(settings)).firsts == feed.expected


@pytest.fixture
async def session(settings):
    """A connection of the service."""
    connection = await connect(settings, "orders")
    yield connection
    await connection.close()


async def test_shard_count_change_is_refused_while_rows_wait(session):
    await ensure(session, "orders", 8)
    await Outbox(8).append(session, [Outgoing(WRITTEN, b"k", b"v", NO_HEADERS, "k")])

    with pytest.raises(ShardCountDiffers, match=r"rows wait in them.*ORDERFLOW_OUTBOX_SHARDS=8"):
        await ensure(session, "orders", 4)

    await session.execute("DELETE FROM outbox")
    await ensure(session, "orders", 4)
    with pytest.raises(asyncpg.ObjectInUseError, match=r"has 4 shards, this process has .*=8"):
        await Outbox(8).append(session, [Outgoing(WRITTEN, b"k", b"v", NO_HEADERS, "k")])


async def test_shard_count_change_is_refused_while_relays_use_the_old_one(session, settings):
    await ensure(session, "orders", 8)
    other = await connect(settings, "orders", "relay")
    await shard_count.hold(other, "orders", 8)

    with pytest.raises(ShardCountDiffers, match="replicas that use them run"):
        await ensure(session, "orders", 4)

    await other.close()
    async with asyncio.timeout(60):
        while True:
            try:
                await ensure(session, "orders", 4)
                break
            except ShardCountDiffers:  # The server takes a moment to end the session.
                await asyncio.sleep(0.02)
    with pytest.raises(ShardCountDiffers, match="was changed to 4 shards while this process ran"):
        await shard_count.hold(session, "orders", 8)
