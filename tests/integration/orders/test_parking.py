"""One order's items stand behind the one that fails; every other order goes on (P4)."""

import pytest

import services.orders.unit_of_work
from tests.e2e.poisoned import plant
from tests.integration.orders.conftest import a_cancel, a_record, a_report, an_upsert


@pytest.fixture
def bug(monkeypatch):
    """A bug that meets whatever says POISON, until it is mended."""
    state = {"mended": False}
    buggy = plant(services.orders.unit_of_work, lambda: state["mended"])
    monkeypatch.setattr(services.orders.unit_of_work, "decide", buggy)
    return state


@pytest.fixture
def parked(pool):
    """The queue: kind and offset of each row, in its order."""

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


async def test_what_fails_is_parked_and_later_items_of_its_order_stand_behind_it(
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
    told = (await published())[before:]
    assert {record[2]["event_name"] for record in told if record[0].endswith(".events")} == {
        "PICKED_UP_BY_CARRIER",
        "ORDER_PLACED",
    }
    row = await pool.fetchrow("SELECT * FROM parked ORDER BY id LIMIT 1")
    assert "a decision that fails" in row["error"]
    assert "services/orders/unit_of_work.py" in row["traceback"]
    assert (row["value"], row["key"]) == (poison.value, poison.key)


async def test_what_comes_in_a_later_batch_and_from_another_topic_stands_behind_too(
    apply, bug, parked
):
    await apply(an_upsert("1", trackings=["1Z001"]))
    poison, scan = an_upsert("1", email_id="POISON@mail.example"), a_report("1Z001")

    await apply(poison)
    await apply(scan, an_upsert("2"))

    assert await parked() == [("decision", *at(poison)), ("behind", *at(scan))]


async def test_a_parcel_that_two_orders_share_carries_the_queue_on(apply, bug, parked):
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


async def test_an_order_that_is_parked_is_not_missing_to_what_names_it(apply, bug, parked, pool):
    poison = an_upsert("1", email_id="POISON@mail.example", external_id="ext-1")
    cancel = a_cancel("ext-1", "external_id")

    await apply(poison, cancel)

    assert await parked() == [("decision", *at(poison)), ("behind", *at(cancel))]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_what_waited_and_fails_when_it_is_called_leaves_the_waiting(apply, bug, parked, pool):
    body = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    poison, order, late = a_record("order.cancel", body), an_upsert("1"), a_cancel("1")

    bug["mended"] = True
    await apply(poison)
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 1
    bug["mended"] = False

    await apply(order, late)

    assert await parked() == [("decision", *at(poison)), ("behind", *at(late))]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_one_poison_in_a_bulk_command_parks_one_item(apply, bug, parked, pool):
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


async def test_nothing_is_told_of_a_parked_command(apply, bug, published):
    await apply(an_upsert("1", email_id="POISON@mail.example"), a_cancel("1"))

    assert await published() == []
