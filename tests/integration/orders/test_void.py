"""`shipment.void` on real tables: what it takes off, by names that its message does not lock."""

import asyncio

import pytest
from asyncpg import LockNotAvailableError

from tests.integration.batches import patiently
from tests.integration.orders.conftest import a_record, a_report, an_upsert, event_names
from tests.integration.orders.test_statements import count_statements  # noqa: F401

NUMBER = "1Z999AA10123456784"


def an_order(number="1", shop="demo-shop"):
    trackings = [{"tracking_number": NUMBER, "external_shipment_id": f"f{number}"}]
    order = {"order_number": number, "address": {"zip_code": "10115"}}
    body = {"shop_slug": shop, "id": number, "order": order, "trackings": trackings}
    return a_record("order.upsert", body, key=f"{shop}/{number}".encode())


def a_void(number="1", **said):
    body = {"shop_slug": "demo-shop", "id": number, "reason": "label voided", **said}
    return a_record("shipment.void", body, key=f"demo-shop/{number}".encode())


async def shipment_id(published):
    (_, _, body) = (await published("shipments.events"))[0]
    return body["event_data"]["shipment_id"]


async def outcomes(published):
    found = await published("orders.outcomes")
    return [(body["outcome"], body["reason"]) for _, _, body in found]


@pytest.mark.parametrize("name", ["shipment_id", "tracking_number", "external_shipment_id"])
async def test_void_takes_number_and_scans_off_by_each_name(apply, published, pool, name):
    await apply(an_order(), a_report(NUMBER))
    names = {
        "shipment_id": await shipment_id(published),
        "tracking_number": NUMBER.lower(),
        "external_shipment_id": "f1",
    }

    await apply(a_void(**{name: names[name]}))

    assert (await event_names(published))[-2:] == ["ORDER_UPDATED", "SHIPMENT_RELEASED"]
    (_, _, released) = (await published("shipments.events"))[-1]
    assert released["event_data"]["tracking_number"] == NUMBER
    assert released["event_data"]["reason"] == "label voided"
    assert released["event_data"]["released_by"] == "void"
    (tracking,) = released["context"]["order"]["trackings"]
    assert (tracking["draft"], tracking["phase"]) == (True, "order_created")
    assert await pool.fetchval("SELECT owners FROM stored_parcel") == []


@pytest.mark.parametrize("name", ["tracking_number", "external_shipment_id"])
async def test_void_in_the_batch_that_attaches_the_number(apply, published, name):
    said = {"tracking_number": NUMBER, "external_shipment_id": "f1"}[name]

    await apply(an_order(), a_void(**{name: said}), a_report(NUMBER))

    assert (await event_names(published))[-1] == "SHIPMENT_RELEASED"
    assert await outcomes(published) == [("applied", None), ("applied", None)]


async def test_void_of_another_orders_number_waits_and_reveals_nothing(apply, published):
    await apply(an_order("9"), an_upsert("1"))
    before = await event_names(published)

    await apply(a_void("1", tracking_number=NUMBER), a_void("1", external_shipment_id="f9"))

    assert await event_names(published) == before
    (_, _, last) = (await published("orders.outcomes"))[-1]
    assert (last["outcome"], last["reason"]) == ("rejected", "shipment_not_found")
    assert last["order_number"] == "1"


async def test_void_by_id_is_tried_again_while_another_transaction_has_the_number(
    apply, pool, published
):
    await apply(an_order(), a_report(NUMBER))
    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM stored_parcel FOR UPDATE")
        with pytest.raises(LockNotAvailableError):
            await apply(a_void(external_shipment_id="f1"))

    await apply(a_void(external_shipment_id="f1"))

    assert (await event_names(published))[-1] == "SHIPMENT_RELEASED"


async def test_void_by_id_beside_scans_of_its_number_is_applied(apply, published):
    await apply(an_order())
    reports = [a_report(NUMBER, occurred_at=f"2026-03-01T0{hour}:00:00Z") for hour in range(5)]

    await asyncio.gather(
        *(patiently(apply, each) for each in reports),
        patiently(apply, a_void(external_shipment_id="f1")),
    )

    assert await outcomes(published) == [("applied", None)] * 2
    names = await event_names(published)
    assert names.count("SHIPMENT_RELEASED") == 1
    assert names[-1] == "SHIPMENT_RELEASED"


async def test_voids_by_id_send_two_more_statements_whatever_their_number(
    apply,
    count_statements,  # noqa: F811
):
    def body(order, number):
        trackings = [{"tracking_number": number, "external_shipment_id": "f1"}]
        placement = {"order_number": order, "address": {"zip_code": "10115"}}
        return {"shop_slug": "demo-shop", "id": order, "order": placement, "trackings": trackings}

    orders = [f"v{n}" for n in range(21)]
    await apply(*(a_record("order.upsert", body(each, f"{NUMBER}{each}")) for each in orders))

    by_number = await count_statements([a_void("v0", tracking_number=f"{NUMBER}v0")])
    one = await count_statements([a_void("v1", external_shipment_id="f1")])
    many = await count_statements([a_void(each, external_shipment_id="f1") for each in orders[2:]])

    assert len(one) == len(many) == len(by_number) + 2
