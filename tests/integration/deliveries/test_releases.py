"""What waits of a resumed destination is made due in parts, however much it is."""

from datetime import UTC, datetime

import asyncpg
import pytest

from services.deliveries.sending import rows
from tests.integration.deliveries.test_batches import NOW

HELD = rows.RELEASED_GROUPS + 1
FILL = """
    WITH made AS (
        INSERT INTO destination (shop, name, target, state, secret, retries_now, matched_since,
                                 created_at, updated_at)
        SELECT 'shop', 'd' || n, '{"kind": "webhook", "url": "https://x.example/"}', 'active', '',
               true, $1, $1, $1
          FROM generate_series(1, 2) AS n
     RETURNING id, name
    ), health AS (
        INSERT INTO destination_health (destination, shard, failures, failing_since)
        SELECT id, 1, 7, $1 FROM made
    )
    INSERT INTO message_group (destination, order_id, shard, attempts, due_at)
    SELECT id, md5('o' || n)::uuid, 1, 3, $2::timestamptz
      FROM made, generate_series(1, CASE name WHEN 'd1' THEN $3::integer ELSE 1 END) AS n
"""
STATE = """
    SELECT d.name, d.retries_now, h.failures,
           (SELECT count(*) FROM message_group AS g WHERE g.destination = d.id AND g.due_at > $1)
               AS held
      FROM destination AS d JOIN destination_health AS h ON h.destination = d.id
     ORDER BY d.name
"""


@pytest.fixture
async def connection(database_url):
    """A sender's session, with many orders held for one destination and one for another."""
    found = await asyncpg.connect(database_url, server_settings={"search_path": "deliveries"})
    await found.execute(FILL, NOW, datetime(9999, 1, 1, tzinfo=UTC), HELD)
    await found.fetchrow(rows.SQL["plan_by_index"])
    yield found
    await found.close()


async def test_release_makes_a_bounded_number_of_orders_due_at_once(connection):
    await rows.release(connection, [1], NOW)

    assert [tuple(row) for row in await connection.fetch(STATE, NOW)] == [
        ("d1", True, 0, HELD - rows.RELEASED_GROUPS),
        ("d2", False, 0, 0),
    ]


async def test_release_goes_on_until_nothing_is_held(connection):
    await rows.release(connection, [1], NOW)
    again = await rows.release(connection, [1], NOW)

    assert len(again) == 1
    assert [tuple(row) for row in await connection.fetch(STATE, NOW)] == [
        ("d1", False, 0, 0),
        ("d2", False, 0, 0),
    ]
    assert await rows.release(connection, [1], NOW) == []


async def test_release_leaves_other_shards_alone(connection):
    assert await rows.release(connection, [2], NOW) == []
