"""Histograms of durations: equal to those made from the facts, and near the exact percentiles."""

import random
from pathlib import Path

import pytest

from services import analytics
from services.analytics.domain.durations import ERROR_MAX, bucket_of
from services.analytics.operations import rebuild
from services.analytics.operations.report import Dimension, ReportQuery, read_report
from tests.integration.analytics.batches import apply, shuffled_batches
from tests.unit.analytics.builders import NOON, a_parcel, an_order_event

MIGRATION = Path(analytics.__file__).parent / "migrations" / "0007_durations.sql"
DURATIONS = ("placed_to_shipped", "shipped_to_delivered", "placed_to_delivered")
HISTOGRAMS = """
SELECT shop, carrier, country, duration, ended_on, bucket, sum(parcels)::int
  FROM parcel_duration GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(parcels) <> 0
 ORDER BY 1, 2, 3, 4, 5, 6
"""
EXACT = """
SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM
       CASE $1 WHEN 'placed_to_shipped' THEN handed_over_at - placed_at
               WHEN 'shipped_to_delivered' THEN delivered_at - handed_over_at
               ELSE delivered_at - placed_at END)::float8)
  FROM parcel_fact
 WHERE NOT is_return
   AND CASE $1 WHEN 'placed_to_shipped' THEN handed_over_at - placed_at
               WHEN 'shipped_to_delivered' THEN delivered_at - handed_over_at
               ELSE delivered_at - placed_at END >= interval '0'
"""


def drawn_events(dice):
    """Events of orders whose parcels move, come back, vanish, and get other times and carriers."""
    for number in range(40):
        for version in (1, 2, 3):
            parcels = [drawn_parcel(dice, str(number), n) for n in range(1, dice.randint(1, 3))]
            address = {"country_code": dice.choice(["DE", "FR", ""])}
            yield an_order_event(
                str(number), version, parcels, address=address, expected_number_of_shipments=3
            )


def drawn_parcel(dice, number, ordinal):
    hour = dice.randint(1, 23)
    times = {
        "first_scan_at": f"2026-03-0{dice.randint(1, 3)}T{hour:02}:10:{dice.randint(0, 59):02}Z"
    }
    if dice.random() < 0.7:
        times["delivered_at"] = f"2026-03-{dice.randint(10, 20)}T12:{hour:02}:07Z"
    elif dice.random() < 0.3:
        times["direction"] = "customer_merchant"
    return a_parcel(number, ordinal, carrier_reference=dice.choice(["dhl", "ups", None]), **times)


async def histograms(connection):
    return [tuple(row) for row in await connection.fetch(HISTOGRAMS)]


async def filled_by_the_migration(connection):
    """The histograms that the migration makes of the facts, instead of those that were kept."""
    fill = MIGRATION.read_text().rpartition("INSERT INTO parcel_duration")
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("DELETE FROM parcel_duration")
    await connection.execute("".join(fill[1:]))
    found = await histograms(connection)
    await transaction.rollback()
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_histograms_are_those_of_the_facts_after_shuffled_and_repeated_events(
    connection, batches, seed
):
    dice = random.Random(seed)
    events = list(drawn_events(dice))
    coming = [*events, *dice.sample(events, 20)]

    for batch in shuffled_batches(dice, coming, 20):
        await apply(connection, batches, *batch)
    kept = await histograms(connection)

    assert kept == await filled_by_the_migration(connection) != []
    await assert_percentiles_are_near(connection)
    async with connection.transaction():
        await rebuild.empty(connection, NOON)
    assert await histograms(connection) == []
    await apply(connection, batches, *reversed(events))
    assert await histograms(connection) == kept


async def assert_percentiles_are_near(connection):
    (total,) = (await read_report(connection, ReportQuery(Dimension.TOTAL))).rows
    for name in DURATIONS:
        p50, p95 = await connection.fetchval(EXACT, name)
        found = getattr(total, name)
        assert found.p50_seconds == pytest.approx(p50, rel=ERROR_MAX, abs=1), name
        assert found.p95_seconds == pytest.approx(p95, rel=ERROR_MAX, abs=1), name


async def test_bucket_is_the_same_in_the_database_and_in_the_domain(connection):
    dice = random.Random(3)
    bounds = [2**power + step for power in range(6, 34) for step in (-1, 0, 1)]
    seconds = [*range(300), *bounds, *(dice.randrange(2**33) for _ in range(500))]

    found = await connection.fetch(
        "SELECT duration_bucket(n * interval '1 second') FROM unnest($1::bigint[]) AS n", seconds
    )

    assert [row[0] for row in found] == [bucket_of(each) for each in seconds]
