"""More scans of a number than are kept: each has its event once, and the delivery counts."""

from collections import Counter
from datetime import timedelta

import pytest

from services.orders import store
from tests.integration.orders.conftest import NOW, a_record, an_upsert

NUMBER = "1Z700"


def scan(minutes, name="SORTED"):
    at = NOW - timedelta(days=3) + timedelta(minutes=minutes)
    return {"event_name": name, "code": f"c{minutes}", "occurred_at": at.isoformat()}


HISTORY = [scan(minutes) for minutes in range(700)]
DELIVERY = scan(2_000, "SUCCESSFULLY_DELIVERED")


def a_history(*scans):
    body = {"carrier_reference": "ups", "tracking_number": NUMBER, "scans": list(scans)}
    return a_record("tracking.reported", body, topic="carrier.tracking", key=b"ups/1Z700")


def parts(scans, size=100):
    return [a_history(*scans[start : start + size]) for start in range(0, len(scans), size)]


def scanned(records):
    """How many events each scan has, by its time."""
    return Counter(
        body["event_data"]["occurred_at"]
        for topic, _, body in records
        if topic == "shipments.events" and body["event_name"] != "SHIPMENT_FULFILLED"
    )


ARRIVALS = {
    "in order": [[an_upsert("1", trackings=[NUMBER])], *[[each] for each in parts(HISTORY)]],
    "backwards": [[an_upsert("1", trackings=[NUMBER])], parts(HISTORY[::-1])],
    "before the order": [parts(HISTORY), [an_upsert("1", trackings=[NUMBER])]],
}


@pytest.mark.parametrize("arrival", ARRIVALS)
async def test_folded_scans_have_one_event_each_whenever_they_come(apply, published, pool, arrival):
    for records in ARRIVALS[arrival]:
        await apply(*records)

    await apply(a_history(DELIVERY))
    await apply(a_history(*HISTORY, DELIVERY))

    events = scanned(await published())
    assert len(events) == 701
    assert set(events.values()) == {1}
    async with pool.acquire() as connection:
        parcel = (await store.read_parcels(connection, [NUMBER]))[NUMBER]
        (owner,) = parcel.owners
        order = await store.read_order(connection, owner.order_id)
    assert [each.tracking.phase for each in order.shipments] == ["delivered"]
    assert owner.fold.count + len(parcel.scans) == 701
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
