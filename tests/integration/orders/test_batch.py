"""One batch of the orders service: what comes out, and that everything in it ends once."""

import json

from tests.integration.orders.conftest import a_cancel, a_record, a_report, an_upsert


def kinds(records):
    return [headers["ce_type"].decode() for _, headers, _ in records]


def outcomes(records):
    return [(body["outcome"], body["reason"]) for _, _, body in records]


async def test_order_its_parcel_and_its_scans_end_as_events_in_order(apply, published):
    await apply(an_upsert("1", trackings=["1Z1"]), a_report("1z-1"))

    events = [r for r in await published() if r[0].endswith(".events")]
    assert kinds(events) == ["order.placed", "shipment.fulfilled", "shipment.scanned"]
    assert [int(headers["ce_orderversion"]) for _, headers, _ in events] == [1, 2, 3]
    assert [int(headers["ce_sequence"]) for _, headers, _ in events] == [1, 1, 2]
    assert outcomes(await published("orders.outcomes")) == [("applied", None)]
    last = events[-1][2]
    assert last["ref"] == "shipments/in_transit/PICKED_UP_BY_CARRIER"
    assert last["context"]["order"]["trackings"][0]["phase"] == "in_transit"


async def test_command_sent_again_changes_nothing(apply, published):
    await apply(an_upsert("1", ce_id="c-1"))
    await apply(an_upsert("1", ce_id="c-1"))

    assert kinds(await published("orders.events")) == ["order.placed"]
    assert outcomes(await published("orders.outcomes")) == [
        ("applied", None),
        ("no_change", "duplicate"),
    ]


async def test_one_malformed_record_leaves_its_batch_untouched(apply, published):
    await apply(an_upsert("1"), a_record("order.upsert", b'{"id":NaN}'), an_upsert("2"))

    assert kinds(await published("orders.events")) == ["order.placed"] * 2
    ((_, _, rejected),) = await published("orders.rejected")
    assert rejected["reason"] == "number_not_finite"
    assert rejected["errors"][0]["pointer"] == "/id"
    assert rejected["original"] == {"encoding": "utf-8", "value": '{"id":NaN}'}
    assert sorted(outcomes(await published("orders.outcomes")), key=str) == [
        ("applied", None),
        ("applied", None),
        ("rejected", "number_not_finite"),
    ]


async def test_each_item_of_a_bulk_command_has_its_own_outcome(apply, published):
    items = [{"id": "1"}, {"id": "2", "trackings": "none"}, {"id": "3", "id_type": "colour"}]
    body = {"shop_slug": "demo-shop", "items": items}
    await apply(an_upsert("1"), a_record("orders.fulfill_bulk", body))

    results = [(b["index"], b["outcome"]) for _, _, b in await published("orders.outcomes")]
    assert sorted(results) == [(0, "applied"), (0, "no_change"), (1, "rejected"), (2, "rejected")]
    pointers = [b["errors"][0]["pointer"] for _, _, b in await published("orders.rejected")]
    assert pointers == ["/items/1/trackings", "/items/2/id_type"]


async def test_command_waits_for_its_order_under_any_name(apply, published):
    await apply(a_cancel("1"), a_cancel("ext-1", "external_id"), a_cancel("name-1", "order_name"))
    assert await published() == []

    await apply(an_upsert("1", external_id="ext-1", order_name="name-1"))

    assert kinds(await published("orders.events")) == ["order.placed", "order.cancelled"]
    assert outcomes(await published("orders.outcomes")) == [
        ("applied", None),
        ("applied", None),
        ("no_change", "no_difference"),
        ("no_change", "no_difference"),
    ]


async def test_command_may_wait_and_be_decided_within_one_batch(apply, published, pool):
    await apply(a_cancel("1"), an_upsert("1"))

    assert kinds(await published("orders.events")) == ["order.placed", "order.cancelled"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_command_sent_twice_waits_once(apply, published, pool):
    await apply(a_cancel("1", ce_id="c-1"))
    await apply(a_cancel("1", ce_id="c-1"))

    assert outcomes(await published("orders.outcomes")) == [("no_change", "duplicate")]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 1
    await apply(an_upsert("1"))
    assert kinds(await published("orders.events")) == ["order.placed", "order.cancelled"]


async def test_tracking_waits_for_its_order_and_is_published_when_it_comes(apply, published, pool):
    await apply(a_report("1Z1"), a_report("1Z1", "OUT_FOR_DELIVERY", "2026-03-01T11:00:00Z"))
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 2

    await apply(an_upsert("1", trackings=["1Z1"]))

    names = [body["event_name"] for _, _, body in await published("shipments.events")]
    assert names == ["SHIPMENT_FULFILLED", "PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_refusal_by_a_rule_names_its_field_and_changes_nothing(apply, published):
    await apply(an_upsert("1", expected_number_of_shipments=101))

    ((_, _, rejected),) = await published("orders.rejected")
    assert rejected["reason"] == "too_many_shipments"
    assert rejected["errors"][0]["pointer"].endswith("expected_number_of_shipments")
    assert await published("orders.events") == []


async def test_events_of_many_orders_keep_their_own_order_in_the_outbox(apply, published):
    numbers = [str(n) for n in range(40)]
    await apply(*(an_upsert(n, trackings=[f"N{n}00"]) for n in numbers))
    await apply(*(a_report(f"N{n}00") for n in reversed(numbers)))

    versions = {}
    for _, headers, body in await published():
        if "ce_orderversion" in headers:
            versions.setdefault(body["order_id"], []).append(int(headers["ce_orderversion"]))
    # Behind the events of a batch is the state of the order after them.
    assert set(map(tuple, versions.values())) == {(1, 2, 2, 3, 3)}
    assert len(versions) == 40


async def test_snapshot_that_is_too_large_is_cut_and_says_so(pool, settings, published):
    from services.orders.handler import OrdersBatch
    from services.runtime.batch.batch import Batch
    from services.runtime.observability.metrics import Metrics
    from tests.integration.orders.conftest import NOW

    bounded = settings.model_copy(update={"max_event_bytes": 10_000})
    products = [{"sku": f"S{n}", "title": "x" * 900, "quantity": 1} for n in range(30)]
    async with pool.acquire() as connection, connection.transaction():
        batch = Batch((an_upsert("1", trackings=["1Z1"], products=products),), NOW)
        await OrdersBatch(bounded, Metrics()).apply(connection, batch)

    for _, _, body in [r for r in await published() if r[0].endswith(".events")]:
        assert body["context_truncated"]
        assert len(json.dumps(body["context"])) <= 11_000
        assert body["context"]["order"]["trackings"][0]["tracking_number"] == "1Z1"


async def test_bulk_command_of_a_thousand_refused_items_is_kept_once(apply, published, pool):
    items = [{"id": "x" * 300, "note": "y" * 300} for _ in range(1000)]

    await apply(a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": items}))

    assert len(outcomes(await published("orders.outcomes"))) == 1000
    kept = [body for _, _, body in await published("orders.rejected")]
    assert len(kept) == 1000
    assert [body["original_size_bytes"] > 600_000 for body in kept if "original" in body] == [True]
    size = "SELECT count(value), sum(octet_length(value)) FROM rejected"
    count, octets = await pool.fetchrow(size)
    assert (count, octets) == (1, kept[0]["original_size_bytes"])


async def test_items_of_a_bulk_command_wait_each_with_its_own_part(apply, published, pool):
    items = [
        {
            "id": f"{n}",
            "trackings": [
                {"tracking_number": f"NUM{n}", "products": [{"sku": "S", "quantity": q}]}
            ],
        }
        for n, q in enumerate([2, 2.0, 10**30, 3] * 100)
    ]
    body = {"shop_slug": "demo-shop", "source_version": 7, "items": items}
    await apply(a_record("orders.fulfill_bulk", body, ce_id="b-1"))
    waits, octets = await pool.fetchrow("SELECT count(*), max(octet_length(value)) FROM waiting")
    assert waits == 300
    assert octets < 5_000

    line = [{"sku": "S", "quantity": 9}]
    await apply(*(an_upsert(str(n), products=line, source_version=1) for n in range(400)))

    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
    by_bulk = [b for _, _, b in await published("orders.outcomes") if b["command_id"] == "b-1"]
    assert {b["index"] for b in by_bulk} == set(range(400))
    assert {b["outcome"] for b in by_bulk if b["index"] % 4 == 2} == {"rejected"}
    assert {b["outcome"] for b in by_bulk if b["index"] % 4 != 2} == {"applied"}


async def test_second_message_under_the_id_of_one_that_waits_is_answered(apply, published, pool):
    await apply(a_cancel("1", ce_id="job-1"))
    await apply(a_cancel("2", ce_id="job-1"))

    assert outcomes(await published("orders.outcomes")) == [("no_change", "duplicate")]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 1


async def test_refusal_of_an_overlong_name_or_key_is_published_in_bounds(apply, published):
    name = "k" * 450_000
    await apply(
        a_record("order.upsert", f'{{"{name}":1,"{name}":2}}'.encode()),
        a_record("order.upsert", b"{}", key=b"x" * 1_000_000),
    )

    reasons = [body["reason"] for _, _, body in await published("orders.rejected")]
    assert reasons == ["duplicate_key", "key_too_long"]
    sizes = [len(json.dumps(body)) for _, _, body in await published("orders.outcomes")]
    assert max(sizes) < 10_000


async def test_numbers_beyond_64_bits_among_free_members_are_kept_as_text(apply, published):
    await apply(an_upsert("1", order_analytics={"big": 10**30, "list": [-(2**63), 2**63]}))

    ((_, _, event),) = await published("orders.events")
    analytics = event["context"]["order"]["order_analytics"]
    assert analytics == {"big": str(10**30), "list": [-(2**63), str(2**63)]}


async def test_refusal_of_a_structured_message_names_the_senders_ids(apply, published):
    envelope = {"specversion": "1.0", "id": "s-1", "source": "/shops/s", "type": "order.cancel"}
    await apply(a_record("", {**envelope, "data": {"shop_slug": "s"}}))

    ((_, _, outcome),) = await published("orders.outcomes")
    named = (outcome["command_id"], outcome["command_source"], outcome["command_type"])
    assert named == ("s-1", "/shops/s", "order.cancel")


async def test_long_history_of_a_large_order_stays_within_bounds(apply, published):
    products = [{"sku": f"S{n}", "title": "x" * 1000, "quantity": 1} for n in range(400)]
    scans = [
        {"event_name": "SORTED", "scan_id": f"s-{n}", "occurred_at": "2026-02-27T10:00:00Z"}
        for n in range(400)
    ]
    report = {"carrier_reference": "ups", "tracking_number": "1Z1", "scans": scans}
    await apply(an_upsert("1", trackings=["1Z1"], products=products))

    await apply(a_record("tracking.reported", report, topic="carrier.tracking"))

    bodies = [body for _, _, body in await published("shipments.events")][1:]
    assert len(bodies) == 400
    assert sum(len(json.dumps(body)) for body in bodies) < 18 * 1024 * 1024
    assert all(body["context_truncated"] for body in bodies)
    assert all(body["context"]["order"]["trackings"] for body in bodies)
