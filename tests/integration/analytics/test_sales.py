"""Counters of sales by campaign: equal to the sums over the newest events, after any events."""

import asyncio
import random
from collections import defaultdict
from decimal import Decimal

import pytest

from services.analytics.operations import rebuild
from services.runtime.postgres.connections import connect
from tests.integration.analytics.batches import apply, shuffled_batches
from tests.unit.analytics.builders import NOON, a_sale, a_snapshot, an_order_event

ORDERS = 8
VERSIONS = 5
BATCH_MAX = 6


async def counters(connection):
    """Orders, revenue and discount by shop, campaign, day and currency, without zeros."""
    rows = await connection.fetch(
        """SELECT shop, campaign_id, placed_on::text, currency, sum(orders)::int AS orders,
                  sum(revenue) AS revenue, sum(discount) AS discount
             FROM campaign_sale GROUP BY 1, 2, 3, 4"""
    )
    found = {tuple(row)[:4]: tuple(row)[4:] for row in rows}
    return {key: sums for key, sums in found.items() if any(sums)}


def expected(events):
    """The same, from the newest event of each order, as an arithmetic of Decimals."""
    newest = {}
    for event in sorted(events, key=lambda event: event["order_version"]):
        newest[event["order_id"]] = event
    sums = defaultdict(lambda: (0, Decimal(), Decimal()))
    for event in newest.values():
        order = event["context"]["order"]
        if order["status"] == "cancelled":
            continue
        credit = (order.get("attribution") or {}).get("credit") or {}
        key = (
            event["shop_slug"],
            credit.get("campaign_id") or "",
            order["placed_at"][:10],
            order["currency"],
        )
        orders, revenue, discount = sums[key]
        price, less = Decimal(order["total_order_price"]), Decimal(order["discount_price"])
        sums[key] = (orders + 1, revenue + price, discount + less)
    return {key: each for key, each in sums.items() if any(each)}


def lives(dice):
    """Events of some orders: credits, prices, days and currencies change, some are cancelled."""
    for number in range(ORDERS):
        for version in range(1, VERSIONS + 1):
            sale = a_sale(
                dice.choice([None, "spring", "winter"]),
                f"{dice.randrange(10**6)}.{dice.randrange(10**4):04}",
                discount=f"{dice.randrange(900) / 100:.2f}",
                currency=dice.choice(["EUR", "EUR", "CHF"]),
                placed_at=f"2026-03-0{dice.randint(1, 2)}T09:30:00Z",
                shop=dice.choice(["demo-shop", "demo-shop", "other-shop"]),
            )
            if dice.random() < 0.2:
                sale |= {"status": "cancelled", "cancelled_at": "2026-03-03T08:00:00Z"}
            yield an_order_event(str(1000 + number), version, **sale)


@pytest.mark.parametrize("seed", range(4))
async def test_counters_are_the_sums_after_any_batches_of_repeated_and_late_events(
    connection, batches, seed
):
    dice = random.Random(seed)
    events = list(lives(dice))
    coming = [*events, *dice.sample(events, len(events) // 2)]
    applied = []

    for batch in shuffled_batches(dice, coming, BATCH_MAX):
        applied += batch
        await apply(connection, batches, *batch)
        assert await counters(connection) == expected(applied)

    assert await counters(connection) == expected(events) != {}


async def test_counters_of_all_campaigns_add_up_to_the_revenue_of_all_orders(connection, batches):
    events = list(lives(random.Random(1)))
    await apply(connection, batches, *events)

    by_currency = defaultdict(Decimal)
    for (_, _, _, currency), (_, revenue, _) in (await counters(connection)).items():
        by_currency[currency] += revenue
    rows = await connection.fetch(
        "SELECT currency, sum(revenue) FROM order_fact WHERE status <> 'cancelled' GROUP BY 1"
    )

    assert dict(rows) == by_currency


async def test_counters_are_the_same_after_a_rebuild_from_snapshots(connection, batches):
    events = list(lives(random.Random(2)))
    await apply(connection, batches, *events)
    live = await counters(connection)
    newest = [event for event in events if event["order_version"] == VERSIONS]

    async with connection.transaction():
        emptied = await rebuild.empty(connection, NOON)
    assert await counters(connection) == {}
    assert await connection.fetchval("SELECT count(*) FROM campaign_sale") == 0
    await apply(connection, batches, *map(a_snapshot, newest), *events[:7])

    assert emptied["order_fact"] == ORDERS
    assert await counters(connection) == live


async def test_order_from_before_sales_were_kept_takes_its_sale_from_a_snapshot(
    connection, batches
):
    event = an_order_event(version=3, **a_sale("spring", "29.90"))
    await apply(connection, batches, event)
    await connection.execute(
        "UPDATE order_fact SET sale_version = 0, campaign_id = NULL, revenue = 0"
    )
    assert await counters(connection) == {}

    await apply(connection, batches, an_order_event(version=2, **a_sale("winter", "1.00")))
    assert await counters(connection) == {}
    await apply(connection, batches, a_snapshot(event))

    key = ("demo-shop", "spring", "2026-03-01", "EUR")
    assert await counters(connection) == {key: (1, Decimal("29.90"), 0)}


async def test_transactions_that_count_for_one_shop_and_day_do_not_wait_for_each_other(
    connection, batches, settings
):
    second = await connect(settings, "analytics", "test")
    try:
        async with asyncio.timeout(20), connection.transaction():
            await apply(connection, batches, an_order_event("1", **a_sale("spring", "1.00")))
            await apply(second, batches, an_order_event("2", **a_sale("spring", "2.00")))
            await apply(second, batches, an_order_event("2", 2, **a_sale("spring", "4.00")))
    finally:
        await second.close()

    rows = await connection.fetch("SELECT stripe, orders, revenue FROM campaign_sale ORDER BY 1")
    assert [tuple(row) for row in rows] == [(0, 1, Decimal("1.00")), (1, 1, Decimal("4.00"))]
