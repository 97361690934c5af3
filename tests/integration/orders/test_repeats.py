"""A command that comes again after any number of others on its order changes nothing."""

import pytest

from tests.integration.orders.conftest import a_cancel, a_record, an_upsert
from tests.integration.orders.test_batch import kinds, outcomes
from tests.integration.orders.test_statements import count_statements  # noqa: F401

DUPLICATE = ("no_change", "duplicate")
NAMED = {"shop_slug": "demo-shop", "id": "1"}


def an_update(city, *, ce_id=None, number="1"):
    """An `order.update` that moves the order to a city."""
    body = {**NAMED, "id": number, "address": {"zip_code": "10115", "city": city}}
    return a_record("order.update", body, ce_id=ce_id)


def a_bulk(count, *, ce_id, number="1"):
    """An `orders.fulfill_bulk` of so many items for one order, each moving it to a city."""
    items = [
        {
            "id": number,
            "order": {"order_number": number, "address": {"zip_code": "10115", "city": f"C{at}"}},
        }
        for at in range(count)
    ]
    return a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": items}, ce_id=ce_id)


def others(count, number="1"):
    return [an_update(f"other-{at}", number=number) for at in range(count)]


REPEATED = {
    "order.place": {"order": {"order_number": "1", "address": {"zip_code": "10115"}}},
    "order.upsert": {"id": "1", "trackings": [{"tracking_number": "1Z2"}]},
    "order.update": {"id": "1", "address": {"zip_code": "99999", "city": "Old Town"}},
    "order.cancel": {"id": "1"},
    "shipment.update": {"id": "1", "tracking_number": "1Z1", "tracking_url": "https://a.example"},
    "shipment.void": {"id": "1", "tracking_number": "1Z1"},
    "order.analytics.upsert": {"id": "1", "order_analytics": {"campaign_id": "old"}},
}


@pytest.mark.parametrize("type_", REPEATED)
async def test_command_is_known_after_hundreds_of_others(apply, published, type_):
    first = REPEATED[type_] | {"shop_slug": "demo-shop"}
    sent = [a_record(type_, first, ce_id="u-0") for _ in range(2)]
    await apply(an_upsert("1", trackings=["1Z1"], external_id="ext-1"))
    await apply(sent[0])
    for _ in range(3):
        await apply(*others(64))
    events = kinds(await published("orders.events")) + kinds(await published("shipments.events"))

    await apply(sent[1])

    assert outcomes(await published("orders.outcomes"))[-1] == DUPLICATE
    after = kinds(await published("orders.events")) + kinds(await published("shipments.events"))
    assert after == events


@pytest.mark.parametrize("named", [{"id": "ext-1", "id_type": "external_id"}, {"id": "1"}])
async def test_command_is_known_by_any_name_of_its_order(apply, published, named):
    old = {"shop_slug": "demo-shop", **named, "address": {"zip_code": "1", "city": "Old"}}
    await apply(an_upsert("1", external_id="ext-1"), a_record("order.update", old, ce_id="u-0"))
    await apply(*others(100))

    await apply(a_record("order.update", old, ce_id="u-0"))

    assert outcomes(await published("orders.outcomes"))[-1] == DUPLICATE


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_bulk_of_more_items_than_an_order_remembers_is_known_whole(
    apply, published, in_one_batch
):
    bulk = [a_bulk(66, ce_id="b-1"), a_bulk(66, ce_id="b-1")]
    if in_one_batch:
        await apply(*bulk)
    else:
        await apply(bulk[0])
        await apply(bulk[1])

    ends = outcomes(await published("orders.outcomes"))
    assert ends == [("applied", None)] * 66 + [DUPLICATE] * 66
    assert kinds(await published("orders.events")) == ["order.placed", *["order.updated"] * 65]


async def test_item_that_waited_is_known_after_others(apply, published):
    waiting = a_record("order.update", {**NAMED, "address": {"zip_code": "1"}}, ce_id="w-1")
    await apply(waiting)
    await apply(an_upsert("1"))
    await apply(*others(70))

    await apply(waiting)

    assert outcomes(await published("orders.outcomes"))[-1] == DUPLICATE


async def test_orders_of_up_to_64_commands_have_no_older_items(apply, pool):
    await apply(an_upsert("1"), *others(63))
    assert await pool.fetchval("SELECT count(*) FROM older_item") == 0

    await apply(a_cancel("1"))
    assert await pool.fetchval("SELECT count(*) FROM older_item") == 1
    row = await pool.fetchval("SELECT octet_length(applied) FROM stored_order")
    assert row == 64 * 8


async def test_repeat_of_an_older_item_is_not_stored_again(apply, pool):
    first = an_update("first", ce_id="u-0")
    await apply(an_upsert("1"), first, *others(64))
    count = "SELECT count(*) FROM older_item"
    assert await pool.fetchval(count) == 2

    await apply(first, an_update("last"))

    assert await pool.fetchval(count) == 3


async def test_older_items_cost_two_statements_whatever_their_number(
    count_statements,  # noqa: F811
    apply,
):
    def numbered(prefix, count):
        return [f"{prefix}-{at}" for at in range(count)]

    async def statements_of(numbers):
        sent = await count_statements([an_update("again", number=number) for number in numbers])
        return sorted(statement.partition("\n")[0] for statement in sent)

    few, many = numbered("few", 1), numbered("many", 50)
    for numbers in (few, many):
        for number in numbers:
            await apply(an_upsert(number), *others(64, number))
    await apply(*(an_upsert(number) for number in numbered("short", 50)))

    ordinary = await statements_of(numbered("short", 50))
    one, fifty = await statements_of(few), await statements_of(many)

    assert one == fifty == sorted([*ordinary, "-- find_older", "-- save_older"])
