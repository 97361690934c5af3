"""A command of a sender who may not speak for its shop is refused before it touches anything."""

import json

import pytest
from msgspec.structs import replace

from services.orders.handler import OrdersBatch
from services.runtime.batch.batch import Batch
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics

from .conftest import NOW, a_record, a_report, an_upsert

LISTS = {"demo-shop": ["/shops/demo-shop"]}
TOUCHED = ("shop_order", "reference", "parcel", "waiting", "parked")


@pytest.fixture
def orders(settings: Settings) -> OrdersBatch:
    """The batch of an installation with a list for one shop."""
    listed = settings.model_copy(update={"allowed_sources": json.dumps(LISTS)})
    return OrdersBatch(listed, Metrics())


def of(record, source):
    """The same record from another sender."""
    kept = [header for header in record.headers if header[0] != "ce_source"]
    said = [("ce_source", source.encode())] if source else []
    return replace(record, headers=(*kept, *said))


@pytest.mark.parametrize("source", ["/shops/stranger", None])
@pytest.mark.parametrize("number", ["1001", "1002"], ids=["known order", "new order"])
async def test_command_of_a_source_that_is_not_allowed_touches_nothing(
    apply, published, pool, source, number
):
    await apply(an_upsert("1001", trackings=["1Z1"], ce_id="c-1"))
    earlier = await published()
    async with pool.acquire() as connection:
        before = [await connection.fetch(f"TABLE {table}") for table in TOUCHED]

    await apply(of(an_upsert(number, trackings=["1Z2"], ce_id="c-2", currency="EUR"), source))

    async with pool.acquire() as connection:
        after = [await connection.fetch(f"TABLE {table}") for table in TOUCHED]
        kept = await connection.fetchrow("SELECT reason, value FROM rejected")
    assert after == before
    assert kept["reason"] == "source_not_allowed"
    assert json.loads(kept["value"])["id"] == number, "an operator can send it again"
    new = [(topic, body) for topic, _, body in (await published())[len(earlier) :]]
    assert {topic for topic, _ in new} == {"orders.outcomes", "orders.rejected"}
    outcome = next(body for topic, body in new if topic == "orders.outcomes")
    assert (outcome["outcome"], outcome["reason"]) == ("rejected", "source_not_allowed")
    refusal = next(body for topic, body in new if topic == "orders.rejected")
    assert [error["pointer"] for error in refusal["errors"]] == ["/headers/ce_source"]


async def test_each_item_of_a_strangers_bulk_is_refused_and_others_of_the_batch_go_on(
    apply, published
):
    body = {
        "shop_slug": "demo-shop",
        "items": [{"id": "1", "trackings": []}, {"id": "2", "trackings": []}],
    }
    bulk = of(a_record("orders.fulfill_bulk", body, ce_id="b-1"), "/shops/stranger")
    unlisted = of(an_upsert("1", shop="another", ce_id="c-2"), "/anybody")

    await apply(an_upsert("1001", ce_id="c-1"), bulk, unlisted)

    outcomes = {
        (body["command_id"], body["index"]): body["outcome"]
        for _, _, body in await published("orders.outcomes")
    }
    assert outcomes == {
        ("c-1", 0): "applied",
        ("b-1", 0): "rejected",
        ("b-1", 1): "rejected",
        ("c-2", 0): "applied",
    }


async def test_refused_command_can_be_sent_again_once_its_sender_is_allowed(
    apply, published, pool, settings
):
    command = of(an_upsert("1001", ce_id="c-1"), "/erp")
    await apply(command)
    later = OrdersBatch(
        settings.model_copy(update={"allowed_sources": '{"demo-shop": ["/erp"]}'}), Metrics()
    )

    again = replace(command.coordinates, offset=command.coordinates.offset + 1000)
    async with pool.acquire() as connection, connection.transaction():
        await later.apply(connection, Batch((replace(command, coordinates=again),), NOW))

    outcomes = [body["outcome"] for _, _, body in await published("orders.outcomes")]
    assert outcomes == ["rejected", "applied"]


async def test_waiting_item_was_let_in_and_stays_so(apply, published, pool, settings):
    """A list that changes does not reach back: the waiting item was allowed when it came."""
    await apply(a_record("order.cancel", {"shop_slug": "demo-shop", "id": "1001"}, ce_id="c-1"))
    stricter = OrdersBatch(
        settings.model_copy(update={"allowed_sources": '{"demo-shop": ["/erp"]}'}), Metrics()
    )

    placed = of(an_upsert("1001", ce_id="c-2"), "/erp")
    async with pool.acquire() as connection, connection.transaction():
        await stricter.apply(connection, Batch((placed,), NOW))

    outcomes = [
        (body["command_id"], body["outcome"]) for _, _, body in await published("orders.outcomes")
    ]
    assert outcomes == [("c-2", "applied"), ("c-1", "applied")]


async def test_tracking_names_no_shop_and_has_no_list(apply, pool):
    await apply(of(a_report("1Z1"), "/anybody"))

    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM parcel") == 1
