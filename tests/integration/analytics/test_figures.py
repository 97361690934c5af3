"""Gauges of the business: equal to the facts, to the report, and to what the migration counts."""

import random
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services import analytics
from services.analytics.figures import measure
from services.analytics.operations import rebuild
from services.analytics.operations.report import ReportQuery, read_report
from services.runtime.observability.metrics import Metrics
from tests.integration.analytics.batches import apply, shuffled_batches
from tests.unit.analytics.builders import NOON, a_claim_event, a_parcel, an_order_event

MIGRATION = Path(analytics.__file__).parent / "migrations" / "0008_fact_count.sql"
COUNTS = """
SELECT figure, value, detail, sum(facts)::int
  FROM fact_count GROUP BY 1, 2, 3 HAVING sum(facts) <> 0 ORDER BY 1, 2, 3
"""
OVERDUE = """
SELECT count(*) FROM parcel_fact
 WHERE NOT is_return AND delivered_on IS NULL AND phase NOT LIKE 'return%'
   AND promised_on BETWEEN $1::date - 60 AND $1::date - 1
"""
STATUSES = ("placed", "partially_fulfilled", "fulfilled", "cancelled", "on_the_moon")
PHASES = ("order_processed", "in_transit", "delivered", "return_transit", "teleported")


def drawn_events(dice):
    """Events of orders whose parcels move, come back, vanish and get another day, with claims."""
    for number in range(30):
        for version in (1, 2, 3):
            parcels = [drawn_parcel(dice, str(number), n) for n in range(1, dice.randint(1, 3))]
            status = dice.choice(STATUSES)
            yield an_order_event(
                str(number),
                version,
                parcels,
                status=status,
                promised_delivery_date=dice.choice([None, "2026-02-20", "2026-03-12"]),
                expected_number_of_shipments=3,
                **({"cancelled_at": "2026-03-02T10:00:00Z"} if status == "cancelled" else {}),
            )
        for sequence in range(1, dice.randint(1, 4)):
            yield a_claim_event(
                str(number),
                sequence,
                status=dice.choice(["pending", "accepted", "closed"]),
                reason=dice.choice(["damage", "return"]),
                event_name=dice.choice(["updated", "withdrawn"]),
            )


def drawn_parcel(dice, number, ordinal):
    changes = {"phase": dice.choice(PHASES), "first_scan_at": "2026-03-01T10:00:00Z"}
    if changes["phase"] == "delivered":
        changes["delivered_at"] = f"2026-03-{dice.randint(10, 20)}T12:00:00Z"
    elif dice.random() < 0.3:
        changes["direction"] = "customer_merchant"
    return a_parcel(number, ordinal, **changes)


async def counts(connection):
    return [tuple(row) for row in await connection.fetch(COUNTS)]


async def counted_by_the_migration(connection):
    """The numbers that the migration makes of the facts, instead of those that were kept."""
    fill = MIGRATION.read_text().partition("-- Facts from before.")
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("DELETE FROM fact_count")
    await connection.execute("".join(fill[1:]))
    found = await counts(connection)
    await transaction.rollback()
    return found


async def measured(connection, now=NOON):
    """The gauges after one measurement: a function that returns the sum of a metric's series."""
    metrics = Metrics(CollectorRegistry())
    await measure(connection, metrics, now)

    def total(name, **labels):
        return sum(
            sample.value
            for family in metrics.registry.collect()
            for sample in family.samples
            if sample.name == f"orderflow_{name}" and labels.items() <= sample.labels.items()
        )

    return total


@pytest.mark.parametrize("seed", range(3))
async def test_figures_are_those_of_the_facts_after_shuffled_and_repeated_events(
    connection, batches, seed
):
    dice = random.Random(seed)
    events = list(drawn_events(dice))
    coming = [*events, *dice.sample(events, 20)]

    for batch in shuffled_batches(dice, coming, 20):
        await apply(connection, batches, *batch)
    kept = await counts(connection)

    assert kept == await counted_by_the_migration(connection) != []
    await assert_gauges_are_the_report(connection)
    async with connection.transaction():
        await rebuild.empty(connection, NOON)
    assert await counts(connection) == []
    assert (await measured(connection))("known_parcels") == 0
    await apply(connection, batches, *reversed(events))
    assert await counts(connection) == kept


async def assert_gauges_are_the_report(connection):
    total = await measured(connection)
    (row,) = (await read_report(connection, ReportQuery())).rows
    assert total("known_orders") == row.orders
    assert total("known_orders", status="cancelled") == row.orders_cancelled
    assert total("known_orders", status="other") > 0, "a status that this version does not know"
    assert total("known_deliveries") == row.parcels_delivered
    for on_time in ("early", "on_time", "late"):
        assert total("known_deliveries", on_time=on_time) == getattr(row, f"parcels_{on_time}")
    assert total("known_deliveries", on_time="unknown") == row.parcels_without_promise
    assert total("known_claims") == row.claims
    assert total("known_claims", status="withdrawn") == row.claims_withdrawn
    assert total("known_parcels") == await connection.fetchval("SELECT count(*) FROM parcel_fact")
    assert total("parcels_overdue") == await connection.fetchval(OVERDUE, NOON.date()) > 0


@pytest.mark.parametrize(
    ("changes", "promised", "is_overdue"),
    [
        pytest.param({}, "2026-02-28", True, id="yesterday"),
        pytest.param({}, "2026-03-01", False, id="today"),
        pytest.param({}, "2025-12-31", True, id="sixty-days-ago"),
        pytest.param({}, "2025-12-30", False, id="sixty-one-days-ago"),
        pytest.param({}, None, False, id="no-promise"),
        pytest.param({"phase": "return_transit"}, "2026-02-28", False, id="on-its-way-back"),
        pytest.param({"direction": "customer_merchant"}, "2026-02-28", False, id="return"),
        pytest.param(
            {"phase": "delivered", "delivered_at": "2026-03-01T10:00:00Z"},
            "2026-02-28",
            False,
            id="delivered",
        ),
    ],
)
async def test_figures_parcel_is_overdue_after_its_promised_day(
    connection, batches, changes, promised, is_overdue
):
    event = an_order_event("1", 1, [a_parcel("1", **changes)], promised_delivery_date=promised)

    await apply(connection, batches, event)

    assert (await measured(connection))("parcels_overdue") == int(is_overdue)
