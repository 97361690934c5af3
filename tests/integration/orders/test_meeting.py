"""What waits and what it waits for never miss each other, whichever transaction comes first."""

import asyncio

import asyncpg
import pytest

from services.runtime.batch.batch import Batch
from tests.integration.batches import patiently
from tests.integration.orders.conftest import NOW, a_cancel, a_report, an_upsert


@pytest.mark.parametrize("early", [True, False], ids=["waiting first", "appearing first"])
@pytest.mark.parametrize("anchored", [True, False], ids=["an item waits already", "no item waits"])
@pytest.mark.parametrize(
    ("waits", "appears", "events"),
    [
        (
            lambda: a_cancel("1"),
            lambda: an_upsert("1"),
            ["ORDER_PLACED", "ORDER_CANCELLED"],
        ),
        (
            lambda: a_cancel("ext-1", "external_id"),
            lambda: an_upsert("1", external_id="ext-1"),
            ["ORDER_PLACED", "ORDER_CANCELLED"],
        ),
        (
            lambda: a_report("1Z1"),
            lambda: an_upsert("1", trackings=["1Z1"]),
            ["ORDER_PLACED", "SHIPMENT_FULFILLED", "PICKED_UP_BY_CARRIER"],
        ),
    ],
    ids=["by number", "by external id", "by tracking number"],
)
async def test_two_transactions_meet(
    apply,
    orders,
    pool,
    published,
    waits,
    appears,
    events,
    early,
    anchored,
    until_it_waits_for_a_lock,
):
    if anchored:
        await apply(waits())
    first, second = (waits(), appears()) if early else (appears(), waits())
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await orders.apply(connection, Batch((first,), NOW))
        other = asyncio.create_task(patiently(apply, second))
        await until_it_waits_for_a_lock()
        await transaction.commit()
    await other

    names = [r[2]["event_name"] for r in await published() if r[0].endswith(".events")]
    assert sorted(names) == sorted(events)
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_two_transactions_that_place_one_order_make_it_once(
    apply, orders, pool, published, until_it_waits_for_a_lock
):
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await orders.apply(connection, Batch((an_upsert("1", ce_id="a"),), NOW))
        other = asyncio.create_task(apply(an_upsert("1", ce_id="b")))
        await until_it_waits_for_a_lock()
        await transaction.commit()
    with pytest.raises(asyncpg.UniqueViolationError):
        await other

    await apply(an_upsert("1", ce_id="b"))

    names = [r[2]["event_name"] for r in await published("orders.events")]
    assert names == ["ORDER_PLACED"]
