"""Any number of messages may be early: all are matched when their order appears, each once."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

from tests.integration.batches import patiently
from tests.integration.orders.conftest import (
    NOW,
    a_record,
    a_report,
    an_upsert,
)

EARLY = 1_000
TOGETHER = 4
NUMBER = "1Z1"


def an_update(turn):
    """The `turn`th change of where the order goes."""
    address = {"zip_code": "10115", "city": f"city-{turn}"}
    body = {"shop_slug": "demo-shop", "id": "1", "id_type": "order_number", "address": address}
    return a_record("order.update", body, ce_id=f"update-{turn}")


def a_scan(turn):
    """A carrier's report; no two of them are the same."""
    at = NOW - timedelta(days=2) + timedelta(seconds=turn)
    return a_report(NUMBER, occurred_at=at.isoformat())


def outcomes(records):
    """How many items ended in which way."""
    return Counter(body["outcome"] for topic, _, body in records if topic == "orders.outcomes")


async def test_early_commands_are_applied_in_the_order_they_came(apply, published, pool):
    updates = [an_update(turn) for turn in range(EARLY)]
    for start in range(0, EARLY, 100):
        await apply(*updates[start : start + 100])
    assert await pool.fetchval("SELECT count(*) FROM waiting") == EARLY

    await apply(an_upsert("1", trackings=[NUMBER]))

    records = await published()
    assert outcomes(records) == {"applied": EARLY + 1}
    cities = [
        body["context"]["order"]["address"].get("city")
        for topic, _, body in records
        if topic == "orders.events" and body["event_name"] == "ORDER_UPDATED"
    ]
    assert cities == [f"city-{turn}" for turn in range(EARLY)]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_early_messages_of_many_transactions_meet_their_order_whenever_it_appears(
    apply, published, pool
):
    """Replicas bring commands and scans while another one places the order between them."""
    batches = [
        [an_update(turn) for turn in range(start, start + 20)] + [a_scan(start)]
        for start in range(0, 200, 20)
    ]
    batches.insert(len(batches) // 2, [an_upsert("1", trackings=[NUMBER])])
    limit = asyncio.Semaphore(TOGETHER)

    async def bring(records):
        async with limit:
            await patiently(apply, *records)

    await asyncio.gather(*map(bring, batches))

    records = await published()
    assert outcomes(records)["applied"] == 201
    updated = [
        b for t, _, b in records if t == "orders.events" and b["event_name"] == "ORDER_UPDATED"
    ]
    assert len(updated) == 200
    (parcel,) = await pool.fetch("SELECT document FROM parcel")
    assert len(json.loads(parcel["document"])["scans"]) == 10
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
    versions = [b["order_version"] for t, _, b in records if t.endswith(".events")]
    assert sorted(versions) == list(range(1, len(versions) + 1))
