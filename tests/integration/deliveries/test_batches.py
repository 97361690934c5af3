"""Batches of deliveries on a real database: what is counted, how many destinations a shop has."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from schemas.topics import DELIVERIES_COMMANDS, SHIPMENTS_EVENTS
from services.deliveries.domain.decide import DESTINATIONS_MAX
from services.deliveries.gauges import GAUGES, measure
from services.deliveries.handler import DeliveryBatches
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, Failure, FailureKind, ItemRef
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from tests.integration.batches import a_record_at, applied_by, pool_of
from tests.integration.deliveries.conftest import SHOP, a_destination, an_event

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
URL = "https://93.184.216.34/hook"
FILL = """
    INSERT INTO destination (shop, name, target, state, secret, matched_since, created_at,
                             updated_at)
    SELECT $1, 'd' || n, '{"kind": "webhook", "url": "https://x.example/"}', 'active', '', $2, $2,
           $2
      FROM generate_series(1, $3::integer) AS n
"""


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of this test alone."""
    return Metrics()


@pytest.fixture
def batches(database_url, metrics) -> DeliveryBatches:
    """The handler, with a key for secrets."""
    key = SecretStr(base64.b64encode(bytes(range(32))).decode())
    return DeliveryBatches(Settings(database_url=database_url, deliveries_key=key), metrics)


@pytest.fixture
async def pool(database_url) -> AsyncIterator:
    """Connections of the service."""
    async with pool_of(Settings(database_url=database_url), "deliveries") as found:
        yield found


@pytest.fixture
def apply(batches, pool):
    """Applies records as one batch."""
    return applied_by(batches, pool, NOW)


def an_upsert(name, shop=SHOP):
    """The record of a command that makes a destination."""
    body = a_destination(URL, name, shop)
    type_ = "destination.upsert"
    return a_record_at(
        NOW, DELIVERIES_COMMANDS, type_, body, ce_id=f"{shop}-{name}", key=shop.encode()
    )


def a_scan(number="1", sequence=1):
    """The record of an event."""
    body = an_event(number, sequence)
    key = body["order_id"].encode()
    return a_record_at(
        NOW, SHIPMENTS_EVENTS, "shipment.scanned", body, ce_id=body["event_id"], key=key
    )


def counted(metrics, topic, outcome, reason=""):
    """How many items were counted."""
    labels = {"service": "deliveries", "topic": topic, "outcome": outcome, "reason": reason}
    return metrics.registry.get_sample_value("orderflow_items_total", labels) or 0


async def number_of(pool, shop):
    """How many destinations a shop has."""
    return await pool.fetchval(
        "SELECT count(*) FROM destination WHERE shop = $1 AND state <> 'removed'", shop
    )


async def test_events_behind_a_parked_one_are_not_counted_as_applied(apply, batches, pool, metrics):
    first = a_scan("1", 1)
    failure = Failure(FailureKind.DECISION, "a bug")
    async with pool.acquire() as connection, connection.transaction():
        known = {ItemRef(first.coordinates, WHOLE): failure}
        await batches.apply(connection, Batch((first,), NOW, known_failures=known))

    await apply(a_scan("1", 2), a_scan("2", 1))

    assert await pool.fetchval("SELECT count(*) FROM parked") == 2
    assert counted(metrics, SHIPMENTS_EVENTS, "applied") == 1


async def test_commands_are_counted_once(apply, metrics):
    await apply(an_upsert("erp"), a_scan())

    assert counted(metrics, DELIVERIES_COMMANDS, "applied") == 1
    assert counted(metrics, SHIPMENTS_EVENTS, "applied") == 1


async def test_shop_has_10000_destinations_at_most(apply, pool, metrics):
    await pool.execute(FILL, SHOP, NOW, DESTINATIONS_MAX)

    await apply(an_upsert("one-more"), an_upsert("first", "other-shop"))

    rejected = counted(metrics, DELIVERIES_COMMANDS, "rejected", "too_many_destinations")
    assert rejected == 1
    assert await number_of(pool, SHOP) == DESTINATIONS_MAX == 10_000
    assert await number_of(pool, "other-shop") == 1


async def test_bound_of_a_shop_holds_within_a_batch(apply, pool, metrics):
    await pool.execute(FILL, SHOP, NOW, DESTINATIONS_MAX - 1)

    await apply(an_upsert("last"), an_upsert("one-more"), an_upsert("last"))

    assert counted(metrics, DELIVERIES_COMMANDS, "applied") == 1
    assert counted(metrics, DELIVERIES_COMMANDS, "rejected", "too_many_destinations") == 1
    assert await number_of(pool, SHOP) == DESTINATIONS_MAX


async def test_destination_that_is_removed_makes_room(apply, pool):
    await pool.execute(FILL, SHOP, NOW, DESTINATIONS_MAX)
    body = {"shop_slug": SHOP, "destination_id": "d1"}
    removal = a_record_at(
        NOW, DELIVERIES_COMMANDS, "destination.remove", body, ce_id="r", key=SHOP.encode()
    )

    await apply(removal, an_upsert("one-more"))

    assert await pool.fetchval("SELECT state FROM destination WHERE name = 'one-more'") == "active"
    assert await number_of(pool, SHOP) == DESTINATIONS_MAX


@pytest.mark.parametrize(
    ("type_", "is_later"),
    [
        ("rotate_secret", False),
        ("replay", False),
        ("pause", True),
        ("resume", True),
        ("upsert", True),
    ],
)
async def test_time_from_which_a_destination_is_given_up_moves_with_target_and_state_alone(
    apply, pool, type_, is_later
):
    before = NOW - timedelta(days=2)
    await apply(an_upsert("erp"))
    await pool.execute(
        "UPDATE destination SET updated_at = $1, state = $2",
        before,
        "disabled" if type_ == "resume" else "active",
    )
    body = a_destination("https://93.184.216.34/other" if type_ == "upsert" else URL)
    if type_ != "upsert":
        del body["url"]
    body |= {"order_number": "1"} if type_ == "replay" else {}
    record = a_record_at(
        NOW, DELIVERIES_COMMANDS, f"destination.{type_}", body, ce_id="c", key=SHOP.encode()
    )

    await apply(record)

    row = await pool.fetchrow("SELECT updated_at, cardinality(applied) AS n FROM destination")
    assert (row["updated_at"], row["n"]) == (NOW if is_later else before, 2)


async def test_gauges_say_what_waits(pool, metrics):
    async def measured():
        await measure(pool, metrics)
        read = metrics.registry.get_sample_value
        labels = {"service": "deliveries"}
        return [read(f"orderflow_webhook_{name}", labels) for name in GAUGES]

    assert await measured() == [0, 0, 0, 0, 0, 0]
    await pool.execute(FILL, SHOP, NOW, 3)
    await pool.execute("UPDATE destination SET state = 'disabled' WHERE name <> 'd1'")
    await pool.execute(
        "INSERT INTO delivery (shard, destination, order_id, event_id, body_day, body_bytes,"
        "                      created_at)"
        " SELECT 3, 1, gen_random_uuid(), gen_random_uuid(), 1, 1, now() - n * interval '1 minute'"
        "   FROM generate_series(10, 1, -1) AS n"
    )
    fresh = await measured()
    await pool.execute(
        "INSERT INTO backlog SELECT n, 3, 1, gen_random_uuid(), gen_random_uuid(), 1, 1,"
        "                           now() - (21 - n) * interval '1 hour'"
        "   FROM generate_series(1, 20) AS n"
    )
    await pool.execute(
        "INSERT INTO message_group (destination, order_id, shard, due_at)"
        " VALUES (1, gen_random_uuid(), 3, '9999-01-01T00:00Z')"
    )
    both = await measured()

    assert fresh[:4] == [0, 0, 2, 0]
    assert 600 <= fresh[4] < 72_000 <= both[4]
    assert 600 <= fresh[5] <= both[5] < 72_000
    assert both[:4] == [20, 1, 2, 0]
