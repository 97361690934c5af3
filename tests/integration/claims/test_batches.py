"""Batches on a real Postgres: statements, events, repetition, waiting, rejections."""

import hashlib
import itertools
import json
from datetime import timedelta

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from schemas.envelope import CloudEvent
from schemas.events import ClaimEvent
from schemas.identity import claim_id, order_id
from schemas.outcomes import RejectedRecord
from services.claims.handler import ClaimBatches
from services.runtime.batch.batch import Batch
from services.runtime.messages.records import item_id
from services.runtime.observability.metrics import Metrics
from tests.integration.claims.conftest import (
    NOW,
    SHOP,
    a_change,
    a_parcel,
    a_record,
    an_event,
    an_opening,
)

LATE = NOW + timedelta(minutes=15)


def claim_of(opening, number="1"):
    """The id that a claim opened by the record will have."""
    ids = {name: value.decode() for name, value in opening.headers}
    envelope = CloudEvent(source=ids.get("ce_source"), id=ids.get("ce_id"))
    return claim_id(order_id(SHOP, number), str(item_id(opening, envelope, 0)))


async def test_claim_event_holds_the_order(apply, published):
    await apply(an_event(version=7), an_opening(ce_id="c-1", image_urls=["https://a.example/1"]))

    ((headers, body),) = await published()
    event = ClaimEvent.model_validate(body)
    assert (headers["ce_type"], headers["ce_causationid"]) == (b"claim.created", b"c-1")
    assert (headers["ce_sequence"], headers["ce_orderversion"]) == (b"1", b"7")
    assert (body["source"], body["ref"]) == ("claims", "claims/created")
    assert (body["event_name"], body["event_group"]) == ("created", "claim_created")
    assert event.context.order.order_number == "1"
    assert event.context.customer.email == "ada@example.org"
    assert body["context"]["order"]["total_order_price"] == 12.90
    assert [claim.claim_id for claim in event.context.claims] == [event.event_data.claim_id]
    assert event.event_data.shipment_phase_at_creation == "delivered"
    assert event.event_data.image_urls == ["https://a.example/1"]
    assert not event.context_truncated


async def test_claim_events_are_numbered_without_gaps(apply, published):
    opening = an_opening(ce_id="c-1")
    claim = claim_of(opening)
    await apply(an_event(), opening, a_change(claim, status="accepted"))
    await apply(a_change(claim, status="closed"))
    await apply(a_change(claim, status="pending", reason_for_change="again"))
    await apply(a_change(claim, status="pending", description="Worse"))
    await apply(a_change(claim, "claim.withdraw", reason="found"))

    bodies = [body for _, body in await published()]
    events = [(b["sequence"], b["event_name"], b["event_data"]["status"]) for b in bodies]
    assert events == [
        (1, "created", "pending"),
        (2, "updated", "accepted"),
        (3, "updated", "closed"),
        (4, "updated", "pending"),
        (5, "updated", "pending"),
        (6, "withdrawn", "pending"),
    ]
    assert bodies[3]["event_data"]["reason_for_change"] == "again"
    steps = [step["status"] for step in bodies[5]["event_data"]["history"]]
    assert steps == ["pending", "accepted", "closed", "pending"]
    assert bodies[5]["context"]["claims"] == []


async def test_repeated_records_change_nothing(apply, published, rows):
    opening = an_opening(ce_id="c-1")
    records = [
        an_event(),
        opening,
        a_change(claim_of(opening), ce_id="u-1", status="accepted"),
        an_opening(ce_id="c-2", selected_items=[{"sku": "MUG-BLUE", "quantity": 9}]),
    ]
    await apply(*records)
    before = await rows("claim", "claim_id"), await published()

    await apply(*records)
    await apply(*records)

    assert (await rows("claim", "claim_id"), await published()) == before


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_order_copy_is_replaced_only_by_a_greater_version(apply, rows, order):
    events = [an_event(version=version, status=f"s{version}") for version in (1, 2, 3)]
    for position in order:
        await apply(events[position])
    await apply(*events)

    (copy,) = await rows("readable_order_copy", "order_id")
    assert copy["order_version"] == 3
    assert json.loads(copy["context"])["order"]["status"] == "s3"


@pytest.mark.parametrize(
    "reference",
    [
        {},
        {"id": "gid-1", "id_type": "external_id"},
        {"id": str(order_id(SHOP, "1")), "id_type": "uuid"},
    ],
)
async def test_claim_before_its_order_is_applied_when_the_order_appears(
    apply, published, rows, reference
):
    opening = an_opening(ce_id="c-1", **reference)
    await apply(a_change(claim_of(opening), ce_id="u-1", status="accepted"))
    await apply(opening)
    await apply(a_change(claim_of(opening), ce_id="u-2", status="closed"))
    assert len(await rows("waiting", "id")) == 3

    await apply(an_event())

    statuses = [body["event_data"]["status"] for _, body in await published()]
    assert statuses == ["pending", "accepted", "closed"]
    assert await rows("waiting", "id") == []


async def test_update_before_its_opening_in_one_batch_is_applied(apply, published, rows):
    opening = an_opening(ce_id="c-1")

    await apply(an_event(), a_change(claim_of(opening), status="accepted"), opening)

    assert [body["event_name"] for _, body in await published()] == ["created", "updated"]
    assert await rows("waiting", "id") == []


async def test_investigation_claim_waits_for_the_delivery(apply, published, rows, sweep):
    under_way = a_parcel("1", phase="in_transit")
    await apply(an_event("1", 1, under_way), an_opening(reason="investigation"))
    assert await published() == []

    await apply(an_event("1", 2))

    ((_, body),) = await published()
    assert body["event_data"]["reason"] == "investigation"
    assert body["order_version"] == 2
    assert await sweep(LATE) == 0


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([an_opening()], "order_not_found"),
        ([an_opening(id="gid-1", id_type="external_id")], "order_not_found"),
        ([an_event(), an_opening(tracking_number="unknown")], "shipment_not_found"),
        (
            [an_event("1", 1, a_parcel("1", phase="collect")), an_opening(reason="investigation")],
            "not_delivered",
        ),
        ([a_change(order_id("any", "claim"), status="accepted")], "claim_not_found"),
    ],
)
async def test_waiting_command_is_rejected_after_its_time(
    apply, sweep, published, rows, records, reason
):
    await apply(*records)
    assert await sweep(LATE - timedelta(seconds=1)) == 0

    assert await sweep(LATE) == 1

    ((_, body),) = await published("claims.rejected")
    assert RejectedRecord.model_validate(body).reason == reason
    assert await rows("waiting", "id") == []
    assert [row for row in await rows("anchor", "name") if not row["order_id"]] == []
    unseen = [row for row in await rows("order_copy", "order_id") if not row["order_version"]]
    assert unseen == []
    assert await sweep(LATE) == 0


async def test_rejected_commands_are_published_and_the_others_are_applied(apply, published):
    await apply(
        an_event(),
        a_record("claims.commands", "claim.open", b"not json"),
        a_record("claims.commands", "claim.dance", {}),
        an_opening(reason="because"),
        an_opening(id="x", id_type="uuid"),
        an_opening(selected_items=[{"sku": "MUG-BLUE", "quantity": 9}]),
        an_opening(image_urls=["http://a.example/1"]),
        a_record("shipments.events", "shipment.scanned", {"order_id": "x"}),
        an_opening(ce_id="good"),
    )

    refused = [body for _, body in await published("claims.rejected")]
    assert sorted((body["reason"], body["errors"][0]["pointer"]) for body in refused) == [
        ("evidence_not_https", "/image_urls/0"),
        ("invalid_fields", "/id"),
        ("invalid_fields", "/reason"),
        ("invalid_fields", "/source"),
        ("not_json", ""),
        ("quantity_above_shipped", "/selected_items"),
        ("unknown_type", "/type"),
    ]
    assert len(await published()) == 1


async def test_log_of_rejected_and_waiting_commands_has_order_and_trace(apply):
    traced = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    records = [
        an_event(),
        an_opening(selected_items=[{"sku": "MUG-BLUE", "quantity": 9}]),
        an_opening("2", description="Ada Example, Main Street 5"),
        a_record("claims.commands", "claim.open", b"not json"),
    ]

    with capture_logs() as logged:
        await apply(*(replace(r, headers=(*r.headers, traced)) for r in records))

    assert [(entry["event"], entry["reason"], entry["order_id"]) for entry in logged] == [
        ("item_rejected", "quantity_above_shipped", str(order_id(SHOP, "1"))),
        ("item_waits", "order_not_found", str(order_id(SHOP, "2"))),
        ("item_rejected", "not_json", None),
    ]
    assert {entry["trace_id"] for entry in logged} == {"0af7651916cd43dd8448eb211c80319c"}
    assert "Ada" not in str(logged)


async def test_event_context_is_cut_to_fit_and_marked(pool, settings, published):
    small = ClaimBatches(settings.model_copy(update={"max_event_bytes": 4096}), Metrics())
    parcels = [a_parcel("1", ordinal) for ordinal in range(1, 40)]
    async with pool.acquire() as connection, connection.transaction():
        await small.apply(connection, Batch((an_event("1", 1, *parcels), an_opening()), NOW))

    ((_, body),) = await published()
    assert body["context_truncated"]
    assert body["context"]["shipments"] == []
    assert body["context"]["order"]["order_number"] == "1"
    ClaimEvent.model_validate(body)


async def test_order_cut_for_size_still_has_the_products_of_its_parcels(apply, published):
    event = an_event("1", 1, a_parcel("1", products=[]))
    cut = json.loads(event.value) | {"context_truncated": True}
    await apply(a_record("orders.events", "order.updated", cut), an_opening())

    ((_, body),) = await published()
    assert body["context_truncated"]


@pytest.mark.parametrize(
    "number",
    ["1" + "0" * 30, "1e400", "-1e400", "1e-400", "1e9999999999", "0." + "1" * 400],
)
async def test_number_that_no_copy_can_hold_is_rejected_and_the_others_are_applied(
    apply, published, number
):
    strange = json.loads(an_event("2").value)
    strange["context"]["order"]["strange"] = "@"
    value = json.dumps(strange).replace('"@"', number).encode()

    await apply(
        an_event("1"),
        a_record("orders.events", "order.updated", value),
        an_opening("1"),
        an_opening("2"),
    )

    ((_, refused),) = await published("claims.rejected")
    assert (refused["reason"], refused["errors"][0]["pointer"]) == ("invalid_fields", "/context")
    assert len(await published()) == 1


@pytest.mark.parametrize(
    "number", ["1e300", "1e-300", "0.1234567890123456789", "-900000000000000000"]
)
async def test_number_that_a_copy_can_hold_is_published_unchanged(apply, published, number):
    strange = json.loads(an_event().value)
    strange["context"]["order"]["strange"] = "@"
    value = json.dumps(strange).replace('"@"', number).encode()

    await apply(a_record("orders.events", "order.updated", value), an_opening())

    ((_, body),) = await published()
    assert body["context"]["order"]["strange"] == float(number)


async def test_order_name_too_long_for_an_anchor_is_ignored(apply, published):
    long = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(200))  # Not compressible.
    await apply(an_event(external_id=long, order_name="ok"), an_opening())
    await apply(an_opening(id="ok", id_type="order_name", reason="return"))

    assert len(await published()) == 2


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_lines_cut_from_a_later_event_are_kept(apply, published, in_one_batch):
    whole = an_event("1", 1, a_parcel("1", products=[]))
    later = json.loads(an_event("1", 2, a_parcel("1", products=[]), products=[]).value)
    cut = a_record("orders.events", "order.updated", later | {"context_truncated": True})
    cut_again = a_record(
        "orders.events", "order.updated", later | {"context_truncated": True, "order_version": 3}
    )
    events = [cut, whole, cut_again] if in_one_batch else [whole]
    await apply(*events)
    if not in_one_batch:
        await apply(cut)
        await apply(cut_again)

    await apply(
        an_opening(ce_id="more", selected_items=[{"sku": "MUG-BLUE", "quantity": 4}]),
        an_opening(ce_id="all", selected_items=[{"sku": "MUG-BLUE", "quantity": 3}]),
    )

    ((headers, body),) = await published()
    assert (headers["ce_causationid"], headers["ce_orderversion"]) == (b"all", b"3")
    assert body["context"]["order"]["products"][0]["sku"] == "MUG-BLUE"
    assert "lines_cut" not in body["context"]


async def test_batch_of_any_size_takes_the_same_statements(pool, claims):
    async def statements(numbers):
        """The statements of a batch of orders, claims, waiting claims, updates and rejections."""
        early = [an_opening(n, reason="return") for n in numbers]
        opening = [an_opening(n, ce_id=f"o-{n}") for n in numbers]
        whole = [an_event(n) for n in numbers] + opening
        whole += [
            a_change(claim_of(o, n), status="accepted")
            for o, n in zip(opening, numbers, strict=True)
        ]
        whole += [an_opening(n, selected_items=[{"sku": "X", "quantity": 1}]) for n in numbers]
        return await counted(early), await counted(whole)

    async def counted(records):
        seen = []
        async with pool.acquire() as connection:
            with connection.query_logger(lambda record: seen.append(record.query)):
                async with connection.transaction():
                    await claims.apply(connection, Batch(tuple(records), NOW))
        # Without statements of the driver (once a connection) and the outbox (once a second).
        asked = [line for query in seen if (line := query.splitlines()[0]).startswith("-- ")]
        return [line for line in asked if line not in {"-- find_service", "-- count_old_relays"}]

    one = await statements(["a"])
    thousand = await statements([f"b{number}" for number in range(1000)])

    assert one == thousand
    assert len(one[1]) < 25


@pytest.mark.parametrize("type_", ["claim.update", "claim.open", "claim.withdraw"])
async def test_repeated_command_is_known_after_hundreds_of_others(apply, published, rows, type_):
    """The opening is answered with a claim that is open, so nothing else names it."""
    opening = an_opening(ce_id="c-1")
    claim = claim_of(opening)
    old = {
        "claim.update": a_change(claim, ce_id="u-0", description="old"),
        "claim.open": an_opening(ce_id="u-0"),
        "claim.withdraw": a_change(claim, "claim.withdraw", ce_id="u-0", reason="found"),
    }[type_]
    await apply(an_event(), opening, old)
    for start in range(0, 210, 70):
        await apply(
            *[a_change(claim, ce_id=f"n-{n}", description=f"{n}") for n in range(start, start + 70)]
        )
    await apply(a_change(claim, ce_id="u-1", status="closed"))
    before, events = await rows("claim", "claim_id"), await published()

    await apply(old)

    assert await rows("claim", "claim_id") == before
    assert await published() == events


async def test_repeats_within_one_batch_of_more_changes_than_a_claim_names(apply, published, rows):
    opening = an_opening(ce_id="c-1")
    changes = [
        a_change(claim_of(opening), ce_id=f"n-{at}", description=f"{at}") for at in range(66)
    ]

    await apply(an_event(), opening, *changes, *changes)
    await apply(*changes)

    events = [body for _, body in await published()]
    assert [each["sequence"] for each in events] == list(range(1, 68))
    assert all(len(each["event_data"]["applied_commands"]) <= 64 for each in events)
    (row,) = await rows("claim", "claim_id")
    assert len(json.loads(row["details"])["applied"]) == 64
    assert len(await rows("older_item", "digest")) == 3
