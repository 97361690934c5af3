"""Reviews of stored orders after a change of campaigns, on a real database."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from services.orders import campaign_reviews
from services.orders.domain.decide import decide
from services.orders.domain.model.ids import order_id_of
from services.orders.handler import OrdersBatch
from services.orders.store import read_order
from services.runtime.batch.batch import Batch
from services.runtime.observability.metrics import Metrics
from tests.integration.batches import applied_by, patiently
from tests.integration.orders.campaigns.messages import (
    SHOP,
    a_campaign,
    an_order,
    chosen,
)
from tests.integration.orders.conftest import NOW, an_upsert


async def test_campaign_that_comes_after_its_orders_is_chosen_in_a_review(
    apply, pool, review, happened
):
    """The first command of a shop reviews all stored orders, a later one those since its time."""
    await apply(an_order("1"))
    await apply(a_campaign("spring", priority=1))
    assert await chosen(pool, "1") is None

    assert await review() == 2  # One page, and its end.
    assert await chosen(pool, "1") == ("placement", "only_match", "spring")

    await apply(a_campaign("loud", segment="other"))
    await apply(an_order("2", segments=["vip", "other"]))
    await review()
    before = await happened("orders.events")
    await apply(a_campaign("loud", segment="other", priority=5))
    await review()

    assert await chosen(pool, "1") == ("placement", "only_match", "spring")
    assert await chosen(pool, "2") == ("placement", "priority", "loud")
    assert (await happened("orders.events"))[len(before) :] == ["order.campaign_selected"]


async def test_review_looks_only_at_orders_since_the_change(apply, pool, review):
    await apply(a_campaign("spring"))
    await review()
    await apply(an_order("1"))
    late = an_upsert("2", segments=["vip"], order_placed_at="2026-02-27T10:00:00Z")
    await apply(late)
    await apply(a_campaign("spring", priority=3, effective_at="2026-02-25T00:00:00Z"))
    rows = await pool.fetch("SELECT since, after_id FROM campaign_review")

    await review()

    assert [row["since"] for row in rows] == [datetime(2026, 2, 25, tzinfo=UTC)]
    assert await pool.fetchval("SELECT count(*) FROM campaign_review") == 0
    assert await chosen(pool, "2") == ("placement", "only_match", "spring")


async def test_review_finds_orders_that_were_decided_beside_the_change(
    apply, orders, pool, settings, review, until_it_waits_for_a_lock
):
    """A change waits for batches that were decided by the book before it."""
    await apply(a_campaign("spring"))
    await review()
    other = OrdersBatch(settings, Metrics())
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await orders.apply(connection, Batch((an_order("1"),), NOW))
        change = asyncio.create_task(
            applied_by(other, pool, NOW)(a_campaign("spring", segment="other", source_version=1))
        )
        await until_it_waits_for_a_lock()
        assert not change.done()
        await transaction.commit()
    await change
    assert await chosen(pool, "1") == ("placement", "only_match", "spring")

    await review()

    assert await chosen(pool, "1") == ("placement", "no_match", None)


async def test_reviews_and_batches_of_two_processes_end_in_one_choice(
    apply, pool, settings, review
):
    """Orders and changes of campaigns at the same time, in two processes with reviews beside."""
    first, second = (applied_by(OrdersBatch(settings, Metrics()), pool, NOW) for _ in range(2))

    async def place(apply_one, numbers):
        for number in numbers:
            await patiently(apply_one, an_order(f"{number}"))

    async def change():
        for priority in range(8):
            await patiently(second, a_campaign("spring", priority=priority))
            loud = a_campaign("loud", segment=None, priority=priority)
            await patiently(second, loud)

    async def look():
        for _ in range(5):
            await review()

    await asyncio.gather(place(first, range(20)), change(), place(second, range(20, 40)), look())
    await review()

    versions = set()
    async with pool.acquire() as connection:
        for number in range(40):
            order = await read_order(connection, order_id_of(SHOP, f"{number}"))
            versions.add((order.campaign.campaign_id, order.campaign.campaign_version))
    assert len(versions) == 1


async def test_interrupted_review_goes_on_where_it_was(apply, pool, reviews, review, monkeypatch):
    monkeypatch.setattr(campaign_reviews, "PAGE_ORDERS", 3)
    await apply(*(an_order(str(n)) for n in range(8)))
    await apply(a_campaign("spring"))

    async with pool.acquire() as connection:
        async with connection.transaction():
            assert await reviews.review(connection, NOW) == 1
        lost = connection.transaction()
        await lost.start()
        await reviews.review(connection, NOW)
        await lost.rollback()  # As a process that dies.

    assert await review() == 3
    assert {await chosen(pool, str(n)) for n in range(8)} == {("placement", "only_match", "spring")}
    assert await pool.fetchval("SELECT count(*) FROM campaign_order") == 8


async def test_reviews_of_shops_take_turns(apply, pool, reviews, monkeypatch):
    monkeypatch.setattr(campaign_reviews, "PAGE_ORDERS", 2)
    await apply(*(an_order(str(n)) for n in range(6)))
    await apply(a_campaign("spring"))
    await apply(an_order("a", shop="other"), a_campaign("winter", shop="other"))

    async with pool.acquire() as connection:
        await reviews.take_turn(connection, NOW)
        await reviews.take_turn(connection, NOW)

    chosen_by = await pool.fetch("SELECT shop, count(*) FROM campaign_order GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in chosen_by] == [("demo-shop", 2), ("other", 1)]


async def test_review_that_fails_does_not_hold_those_of_other_shops(apply, pool, reviews):
    await apply(an_order("1"))
    await apply(a_campaign("spring"))
    await apply(an_order("a", shop="other"), a_campaign("winter", shop="other"))
    await pool.execute("UPDATE campaign_review SET turn_at = turn_at - interval '1 h' WHERE id = 1")

    async with pool.acquire() as blocking, pool.acquire() as connection:
        await connection.execute("SET lock_timeout = '100ms'")
        async with blocking.transaction():
            await blocking.execute("SELECT FROM stored_order WHERE shop = $1 FOR UPDATE", SHOP)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await reviews.take_turn(connection, NOW)
            await reviews.take_turn(connection, NOW)

    assert await pool.fetch("SELECT shop FROM campaign_order") == [("other",)]


async def test_order_that_cannot_be_reviewed_is_left_and_counted(
    apply, pool, reviews, review, monkeypatch
):
    await apply(an_order("1"), an_order("2"))
    await apply(a_campaign("spring"))
    failing = order_id_of(SHOP, "1")

    def decide_or_fail(world, command, now):
        if command.order_id == failing:
            raise ZeroDivisionError
        return decide(world, command, now)

    monkeypatch.setattr(campaign_reviews, "decide", decide_or_fail)
    await review()

    assert await chosen(pool, "1") is None
    assert await chosen(pool, "2") == ("placement", "only_match", "spring")
    failures = reviews.metrics.campaign_review_failures_total.labels("orders")
    assert failures._value.get() == 1
