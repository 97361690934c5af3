"""Promises about events, held against the records that messages of shops and carriers end in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.envelope import rfc3339
from services.claims.domain.claim import Claim
from services.claims.domain.decide import decide as decide_claim
from services.claims.domain.decision import OrderClaims
from services.claims.messages import encode as claims_encode
from services.orders.domain.events.snapshot import snapshot_of
from services.orders.messages import snapshot
from services.orders.messages.encode import event_record
from services.runtime.messages.headers import read_headers
from services.runtime.messages.records import Coordinates, Original
from services.runtime.outbox.outbox import Outgoing
from tests.contract.shop import MAX_BYTES, Shop, bodies
from tests.unit.claims import builders as claims
from tests.unit.orders.builders import HOUR, NOON


def notified(records: list[Outgoing]) -> list[tuple[str, str | None, bool]]:
    """Name, group and `notify` of each event."""
    found = bodies(records)
    return [(e["event_name"], e["event_group"], e["event_data"]["notify"]) for e in found]


def _placed_orders() -> Iterator[tuple[str, list[Outgoing], list[tuple[str, str | None, bool]]]]:
    placed, cancelled = ("ORDER_PLACED", "shipment_pre_transit"), "shipment_order_cancelled"
    yield "placed now", Shop().place(), [(*placed, True)]
    yield "placed four hours ago", Shop().place(hours_ago=4), [(*placed, True)]
    yield "placed five hours ago", Shop().place(hours_ago=5), [(*placed, False)]
    no_parcel = Shop().place(expected_number_of_shipments=0)
    yield "no parcel is needed", no_parcel, [("ORDER_PLACED", None, False)]
    shop = Shop()
    shop.place()
    yield "cancelled now", shop.cancel(), [("ORDER_CANCELLED", cancelled, True)]
    shop = Shop()
    shop.place()
    late = shop.cancel(cancelled_at=(NOON - 5 * HOUR).isoformat())
    yield "cancelled five hours ago", late, [("ORDER_CANCELLED", cancelled, False)]
    shop = Shop()
    shop.place(hours_ago=5)
    yield "old order cancelled", shop.cancel(), [("ORDER_CANCELLED", cancelled, False)]
    shop = Shop()
    shop.place()
    shop.attach("1Z999")
    yield "cancelled with a parcel", shop.cancel(), [("ORDER_CANCELLED", None, False)]


@pytest.mark.parametrize(
    ("records", "expected"),
    [each[1:] for each in _placed_orders()],
    ids=[each[0] for each in _placed_orders()],
)
def test_group_and_notify_of_an_order_that_is_placed_or_cancelled(records, expected) -> None:
    assert notified(records) == expected


def test_order_events_that_are_neither_placed_nor_cancelled_have_no_group_and_do_not_notify() -> (
    None
):
    shop = Shop()
    shop.place()
    records = [
        *shop.send("order.update", address={"city": "Berlin"}),
        *shop.send("order.update", expected_number_of_shipments=2),
        *shop.attach("1Z001"),
        *shop.attach("1Z002"),
        *shop.report("SUCCESSFULLY_DELIVERED", number="1Z001"),
        *shop.report("SUCCESSFULLY_DELIVERED", number="1Z002"),
        *shop.send("order.analytics.upsert", order_analytics={"source": "a"}),
    ]

    found = [each for each in notified(records) if each[0].startswith("ORDER_")]
    names = ["UPDATED", "EXPECTED_SHIPMENTS_CHANGED", "PARTIALLY_FULFILLED", "FULFILLED"]
    names += ["PARTIALLY_DELIVERED", "DELIVERED", "ANALYTICS_UPDATED"]
    assert found == [(f"ORDER_{name}", None, False) for name in names]


def test_shipment_events_without_a_scan_and_their_groups() -> None:
    shop = Shop()
    shop.place()
    attached = shop.attach("1Z999")
    changed = shop.send("shipment.update", tracking_number="1Z999", carrier_reference="ups")
    voided = shop.send("shipment.void", tracking_number="1Z999")

    found = [each[:2] for each in notified([*attached, *changed, *voided]) if "SHIPMENT" in each[0]]
    assert found == [
        ("SHIPMENT_FULFILLED", "shipment_pre_transit"),
        ("SHIPMENT_UPDATED", None),
        ("SHIPMENT_RELEASED", None),
    ]


def test_order_is_dispatched_by_its_first_parcel_and_stays_so_when_it_is_cancelled() -> None:
    shop = Shop()
    steps = [shop.place(expected_number_of_shipments=2), shop.attach("1Z001"), shop.cancel()]

    states = [bodies(step)[-1]["context"]["order"] for step in steps]
    assert [(each["status"], each["is_dispatched"]) for each in states] == [
        ("placed", False),
        ("partially_fulfilled", True),
        ("cancelled", True),
    ]


def test_return_keeps_the_phase_of_the_name_beside_the_phase_of_the_parcel() -> None:
    shop = Shop()
    shop.place()
    shop.attach("1Z999")

    (event,) = bodies(shop.report("SORTED", direction="customer_merchant"))

    assert event["ref"] == "shipments/in_transit/SORTED"
    assert event["event_data"]["phase"] == "in_transit"
    assert event["event_data"]["shipment_phase"] == "return_transit"


def test_event_of_a_delivered_order_has_the_time_of_its_scan() -> None:
    shop = Shop()
    shop.place()
    shop.attach("1Z999")

    scanned, delivered = shop.report("SUCCESSFULLY_DELIVERED")[:2]

    assert delivered.topic == "orders.events"
    headers = [dict(read_headers(each.headers)) for each in (scanned, delivered)]
    assert [each["ce_time"] for each in headers] == [rfc3339(NOON).encode()] * 2
    first, second = (int(each["ce_orderversion"]) for each in headers)
    assert second == first + 1
    event = json.loads(delivered.value)
    parcel = event["context"]["shipments"][0]["shipment_id"]
    assert event["event_data"]["shipment_ids"] == [parcel]


def test_events_of_one_report_share_the_order_after_all_of_them() -> None:
    shop = Shop()
    shop.place()
    shop.attach("1Z999")

    events = bodies(shop.report("PICKED_UP_BY_CARRIER", "SORTED", "SUCCESSFULLY_DELIVERED"))

    assert [e["event_name"] for e in events[:2]] == ["PICKED_UP_BY_CARRIER", "SORTED"]
    assert len(events) == 4
    assert all(event["context"] == events[-1]["context"] for event in events)
    assert events[0]["context"]["order"]["delivery_state"] == "delivered"
    assert [e["event_data"]["shipment_phase"] for e in events[:3]] == [
        "in_transit",
        "in_transit",
        "delivered",
    ]


def claim_event(state: OrderClaims, command: Any) -> tuple[dict[str, Any], tuple[Claim, ...]]:
    """The event of a claim command, and the claims after it."""
    decision = decide_claim(state, command, NOON)
    assert decision.event
    after = state.after(decision)
    context = claims_encode.EventContext(b"{}", tuple(after.claims.values()))
    original = Original(Coordinates("claims.commands", 0, 0), b"", (), b"", NOON)
    cause = (original, claims_encode.CloudEvent(id="c-1"))
    record = claims_encode.outgoing_event(
        decision.event, context, cause, now=NOON, bytes_max=MAX_BYTES
    )
    return json.loads(record.value), tuple(after.claims.values())


def test_claim_events_have_groups_no_notify_and_the_version_of_their_context() -> None:
    opened, held = claim_event(claims.a_state(), claims.an_opening())
    named = {"claim_id": held[0].claim_id}
    changed, held = claim_event(
        claims.a_state(*held), claims.an_update(description="Broken", **named)
    )
    gone, _ = claim_event(claims.a_state(*held), claims.a_withdrawal(**named))

    events = [opened, changed, gone]
    assert [(each["ref"], each["event_group"]) for each in events] == [
        ("claims/created", "claim_created"),
        ("claims/updated", "claim_updated"),
        ("claims/withdrawn", "claim_updated"),
    ]
    assert all("notify" not in each["event_data"] for each in events)
    assert {each["order_version"] for each in events} == {claims.an_order().version}


def test_withdrawn_claim_is_left_out_of_claim_events_and_stays_in_those_of_the_order() -> None:
    held = claims.a_claim()
    event, _ = claim_event(claims.a_state(held), claims.a_withdrawal())
    assert event["event_data"]["deleted_at"] == rfc3339(NOON)
    assert (event["event_data"]["status"], event["context"]["claims"]) == ("pending", [])

    shop = Shop()
    order = bodies(shop.place())[0]["order_id"]
    shop.send("claim.withdrawn", **{**event, "order_id": order, "shop_slug": "qa"})

    (shown,) = bodies(shop.attach("1Z999"))[-1]["context"]["claims"]
    assert shown["status"] == "withdrawn"


def test_snapshot_event_is_caused_by_an_operator_and_notifies_of_nothing() -> None:
    shop = Shop()
    last = bodies(shop.place())[-1]
    (order,) = shop.unit.orders.values()

    record = event_record(snapshot_of(order, NOON), snapshot.encode(order, MAX_BYTES), None)

    assert dict(read_headers(record.headers))["ce_causationid"] == b"orderflow/republish"
    assert notified([record]) == [("ORDER_SNAPSHOT", None, False)]
    (event,) = bodies([record])
    assert event["context"] == last["context"]
    assert (event["sequence"], event["order_version"]) == (last["sequence"], last["order_version"])
