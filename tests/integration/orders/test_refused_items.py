"""Refused items of bulk commands: each is kept whole, and can be meant alone when sent again."""

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.orders.messages.decode import read_item
from services.runtime.batch.batch import Batch
from services.runtime.messages.item_subset import ITEMS_HEADER
from services.runtime.messages.records import Coordinates, Original
from tests.integration.orders.conftest import NOW, a_record, an_upsert

LATE = NOW + timedelta(minutes=16)


def a_bulk(*ids, ce_id=None, **members):
    """An `orders.fulfill_bulk` of one item for each order number; None is a malformed item."""
    items = [{"id": id_, "trackings": []} if id_ else {"id": 7} for id_ in ids]
    body = {"shop_slug": "demo-shop", "items": items, **members}
    return a_record("orders.fulfill_bulk", body, ce_id=ce_id)


@pytest.fixture
def sweep(pool, orders):
    """Ends what has waited until `now`."""

    async def run(now):
        async with pool.acquire() as connection, connection.transaction():
            return await orders.sweep(connection, Batch((), now))

    return run


@pytest.fixture
def refused(pool):
    """The refused rows, by index."""

    async def read():
        async with pool.acquire() as connection:
            return await connection.fetch('SELECT * FROM rejected ORDER BY "offset", index')

    return read


async def test_items_of_one_command_that_expire_together_are_each_kept(apply, sweep, refused):
    await apply(a_bulk("1", "2", "3"))

    assert await sweep(LATE) == 6  # Each item, and the placeholder of its order.

    rows = await refused()
    numbers = []
    for row in rows:
        at = Coordinates(row["topic"], row["partition"], row["offset"])
        kept = Original(at, row["key"], (("ce_type", b"orders.fulfill_bulk"),), row["value"], NOW)
        numbers.append(read_item(kept, row["index"], NOW).command.reference.value)
    assert numbers == ["1", "2", "3"]
    assert [row["carried_by"] for row in rows] == [None] * 3
    assert json.loads(rows[2]["errors"])[0]["pointer"] == "/items/2/id"


async def test_items_refused_together_share_the_bytes_of_their_command(apply, refused):
    await apply(an_upsert("2"), a_bulk(None, "2", None, ce_id="b-1"))

    first, second = await refused()
    assert (first["index"], first["carried_by"]) == (0, None)
    assert (second["index"], second["carried_by"], second["value"]) == (2, 0, None)
    assert (first["of_many"], second["of_many"]) == (True, True)
    assert (second["ce_id"], second["ce_source"]) == ("b-1", "/shops/demo-shop")


async def test_bulk_command_refused_as_a_whole_is_not_one_of_many(apply, refused):
    await apply(a_bulk("1", items=[]))

    (row,) = await refused()
    assert (row["index"], row["of_many"]) == (0, False)


async def test_only_the_items_that_the_header_names_are_read(apply, published):
    bulk = a_bulk("1", "2", "3", ce_id="b-1")
    await apply(*map(an_upsert, "123"))
    meant = replace(bulk, headers=(*bulk.headers, (ITEMS_HEADER, b"0,2")))
    await apply(meant)

    indexes = [
        body["index"]
        for _, _, body in await published("orders.outcomes")
        if body["command_id"] == "b-1"
    ]
    assert indexes == [0, 2]


async def test_header_that_names_no_item_refuses_the_command(apply, published):
    bulk = a_bulk("1")
    await apply(replace(bulk, headers=(*bulk.headers, (ITEMS_HEADER, b"1"))))

    ((_, _, rejected),) = await published("orders.rejected")
    assert rejected["reason"] == "header_not_allowed"
    assert rejected["errors"][0]["pointer"] == f"/headers/{ITEMS_HEADER}"
