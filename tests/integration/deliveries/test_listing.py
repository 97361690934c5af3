"""Destinations as operators list them: page by page, each read in a bounded number of rows."""

import asyncpg
import pytest

from services.deliveries.operations import destinations as operations
from tests.integration.deliveries.test_batches import NOW
from tests.integration.plans.plans import rows_read_within

FILL = """
    INSERT INTO destination (shop, name, target, state, secret, matched_since, created_at,
                             updated_at)
    SELECT shop, 'd' || n, '{"kind": "webhook", "url": "https://x.example/"}',
           CASE WHEN n = 3 THEN 'removed' ELSE 'active' END, '', $1, $1, $1
      FROM unnest('{shop-a,shop-b,shop-c}'::text[]) AS shop, generate_series(1, 4) AS n
"""
WAIT = """
    INSERT INTO backlog (id, shard, destination, order_id, event_id, body_day, body_bytes,
                         created_at)
    SELECT n, 1, destination.id, md5('o' || n % 100)::uuid, md5('e' || n)::uuid, 1, 100,
           $1::timestamptz + n * interval '1 second'
      FROM destination, generate_series(1, 30000) AS n
     WHERE destination.shop = 'shop-b' AND destination.name = 'd2'
"""


@pytest.fixture
async def connection(database_url):
    """A connection to the tables of deliveries, which hold destinations of three shops."""
    found = await asyncpg.connect(database_url, server_settings={"search_path": "deliveries"})
    await found.execute(FILL, NOW)
    await found.execute(WAIT, NOW)
    await found.execute("ANALYZE")
    yield found
    await found.close()


async def listed(connection, shop=None, after=("", ""), limit=4, **more):
    """Names of the destinations of a page."""
    found = await operations.find(
        connection, shop, after=after, limit=limit, **{"with_removed": False, **more}
    )
    return [f"{each.shop}/{each.name}" for each in found]


async def test_destinations_are_listed_page_by_page(connection):
    first = await listed(connection)
    second = await listed(connection, after=("shop-b", "d1"))

    assert first == ["shop-a/d1", "shop-a/d2", "shop-a/d4", "shop-b/d1"]
    assert second == ["shop-b/d2", "shop-b/d4", "shop-c/d1", "shop-c/d2"]
    assert await listed(connection, after=("shop-c", "d4")) == []


async def test_destinations_of_one_shop_are_listed(connection):
    assert await listed(connection, "shop-b") == ["shop-b/d1", "shop-b/d2", "shop-b/d4"]
    assert await listed(connection, "shop-b", after=("shop-b", "d2")) == ["shop-b/d4"]
    assert await listed(connection, "shop-b", with_removed=True) == [
        f"shop-b/d{n}" for n in (1, 2, 3, 4)
    ]


async def test_what_waits_is_counted_up_to_a_bound_and_its_oldest_is_found(connection):
    (found,) = await operations.find(
        connection, "shop-b", with_removed=False, after=("shop-b", "d1"), limit=1
    )

    assert found.backlog == 10_000
    assert (found.oldest_at - NOW).total_seconds() == 1


async def test_list_reads_a_bounded_part_of_the_backlog(connection):
    statement = operations.SQL["find_destinations"]

    read = await rows_read_within(
        connection, "deliveries", statement, (None, False, "shop-b", "d1", 1)
    )

    tables = {row["relname"]: row for row in read}
    assert not tables["backlog"]["seq_scan"]
    assert tables["backlog"]["idx_tup_fetch"] <= 10_001
