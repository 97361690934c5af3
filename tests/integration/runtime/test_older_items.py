"""Older items on a real database: they are found by order, and forgotten by age as partitions."""

import uuid

import asyncpg
import pytest

from services.runtime import older_items
from tests.integration.batches import pool_of

ONE, OTHER = str(uuid.uuid4()), str(uuid.uuid4())


@pytest.fixture
async def pool(settings):
    async with pool_of(settings, "orders") as pool:
        yield pool


@pytest.fixture
def keep(pool):
    """Keeps items in one transaction."""

    async def run(*items):
        async with pool.acquire() as connection, connection.transaction():
            await older_items.save(connection, items)

    return run


@pytest.fixture
def find(pool):
    """Looks for items."""

    async def run(*items):
        async with pool.acquire() as connection:
            return await older_items.find(connection, items)

    return run


async def test_older_items_are_found_by_order_and_digest(keep, find):
    await keep((ONE, 1), (ONE, -(2**63)), (OTHER, 3))

    assert await find((ONE, 1), (ONE, -(2**63)), (ONE, 3), (OTHER, 1), (OTHER, 3)) == {
        ONE: {1, -(2**63)},
        OTHER: {3},
    }


async def test_older_items_may_be_kept_twice(keep, find):
    await keep((ONE, 1))
    await keep((ONE, 1), (ONE, 2))

    assert await find((ONE, 1), (ONE, 2)) == {ONE: {1, 2}}


async def test_older_items_of_every_age_are_found_and_the_oldest_are_forgotten(pool, find):
    async with pool.acquire() as connection:
        now = await connection.fetchval("SELECT older_item_slot()")
        # As they are after 40 days: the partition of each age has rows, also the one after now's.
        rows = [(ONE, age, (now - age) % 5) for age in range(5)]
        await connection.executemany("INSERT INTO older_item VALUES ($1, $2, $3)", rows)
    asked = [(ONE, age) for age in range(5)]
    assert await find(*asked) == {ONE: {0, 1, 2, 3, 4}}

    assert await older_items.forget(pool) == f"older_item_{(now + 1) % 5}"

    assert await find(*asked) == {ONE: {0, 1, 2, 3}}
    assert await older_items.forget(pool) is None


async def test_older_items_live_until_an_age_of_30_to_40_days(pool):
    """The turn of truncation comes to the partition of an item that was kept at any time."""
    ages = """
        SELECT min(age), max(age) FROM (
            SELECT (SELECT min(later) FROM generate_series(0, 60 * 4) AS later
                     WHERE (older_item_slot(at + later * span) + 1) % 5 = older_item_slot(at))
                   / 4.0 AS age
              FROM (VALUES (interval '6 hours')) AS step(span),
                   generate_series(timestamptz '2026-01-01', '2026-03-01', span) AS at) AS each
    """
    async with pool.acquire() as connection:
        youngest, oldest = await connection.fetchrow(ages)

    assert 30 < youngest < 31
    assert oldest == 40


async def test_older_items_are_left_while_another_session_reads_them(pool, database_url, find):
    async with pool.acquire() as connection:
        now = await connection.fetchval("SELECT older_item_slot()")
        await connection.execute("INSERT INTO older_item VALUES ($1, 1, $2)", ONE, (now + 1) % 5)
    reader = await asyncpg.connect(database_url)
    async with reader.transaction():
        await reader.fetch("SELECT * FROM orders.older_item")
        assert await older_items.forget(pool) is None
    await reader.close()
    assert await find((ONE, 1)) == {ONE: {1}}

    assert await older_items.forget(pool) == f"older_item_{(now + 1) % 5}"
