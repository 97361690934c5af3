"""A carrier changed by `shipment.update`: its number is locked although not always said."""

import asyncio

from services.runtime.batch.batch import Batch
from tests.integration.batches import patiently
from tests.integration.orders.conftest import NOW, a_record, a_report, an_upsert

SENT_BY_UPS = "1Z1"


def an_order(number="1", carrier="dhl"):
    labels = [{"tracking_number": SENT_BY_UPS, "carrier_reference": carrier}]
    order = {"order_number": number, "address": {"zip_code": "10115"}}
    body = {"shop_slug": "demo-shop", "id": number, "order": order, "trackings": labels}
    return a_record("order.upsert", body)


def a_correction(**names):
    body = {"shop_slug": "demo-shop", "id": "1", "carrier_reference": "ups", **names}
    return a_record("shipment.update", body)


async def names_of_shipments(published):
    events = await published("shipments.events")
    return [body["event_name"] for _, _, body in events]


async def shipment_id(published):
    (_, _, body) = (await published("shipments.events"))[0]
    return body["event_data"]["shipment_id"]


async def test_kept_scans_reach_a_parcel_whose_carrier_is_corrected_by_its_id(apply, published):
    await apply(an_order(), a_report(SENT_BY_UPS))

    await apply(a_correction(shipment_id=await shipment_id(published)))

    names = await names_of_shipments(published)
    assert names == ["SHIPMENT_FULFILLED", "SHIPMENT_UPDATED", "PICKED_UP_BY_CARRIER"]
    (_, _, last) = (await published("shipments.events"))[-1]
    assert last["context"]["order"]["trackings"][0]["carrier_reference"] == "ups"
    assert last["context"]["order"]["trackings"][0]["phase"] == "in_transit"


async def test_kept_scans_reach_a_parcel_whose_carrier_is_corrected_by_its_number(apply, published):
    await apply(an_order(), a_report(SENT_BY_UPS), a_correction(tracking_number="1z-1"))

    names = await names_of_shipments(published)
    assert names == ["SHIPMENT_FULFILLED", "SHIPMENT_UPDATED", "PICKED_UP_BY_CARRIER"]


async def test_correction_by_id_in_the_batch_that_attaches_the_number(apply, published):
    await apply(an_upsert("1"), a_report(SENT_BY_UPS))
    (_, _, placed) = (await published("orders.events"))[0]
    draft = placed["event_data"]["shipment_ids"][0]

    await apply(an_order(), a_correction(shipment_id=draft))

    names = await names_of_shipments(published)
    assert names == ["SHIPMENT_FULFILLED", "SHIPMENT_UPDATED", "PICKED_UP_BY_CARRIER"]


async def test_correction_and_attaching_at_once_both_take_effect(apply, published):
    """The number of the corrected parcel is read before it is locked: it may change in between."""
    await apply(an_upsert("1"), a_report(SENT_BY_UPS))
    (_, _, placed) = (await published("orders.events"))[0]
    draft = placed["event_data"]["shipment_ids"][0]

    await asyncio.gather(
        patiently(apply, an_order()), patiently(apply, a_correction(shipment_id=draft))
    )
    await apply(a_correction(shipment_id=draft))

    (_, _, last) = (await published("shipments.events"))[-1]
    assert last["context"]["order"]["trackings"][0]["carrier_reference"] == "ups"
    assert last["context"]["order"]["trackings"][0]["phase"] == "in_transit"


async def test_only_a_batch_with_such_a_correction_sends_one_more_statement(
    apply, published, pool, orders
):
    async def statements_of(*records):
        sent = []
        async with pool.acquire() as connection:
            with connection.query_logger(lambda query: sent.append(query.query)):
                async with connection.transaction():
                    await orders.apply(connection, Batch(records, NOW))
        return [each for each in sent if "read_named_orders" in each]

    await apply(an_order())
    by_id = a_correction(shipment_id=await shipment_id(published))
    more = [a_correction(shipment_id=await shipment_id(published)) for _ in range(5)]

    assert await statements_of(an_upsert("2")) == []
    assert await statements_of(a_correction(tracking_number=SENT_BY_UPS)) == []
    assert len(await statements_of(by_id, *more)) == 1
