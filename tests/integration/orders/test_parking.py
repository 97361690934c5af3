"""Parking in orders: items of one order stay behind the one that fails, others go on (P4)."""

import pytest

from schemas.identity import order_id
from services.runtime.batch.batch import Batch
from services.runtime.parking import operations
from services.runtime.parking.selection import ParkedSelection
from tests.integration.orders.conftest import NOW, a_cancel, a_record, a_report, an_upsert
from tests.integration.parked_rows import park_as_before


@pytest.fixture
def parked(pool):
    """Kind, offset and index of each row of the queue, in order."""

    async def read():
        rows = await pool.fetch('SELECT kind, "offset", index FROM parked ORDER BY id, nth')
        return [(row["kind"], row["offset"], row["index"]) for row in rows]

    return read


def at(record, index=0):
    """Where a parked item of the record is, as `parked` shows it."""
    return record.coordinates.offset, index


async def events(published):
    """Name and order number of each event, as they were decided."""
    return [
        (record[2]["event_name"], record[2]["context"]["order"]["order_number"])
        for record in await published()
        if record[0].endswith(".events")
    ]


async def test_parking_keeps_later_items_of_an_order_behind_the_failed_one(
    apply, bug, parked, published, pool
):
    await apply(an_upsert("1", trackings=["1Z001"]), an_upsert("2", trackings=["1Z002"]))
    poison = an_upsert("1", email_id="POISON@mail.example")
    scan, cancel = a_report("1Z001"), a_cancel("1")
    before = len(await published())

    await apply(poison, scan, cancel, a_report("1Z002"), an_upsert("3"))

    assert await parked() == [
        ("decision", *at(poison)),
        ("behind", *at(scan)),
        ("behind", *at(cancel)),
    ]
    new = (await published())[before:]
    assert {record[2]["event_name"] for record in new if record[0].endswith(".events")} == {
        "PICKED_UP_BY_CARRIER",
        "ORDER_PLACED",
    }
    row = await pool.fetchrow("SELECT * FROM parked ORDER BY id LIMIT 1")
    assert "a decision that fails" in row["error"]
    assert "services/orders/unit_of_work.py" in row["traceback"]
    assert (row["value"], row["key"]) == (poison.value, poison.key)


async def test_parking_keeps_items_of_later_batches_and_other_topics_behind_too(apply, bug, parked):
    await apply(an_upsert("1", trackings=["1Z001"]))
    poison, scan = an_upsert("1", email_id="POISON@mail.example"), a_report("1Z001")

    await apply(poison)
    await apply(scan, an_upsert("2"))

    assert await parked() == [("decision", *at(poison)), ("behind", *at(scan))]


async def test_parking_holds_a_second_order_that_shares_a_parcel(apply, bug, parked):
    poison = an_upsert("1", email_id="POISON@mail.example", trackings=["1Z001"])
    scan, second = a_report("1Z001"), an_upsert("2", trackings=["1Z001", "1Z002"])
    third, free = a_cancel("2"), an_upsert("3")

    await apply(poison, scan)
    await apply(second, third, free)

    assert await parked() == [
        ("decision", *at(poison)),
        ("behind", *at(scan)),
        ("behind", *at(second)),
        ("behind", *at(third)),
    ]


async def test_parking_takes_an_item_that_names_a_parked_order_instead_of_letting_it_wait(
    apply, bug, parked, pool
):
    poison = an_upsert("1", email_id="POISON@mail.example", external_id="ext-1")
    cancel = a_cancel("ext-1", "external_id")

    await apply(poison, cancel)

    assert await parked() == [("decision", *at(poison)), ("behind", *at(cancel))]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_parking_takes_a_woken_item_that_fails_out_of_the_waiting_ones(
    apply, bug, parked, pool
):
    body = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    poison, order, late = a_record("order.cancel", body), an_upsert("1"), a_cancel("1")

    bug["mended"] = True
    await apply(poison)
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 1
    bug["mended"] = False

    await apply(order, late)

    assert await parked() == [("decision", *at(poison)), ("behind", *at(late))]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_parking_takes_one_item_of_a_bulk_command_alone(apply, bug, parked, pool):
    items = [
        {"id": f"{n}", "order": {"order_number": f"{n}", "address": {"zip_code": "1"}}}
        for n in range(1000)
    ]
    items[500]["order"]["email_id"] = "POISON@mail.example"
    bulk = a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": items})

    await apply(bulk)

    assert await parked() == [("decision", *at(bulk, 500))]
    assert await pool.fetchval("SELECT count(*) FROM shop_order WHERE document IS NOT NULL") == 999
    assert len(await pool.fetchval("SELECT value FROM parked")) < 10_000


async def test_parking_publishes_nothing_of_a_parked_command(apply, bug, published):
    await apply(an_upsert("1", email_id="POISON@mail.example"), a_cancel("1"))

    assert await published() == []


@pytest.mark.parametrize(
    "key",
    [
        f"order:{order_id('demo-shop', '1')}",
        "order/demo-shop/order_number/1",
        f"order/demo-shop/uuid/{order_id('demo-shop', '1')}",
        "order/demo-shop/external_id/e-1",
        "number/1Z001",
    ],
)
async def test_parking_row_of_the_version_before_holds_back_the_next_item_of_its_order(
    apply, orders, parked, pool, published, key
):
    first = an_upsert("1", external_id="e-1", trackings=["1Z001"])
    second = an_upsert("1", external_id="e-1", trackings=["1Z001"], order_name="#1")
    async with pool.acquire() as connection:
        await park_as_before(connection, first, "order.upsert", key)

    await apply(second, an_upsert("2"))

    assert await parked() == [("decision", *at(first)), ("behind", *at(second))]
    async with pool.acquire() as connection, connection.transaction():
        result = await operations.retry(connection, orders.apply, ParkedSelection(), now=NOW)
    assert [each.became for each in result.items] == ["applied", "applied"]
    assert await events(published) == [
        ("ORDER_PLACED", "2"),
        ("ORDER_PLACED", "1"),
        ("SHIPMENT_FULFILLED", "1"),
        ("ORDER_UPDATED", "1"),
    ]


async def test_parking_row_of_the_version_before_keeps_what_waits_for_its_order(
    apply, orders, pool
):
    await apply(a_cancel("1"))
    async with pool.acquire() as connection:
        await park_as_before(
            connection, an_upsert("1"), "order.upsert", "order/demo-shop/order_number/1"
        )

    async with pool.acquire() as connection, connection.transaction():
        assert await orders.sweep(connection, Batch((), NOW.replace(year=2030))) == 0
