"""Items that have waited too long: the refusal says what each waited for."""

import json
from datetime import timedelta

import pytest

from schemas.example_files import load_examples
from schemas.topics import rejected_topic
from services.orders.domain.model.ids import order_id_of
from services.runtime.batch.batch import Batch
from tests.integration.orders.conftest import NOW, a_cancel, a_record, a_report, an_upsert

AFTER_COMMANDS = NOW + timedelta(minutes=16)
AFTER_TRACKING = NOW + timedelta(days=61)
ORDER = order_id_of("demo-shop", "1")
NAMES = {"order_number": "1", "external_id": "ext-1", "order_name": "name-1", "uuid": ORDER}


def an_order():
    return an_upsert("1", external_id="ext-1", order_name="name-1")


def a_change(reference, id_type):
    body = {
        "shop_slug": "demo-shop",
        "id": reference,
        "id_type": id_type,
        "tracking_number": "N-404",
        "tracking_url": "https://carrier.example/t/404",
    }
    return a_record("shipment.update", body)


@pytest.fixture
def sweep(pool, orders):
    """Ends what has waited until `now`."""

    async def run(now):
        async with pool.acquire() as connection, connection.transaction():
            return await orders.sweep(connection, Batch((), now))

    return run


@pytest.mark.parametrize("id_type", NAMES)
async def test_expired_change_of_a_parcel_names_its_order_and_the_absent_number(
    apply, sweep, published, id_type
):
    await apply(an_order(), a_change(NAMES[id_type], id_type))

    assert await sweep(AFTER_COMMANDS)

    (_, headers, outcome) = (await published("orders.outcomes"))[-1]
    assert (outcome["outcome"], outcome["reason"]) == ("rejected", "shipment_not_found")
    assert (outcome["order_id"], outcome["order_number"]) == (ORDER, "1")
    assert outcome["order_version"] == 1
    assert headers["ce_subject"] == ORDER.encode()
    assert "'1'" in outcome["detail"]
    assert "'N-404'" in outcome["detail"]
    ((_, _, rejected),) = await published("orders.rejected")
    assert rejected["reason"] == "shipment_not_found"
    assert rejected["errors"][0]["pointer"] == "/tracking_number"


@pytest.mark.parametrize("id_type", NAMES)
async def test_expired_command_names_the_order_that_never_came(apply, sweep, published, id_type):
    await apply(a_cancel(NAMES[id_type], id_type), a_change(NAMES[id_type], id_type))

    assert await sweep(AFTER_COMMANDS)

    outcomes = [body for _, _, body in await published("orders.outcomes")]
    assert {body["reason"] for body in outcomes} == {"order_not_found"}
    assert {body["order_id"] for body in outcomes} == {None}
    assert all(NAMES[id_type] in body["detail"] for body in outcomes)
    pointers = [body["errors"][0]["pointer"] for _, _, body in await published("orders.rejected")]
    assert pointers == ["/id", "/id"]


async def test_expired_change_of_another_shops_order_says_nothing_of_it(apply, sweep, published):
    await apply(an_upsert("1", shop="other"), a_change(order_id_of("other", "1"), "uuid"))

    await sweep(AFTER_COMMANDS)

    (_, _, outcome) = (await published("orders.outcomes"))[-1]
    assert (outcome["reason"], outcome["order_id"]) == ("order_not_found", None)


async def test_expired_item_of_a_bulk_command_is_answered_by_its_index(apply, sweep, published):
    items = [{"id": "1"}, {"id": "404"}]
    bulk = a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": items}, ce_id="b")
    await apply(an_order(), bulk)

    await sweep(AFTER_COMMANDS)

    (_, _, outcome) = (await published("orders.outcomes"))[-1]
    assert (outcome["command_id"], outcome["index"]) == ("b", 1)
    assert (outcome["reason"], outcome["order_number"]) == ("order_not_found", "404")
    ((_, _, rejected),) = await published("orders.rejected")
    assert rejected["errors"][0]["pointer"] == "/items/1/id"


async def test_expired_tracking_names_the_number_that_no_order_has(apply, sweep, published):
    await apply(a_report("1Z-404"))

    assert await sweep(AFTER_COMMANDS) == 0
    assert await sweep(AFTER_TRACKING)

    ((_, _, rejected),) = await published("carrier.tracking.rejected")
    assert rejected["reason"] == "number_not_owned"
    assert rejected["errors"][0]["pointer"] == "/tracking_number"
    assert "'1Z-404'" in rejected["detail"]
    assert await published("orders.outcomes") == []


async def test_expired_command_keeps_the_scans_of_a_number_that_was_taken_off(apply, sweep, pool):
    """The number may come back, and its scans with it."""
    body = {"shop_slug": "demo-shop", "id": "1", "tracking_number": "1Z-1", "reason": "mistyped"}
    void = a_record("shipment.void", body)
    await apply(an_upsert("1", trackings=["1Z-1"]), a_report("1Z-1"), void)
    other = {**body, "id": "2"}
    await apply(an_upsert("2"), a_record("shipment.void", other))

    assert await sweep(AFTER_COMMANDS)

    document = await pool.fetchval("SELECT document FROM stored_parcel WHERE number = '1Z1'")
    assert len(json.loads(document)["scans"]) == 1


async def test_expired_copy_of_a_claim_names_the_order_of_the_event(apply, sweep, published):
    example = load_examples("claim.created")[0]
    await apply(a_record("claim.created", example.value, topic="claims.events"))

    assert await sweep(AFTER_TRACKING)

    ((_, _, rejected),) = await published(rejected_topic("claims.events", "orders"))
    assert rejected["reason"] == "order_not_found"
    assert rejected["errors"][0]["pointer"] == "/order_id"
    assert await published("orders.outcomes") == []
