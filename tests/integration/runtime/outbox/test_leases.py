"""Shard leases on real servers: shared among relays, no record lost when a session ends."""

import asyncio
import json

import asyncpg
import pytest

from services.runtime.outbox.leases import ShardLeases
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import until, values

SHARDS = 8


@pytest.fixture
async def sessions(settings):
    """Database sessions of relays, ended after the test."""
    opened = []

    async def open_one():
        connection = await connect(settings, "orders", "relay")
        opened.append(connection)
        leases = ShardLeases(connection, "orders", SHARDS)
        await leases.join()
        return connection, leases

    yield open_one
    for connection in opened:
        connection.terminate()


async def test_leases_of_one_relay_are_all_shards_and_two_share_them(sessions):
    _, first = await sessions()
    await first.balance()
    assert first.held == set(range(SHARDS))

    _, second = await sessions()
    await first.balance()
    await second.balance()

    assert (len(first.held), len(second.held)) == (4, 4)
    assert first.held | second.held == set(range(SHARDS))


async def test_leases_of_a_dead_relay_go_to_the_others(sessions):
    dying, first = await sessions()
    _, second = await sessions()
    await first.balance()
    await second.balance()

    dying.terminate()

    async with asyncio.timeout(60):
        while second.held != set(range(SHARDS)):
            await second.balance()
            await asyncio.sleep(0.02)


async def test_relay_continues_after_its_session_was_ended(start, publish, read_all, database_url):
    """Records may repeat; none is lost or out of order."""
    service = await start()
    owner = await asyncpg.connect(database_url)
    sent = values(400)
    for part in range(4):
        await publish(sent[part * 100 : part * 100 + 100])
        await owner.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'orderflow_orders.relay' AND datname = current_database()"
        )
    await until(lambda: service.running.relay.healthy, "publishing again")

    found = await read_all(400)
    async with asyncio.timeout(60):
        while await owner.fetchval("SELECT count(*) FROM orders.outbox"):
            await asyncio.sleep(0.02)
    await owner.close()

    assert first_occurrences(found) == first_occurrences(sent)


async def test_relay_publishes_rows_committed_while_none_ran(
    start, publish, read_all, database_url
):
    service = await start()
    service.running.relay.drain()
    await service.running.workers.join("relay")
    await publish(values(30))
    owner = await asyncpg.connect(database_url)
    async with asyncio.timeout(60):
        while await owner.fetchval("SELECT sum(next_offset) FROM orders.position") != 30:
            await asyncio.sleep(0.02)
    await owner.close()

    await start()

    assert len(await read_all(30)) == 30


def first_occurrences(found):
    """Numbers by key without repeats, in the order of their first occurrence."""
    by_key = {}
    for value in map(json.loads, found):
        numbers = by_key.setdefault(value["key"], [])
        if value["n"] not in numbers:
            numbers.append(value["n"])
    return by_key
