"""Numbers replaced under one `external_shipment_id`; the old one is only on the stored order."""

import pytest

from tests.integration.orders.conftest import a_record, a_report, event_names

OLD, NEW = "1Z999AA10123456784", "1Z999AA10123456785"


def a_body(*numbers):
    trackings = [{"tracking_number": n, "external_shipment_id": "f1"} for n in numbers]
    order = {"order_number": "1", "address": {"zip_code": "10115"}}
    return {"id": "1", "order": order, "trackings": trackings}


def an_upsert_of(*numbers):
    return a_record("order.upsert", {"shop_slug": "demo-shop", **a_body(*numbers)})


def a_bulk_of(*numbers):
    return a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": [a_body(*numbers)]})


def a_change_to(number):
    said = {"id": "1", "external_shipment_id": "f1", "tracking_number": number}
    return a_record("shipment.update", {"shop_slug": "demo-shop", **said})


@pytest.mark.parametrize("replacement", [an_upsert_of, a_bulk_of, a_change_to])
@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_number_is_replaced_with_the_new_ones_scans(
    apply, published, pool, replacement, is_one_batch
):
    await apply(a_report(NEW))
    records = [an_upsert_of(OLD), a_report(OLD, "OUT_FOR_DELIVERY"), replacement(NEW)]
    for batch in [records] if is_one_batch else [[each] for each in records]:
        await apply(*batch)

    assert (await event_names(published))[-3:] == [
        "SHIPMENT_RELEASED",
        "SHIPMENT_FULFILLED",
        "PICKED_UP_BY_CARRIER",
    ]
    (_, _, last) = (await published("shipments.events"))[-1]
    (tracking,) = last["context"]["order"]["trackings"]
    assert (tracking["tracking_number"], tracking["phase"]) == (NEW, "in_transit")
    rows = await pool.fetch("SELECT number, cardinality(owners) AS owners FROM stored_parcel")
    assert {row["number"]: row["owners"] for row in rows} == {OLD: 0, NEW: 1}
