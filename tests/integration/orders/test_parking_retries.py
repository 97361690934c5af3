"""Retries of parked items: when they are due, beside batches, and where a write fails."""

import asyncio

import pytest

from services.runtime.batch.batch import Batch
from services.runtime.batch.items import FailureKind
from services.runtime.clock import SystemClock
from services.runtime.parking import operations
from services.runtime.parking.operations import ParkedSelection
from services.runtime.parking.retry_loop import RetryLoop
from tests.integration.orders.conftest import (
    EVERYTHING,
    NOW,
    a_cancel,
    a_poison,
    an_upsert,
    became,
    event_names,
)


@pytest.fixture
def retry_loop(pool, orders):
    """The retry loop of the service."""
    return RetryLoop(
        service="orders",
        pool=pool,
        apply=orders.apply,
        clock=SystemClock(),
        interval_seconds=1,
        committed=lambda: None,
    )


async def due_now(pool):
    """End the delay of every item."""
    await pool.execute("UPDATE parked SET next_try_at = now() WHERE next_try_at IS NOT NULL")


async def test_parking_retry_loop_retries_only_what_is_due(
    apply, bug, retry_loop, parked_kinds, pool
):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"))
    bug["mended"] = True
    assert await retry_loop.retry_due() == 0
    await pool.execute(
        "UPDATE parked SET next_try_at = now() WHERE id = (SELECT min(id) FROM parked)"
    )

    assert await retry_loop.retry_due() == 2
    assert await retry_loop.retry_due() == 0

    assert await parked_kinds() == ["decision"]


async def test_parking_retry_loop_doubles_the_delay_after_each_failure(
    apply, bug, retry_loop, pool
):
    await apply(a_poison())
    delays = []
    for _ in range(3):
        await due_now(pool)
        assert await retry_loop.retry_due() == 0
        delays.append(
            await pool.fetchval(
                "SELECT extract(epoch FROM next_try_at - last_tried_at)::float FROM parked"
            )
        )
    assert await pool.fetchval("SELECT attempts FROM parked") == 4
    assert 96 <= delays[0] <= 144
    assert 192 <= delays[1] <= 288
    assert 384 <= delays[2] <= 576


async def test_parking_retry_loop_decides_an_item_that_is_behind_nothing_any_more(
    apply, bug, retry_loop, parked_kinds, pool
):
    await apply(a_poison(), a_cancel("1"))
    await pool.execute("DELETE FROM parked WHERE kind = 'decision'")

    assert await retry_loop.retry_due() == 1
    assert await parked_kinds() == []


async def test_parking_retries_of_a_queue_exclude_each_other(
    apply, bug, retry_loop, pool, orders, parked_kinds
):
    await apply(a_poison())
    await due_now(pool)
    bug["mended"] = True
    async with pool.acquire() as connection, connection.transaction():
        await operations.retry(
            connection, orders.apply, ParkedSelection(kind=FailureKind.CRASH), now=NOW
        )
        assert await retry_loop.retry_due() == 0
    assert await retry_loop.retry_due() == 1


async def test_parking_of_an_order_keeps_what_waits_for_it_from_expiring(apply, bug, orders, pool):
    bug["mended"] = True
    await apply(a_cancel("1"))
    bug["mended"] = False
    await apply(a_poison())
    late = NOW.replace(year=2030)

    async with pool.acquire() as connection, connection.transaction():
        assert await orders.sweep(connection, Batch((), late)) == 0
    await pool.execute("DELETE FROM parked")
    async with pool.acquire() as connection, connection.transaction():
        # The item, and the placeholder of its order.
        assert await orders.sweep(connection, Batch((), late)) == 2


# Two transactions driven into each other.


async def test_parking_retry_goes_before_a_batch_that_meets_it(
    apply, bug, orders, pool, published, parked_kinds, retry_loop, until_it_waits_for_a_lock
):
    await apply(an_upsert("1"))
    await apply(a_poison(order_name="#1"))
    bug["mended"] = True
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await operations.retry(connection, orders.apply, EVERYTHING, now=NOW)
        other = asyncio.create_task(apply(a_cancel("1")))
        await until_it_waits_for_a_lock()
        await transaction.commit()
    await other

    assert await parked_kinds() == []
    assert await event_names(published) == ["ORDER_PLACED", "ORDER_UPDATED", "ORDER_CANCELLED"]


async def test_parking_retry_leaves_what_a_batch_parked_meanwhile_to_the_next_one(
    apply, bug, orders, pool, published, parked_kinds, retry_loop, act, until_it_waits_for_a_lock
):
    await apply(an_upsert("1"))
    await apply(a_poison(order_name="#1"))
    bug["mended"] = True
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await orders.apply(connection, Batch((a_cancel("1"),), NOW))
        other = asyncio.create_task(act(operations.retry))
        await until_it_waits_for_a_lock()
        await transaction.commit()
    assert became(await other) == ["applied"]
    assert await parked_kinds() == ["behind"]

    assert await retry_loop.retry_due() == 1

    assert await event_names(published) == ["ORDER_PLACED", "ORDER_UPDATED", "ORDER_CANCELLED"]


# Failures that are no decision's.


async def test_parking_retry_keeps_only_the_item_whose_write_fails(
    apply, bug, act, parked_kinds, refuse, pool, published
):
    await apply(a_poison("1"), a_poison("2"), a_cancel("2"), a_poison("3"))
    bug["mended"] = True
    await refuse("stored_order", "order_number = '2'")

    result = await act(operations.retry)

    assert became(result) == ["applied", "parked", "behind", "applied"]
    assert await parked_kinds() == ["write", "behind"]
    assert "unforeseen" in await pool.fetchval("SELECT error FROM parked WHERE kind = 'write'")
    await refuse.allow("stored_order")
    assert became(await act(operations.retry)) == ["applied", "applied"]
