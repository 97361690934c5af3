"""A carrier named by the word of an aggregator: stored scans are seen by it and by its key."""

import pytest

from tests.integration.orders.conftest import a_record

NUMBER = "00340434161094027409"
SEEN = ["PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED"]


def an_order(carrier):
    labels = [{"tracking_number": NUMBER, "carrier_reference": carrier}]
    order = {"order_number": "1", "address": {"zip_code": "10115"}}
    body = {"shop_slug": "demo-shop", "id": "1", "order": order, "trackings": labels}
    return a_record("order.upsert", body)


def a_payload(*subtags):
    points = [
        {"checkpoint_time": f"2026-03-0{day}T10:00:00Z", "subtag": subtag}
        for day, subtag in enumerate(subtags, 1)
    ]
    body = {"msg": {"tracking_number": NUMBER, "slug": "dhl-germany", "checkpoints": points}}
    return a_record("aftership.tracking", body, topic="carrier.tracking")


async def scans(published):
    events = await published("shipments.events")
    return [body["event_name"] for _, _, body in events if body["event_name"] in SEEN]


@pytest.mark.parametrize("carrier", ["dhl", "dhl-germany"])
async def test_scans_before_and_after_the_order_reach_it_once_by_either_name(
    apply, published, carrier
):
    await apply(a_payload("InTransit_002"))
    await apply(an_order(carrier))
    await apply(a_payload("InTransit_002", "Delivered_001"))
    await apply(a_payload("InTransit_002", "Delivered_001"))

    assert await scans(published) == SEEN
    (_, _, last) = (await published("shipments.events"))[-1]
    (shown,) = last["context"]["order"]["trackings"]
    assert (shown["carrier_reference"], shown["phase"]) == (carrier, "delivered")


async def test_shop_that_changes_the_name_keeps_its_scans_without_new_events(apply, published):
    await apply(an_order("dhl-germany"))
    await apply(a_payload("InTransit_002", "Delivered_001"))
    before = await scans(published)

    await apply(an_order("dhl"))
    await apply(a_payload("InTransit_002", "Delivered_001"))

    assert await scans(published) == before == SEEN
