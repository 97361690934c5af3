"""Snapshots of orders: what they say, which are chosen, and that nothing but them comes of it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from schemas.identity import order_id
from services.orders.operations.republish import (
    BEGINNING,
    END,
    FIRST,
    SQL,
    OrderFilter,
    Progress,
    Republisher,
    RunPosition,
)
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from tests.integration.orders.conftest import NOW, a_record, a_report, an_upsert

ACT = Act("orders.republish", "ada", "the index was lost")
SCANNED = "2026-03-01T11:00:00Z"
LATELY = datetime(2026, 1, 2, 3, 46, tzinfo=UTC)
"""When the last thousand of a hundred thousand orders began to change."""


@pytest.fixture
def republish(pool, settings):
    """A run of `orderflow republish`; returns its last progress."""

    async def run(selection=None, *, after=None, rate=10_000.0, stop_after=None, **options):
        async with pool.acquire() as connection:
            republisher = Republisher(settings, connection, rate=rate, now=lambda: NOW, **options)
            seen = [Progress(RunPosition())]
            async for progress in republisher.run(
                selection or OrderFilter(), after or RunPosition(), ACT
            ):
                seen.append(progress)
                if len(seen) - 1 == stop_after:
                    break
            return seen[-1]

    return run


@pytest.fixture
def rows(pool):
    """All orders as they lie in the table."""

    async def read():
        async with pool.acquire() as connection:
            return await connection.fetch("SELECT * FROM shop_order ORDER BY order_id")

    return read


@pytest.fixture
def snapshots(published):
    """Headers and bodies of the snapshots in the outbox."""

    async def read():
        records = await published("orders.events")
        return [(h, b) for _, h, b in records if h["ce_type"] == b"order.snapshot"]

    return read


async def test_snapshot_says_what_the_last_event_said_and_takes_no_number(
    apply, published, republish, snapshots, rows
):
    await apply(an_upsert("1", trackings=["T0001"]), a_report("T0001"))
    before = await rows()
    *_, (_, last, event) = await published("shipments.events")

    progress = await republish()

    ((headers, body),) = await snapshots()
    assert progress.orders == 1
    assert body["context"] == event["context"]
    assert body["order_version"] == event["order_version"] == int(headers["ce_orderversion"])
    sequences = [h["ce_sequence"] for _, h, _ in await published("orders.events")]
    # The snapshot repeats the number of the order's only event.
    assert sequences == [headers["ce_sequence"]] * 2
    assert (body["event_name"], body["event_group"]) == ("ORDER_SNAPSHOT", None)
    assert headers["ce_id"] != last["ce_id"]
    assert await rows() == before


async def test_snapshot_id_is_the_same_for_the_same_state_only(apply, republish, snapshots):
    await apply(an_upsert("1"))
    for _ in range(2):
        await republish()
    await apply(an_upsert("1", trackings=["T0001"]))
    await republish()
    await apply(a_claim_event("1", 1))
    await republish()

    ids = [headers["ce_id"] for headers, _ in await snapshots()]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


async def test_claims_come_whole(apply, republish, snapshots):
    await apply(an_upsert("1"), a_claim_event("1", 1), a_claim_event("1", 2))

    await republish()

    ((_, body),) = await snapshots()
    (claim,) = body["context"]["claims"]
    assert claim["sequence"] == 2
    assert claim["event_data"]["held_items"] == [{"product": "sku/MUG-BLUE", "quantity": 1}]


async def test_orders_are_chosen_by_shop_name_and_time_of_change(apply, pool, republish, snapshots):
    await apply(*(an_upsert(str(n)) for n in range(3)), an_upsert("1", shop="other"))
    async with pool.acquire() as connection:
        (early,) = await connection.fetchrow("SELECT now()")
    await apply(an_upsert("2", trackings=["T0002"]), a_record("order.cancel", {}))
    one = order_id("demo-shop", "1")

    async def chosen(**selection):
        before = len(await snapshots())
        await republish(OrderFilter(**selection))
        new = (await snapshots())[before:]
        return sorted(f"{body['shop_slug']}/{number(body)}" for _, body in new)

    def number(body):
        return body["context"]["order"]["order_number"]

    assert await chosen(shop="other") == ["other/1"]
    assert await chosen(order_ids=(one, UUID(int=7))) == ["demo-shop/1"]
    assert await chosen(since=early) == ["demo-shop/2"]
    assert await chosen(until=early, shop="demo-shop") == ["demo-shop/0", "demo-shop/1"]
    assert await chosen(since=early + timedelta(hours=1)) == []
    assert len(await chosen()) == 4


@pytest.mark.parametrize("selection", [OrderFilter(), OrderFilter(shop="demo-shop"), "since"])
async def test_republish_that_was_stopped_continues_where_it_stopped(
    apply, republish, snapshots, selection
):
    await apply(*(an_upsert(str(n)) for n in range(9)))
    chosen = OrderFilter(since=NOW.replace(year=2000)) if selection == "since" else selection

    first = await republish(chosen, rate=2, stop_after=2)
    rest = await republish(chosen, after=RunPosition.read(str(first.place)))

    order_ids = [body["order_id"] for _, body in await snapshots()]
    assert (first.orders, rest.orders) == (4, 5)
    assert len(set(order_ids)) == 9


async def test_it_waits_while_much_is_unpublished(apply, pool, republish, snapshots):
    await apply(*(an_upsert(str(n)) for n in range(4)))
    waiting = await _in_outbox(pool)

    with pytest.raises(TimeoutError):
        await _within(0.3, republish(backlog_rows=waiting))
    assert await snapshots() == []

    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM outbox")
    assert (await republish(backlog_rows=waiting)).orders == 4


async def test_it_keeps_to_its_pace(apply, republish):
    await apply(*(an_upsert(str(n)) for n in range(8)))

    with pytest.raises(TimeoutError):
        await _within(0.4, republish(rate=10))


async def test_republish_act_is_recorded_once_with_the_first_batch(apply, pool, republish):
    await apply(*(an_upsert(str(n)) for n in range(4)))

    await republish(rate=2000)
    await republish(OrderFilter(shop="unknown-shop"))

    async with pool.acquire() as connection:
        (found,) = await audit.read(connection, audit.ActFilter())
    assert replace(found.act, detail={}) == ACT


async def _in_outbox(pool):
    async with pool.acquire() as connection:
        return await connection.fetchval("SELECT count(*) FROM outbox")


async def _within(seconds, work):
    async with asyncio.timeout(seconds):
        return await work


def a_claim_event(number, sequence):
    """A claim event as the claims service publishes it."""
    id_ = str(order_id("demo-shop", number))
    body = {
        "source": "claims",
        "ref": "claims/updated",
        "event_name": "updated",
        "triggered_at": SCANNED,
        "shop_slug": "demo-shop",
        "event_id": id_,
        "order_id": id_,
        "sequence": sequence,
        "order_version": 1,
        "event_data": {
            "claim_id": id_,
            "event_name": "updated",
            "reason": "damage",
            "status": "pending",
            "held_items": [{"product": "sku/MUG-BLUE", "quantity": 1}],
        },
        "context": {"shipments": [], "claims": []},
    }
    return a_record("claim.updated", body, topic="claims.events", key=id_.encode())


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        ("find_all", (FIRST, 500)),
        ("find_chosen", ([FIRST], FIRST, 500)),
        ("find_of_shop", ("shop-7", FIRST, 500)),
        ("find_changed", (LATELY, END, None, BEGINNING, FIRST, 500)),
    ],
)
async def test_choosing_among_a_hundred_thousand_reads_no_whole_table(
    pool, a_hundred_thousand, statement, arguments
):
    async with pool.acquire() as connection:
        plan = await connection.fetch(f"EXPLAIN {SQL[statement]}", *arguments)

    assert "Seq Scan" not in str(plan), plan


@pytest.fixture
async def a_hundred_thousand(pool, database_url):
    """Orders of a thousand shops that changed one after the other, a second apart."""
    async with pool.acquire() as connection:
        await connection.execute("""
            INSERT INTO shop_order (order_id, shop, order_number, version, document, changed_at)
            SELECT gen_random_uuid(), 'shop-' || n % 1000, n::text, 1, '{}',
                   '2026-01-01'::timestamptz + n * interval '1 second'
              FROM generate_series(1, 100000) AS n
            """)
    owner = await asyncpg.connect(database_url)
    await owner.execute("VACUUM ANALYZE orders.stored_order")
    await owner.close()
