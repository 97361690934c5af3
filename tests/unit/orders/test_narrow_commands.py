"""Cancelling, amending, attributing, and copies of claims."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.orders.domain.model.commands import RecordClaim
from services.orders.domain.model.decision import OrderEventData, Outcome
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.order import Address, Analytics, ClaimCopy, OrderStatus
from services.orders.domain.model.reasons import Reason
from services.orders.domain.tracking.catalogue import Phase, State
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    SHOP,
    Desk,
    attach,
    attribute,
    cancel,
    event_types,
    fields,
    item,
    place,
    product,
    ref,
    report,
    scan,
    update,
    update_shipment,
    upsert,
)

CLAIM = str(UUID(int=7))


def test_cancelling_a_placed_order_archives_its_drafts():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2))

    decision = desk.send(cancel(reason="changed mind", cancelled_at=NOON + HOUR))

    order = desk.order()
    assert (order.status, order.cancelled_at) == (OrderStatus.CANCELLED, NOON + HOUR)
    assert [s.state for s in order.shipments] == [State.ARCHIVED, State.ARCHIVED]
    assert event_types(decision) == ["order.cancelled"]
    event = decision.events[0]
    assert event.event_group == "shipment_order_cancelled"
    assert event.occurred_at == NOON + HOUR
    assert event.data == OrderEventData(
        status=OrderStatus.CANCELLED,
        previous_status=OrderStatus.PLACED,
        changed_fields=("cancelled_at", "status"),
        shipment_ids=tuple(s.shipment_id for s in order.shipments),
        reason="changed mind",
        notify=True,
    )


@pytest.mark.parametrize(
    ("placed", "said", "expected"),
    [
        (NOON, {}, True),
        (NOON, {"cancelled_at": NOON - 5 * HOUR}, False),
        (NOON - 300 * DAY, {}, False),
        (NOON - 300 * DAY, {"cancelled_at": NOON - 300 * DAY}, False),
        (NOON - 300 * DAY, {"updated_at": NOON - 300 * DAY}, False),
        (NOON - 300 * DAY, {"cancelled_at": NOON - HOUR}, True),
    ],
)
def test_cancellation_notifies_if_it_is_fresh_and_no_import(placed, said, expected):
    desk = Desk()
    placement = desk.send(place(order_placed_at=placed))

    decision = desk.send(cancel(**said))

    assert placement.events[0].data.notify is (placed == NOON)
    assert decision.events[0].event_group == "shipment_order_cancelled"
    assert decision.events[0].data.notify is expected


@pytest.mark.parametrize("expected", [1, 2])
def test_parcels_under_way_go_on_being_tracked_after_a_cancellation(expected):
    desk = Desk()
    desk.send(place(expected_number_of_shipments=expected))
    desk.send(attach("N1"))

    decision = desk.send(cancel())
    scanned = desk.send(report(scan("SUCCESSFULLY_DELIVERED")))

    assert event_types(decision) == ["order.cancelled"]
    assert decision.events[0].event_group is None
    assert event_types(scanned) == ["shipment.scanned", "order.delivered"]
    assert desk.order().status is OrderStatus.CANCELLED
    assert desk.shipment().tracking.phase is Phase.DELIVERED
    assert desk.shipment().state is State.DELIVERED
    assert all(s.archived for s in desk.order().shipments[1:])


def test_cancelling_twice_is_no_difference():
    desk = Desk()
    desk.send(place())
    desk.send(cancel(cancelled_at=NOON))

    decision = desk.send(cancel(cancelled_at=NOON + DAY, reason="again"))

    assert decision.reason is Reason.NO_DIFFERENCE
    assert desk.order().cancelled_at == NOON


def test_cancelled_order_can_be_corrected_but_expects_nothing_more():
    desk = Desk()
    desk.send(place())
    desk.send(cancel())
    before = desk.order()

    for command in (
        update(expected_number_of_shipments=2),
        upsert(ref(), fields(expected_number_of_shipments=2)),
    ):
        refused = desk.send(command)
        assert (refused.outcome, refused.reason) == (Outcome.REJECTED, Reason.ORDER_CANCELLED)
    assert desk.order() == before
    assert event_types(desk.send(update(address=Address(zip_code="9")))) == ["order.updated"]
    assert desk.order().status is OrderStatus.CANCELLED


def test_cancel_and_attach_end_the_same_either_way_round():
    ends = []
    for commands in ((attach("N1"), cancel()), (cancel(), attach("N1"))):
        desk = Desk()
        desk.send(place(expected_number_of_shipments=2))
        for command in commands:
            desk.send(command)
        order = desk.order()
        ends.append(replace(order, applied=(), version=0, order_sequence=0, shipment_sequence=0))

    assert ends[0] == ends[1]


def test_update_of_nothing_is_no_difference():
    desk = Desk()
    desk.send(place())

    assert desk.send(update()).reason is Reason.NO_DIFFERENCE
    assert desk.send(update_shipment(shipment_id=desk.shipment().shipment_id)).reason is (
        Reason.NO_DIFFERENCE
    )


def test_impossible_expected_number_points_at_the_update():
    desk = Desk()
    desk.send(place())

    assert desk.send(update(expected_number_of_shipments=101)).pointer == (
        "/expected_number_of_shipments"
    )


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        (None, (product("a"),)),
        ((), ()),
        ((product("b"),), (product("b"),)),
    ],
)
def test_absent_products_skip_an_empty_list_empties_any_list_replaces(said, becomes):
    desk = Desk()
    desk.send(place(products=(product("a"), product("b"))))
    desk.send(attach("N1", products=(product("a"),)))

    decision = desk.send(
        update_shipment(tracking_number="n1", tracking_url="https://x.example", products=said)
    )

    assert desk.shipment().products == becomes
    assert desk.shipment().tracking_url == "https://x.example"
    assert event_types(decision) == ["shipment.updated"]
    changed = ("tracking_url",) if said is None else ("products", "tracking_url")
    assert decision.events[0].data.changed_fields == changed


def test_draft_takes_the_products_that_will_be_in_it():
    desk = Desk()
    desk.send(place(products=(product("a"), product("b")), expected_number_of_shipments=2))
    draft = desk.shipment(1).shipment_id

    desk.send(update_shipment(shipment_id=draft, products=(product("a"),)))
    desk.send(attach("N1"))

    assert desk.shipment(1).products == (product("a"),)


@pytest.mark.parametrize(
    ("names", "reason", "pointer"),
    [
        ({}, Reason.SHIPMENT_NOT_NAMED, None),
        ({"shipment_id": str(UUID(int=1))}, Reason.SHIPMENT_NOT_FOUND, "/shipment_id"),
    ],
)
def test_shipment_that_cannot_be_found_is_refused(names, reason, pointer):
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", carrier="dhl"))
    before = desk.order()

    decision = desk.send(update_shipment(tracking_url="https://x.example", **names))

    assert (decision.outcome, decision.reason, decision.pointer) == (
        Outcome.REJECTED,
        reason,
        pointer,
    )
    assert desk.order() == before


def test_shipment_id_and_number_that_differ_are_refused():
    desk = Desk()
    desk.send(place(expected_number_of_shipments=2))
    desk.send(attach("N1"))
    draft = desk.shipment(2).shipment_id

    decision = desk.send(update_shipment(shipment_id=draft, tracking_number="N1"))

    assert decision.reason is Reason.SHIPMENT_AMBIGUOUS


def test_update_of_a_number_that_is_not_attached_yet_waits_for_it():
    desk = Desk()
    desk.send(place())
    command = update_shipment(tracking_number="n 1", tracking_url="https://x.example")

    waiting = desk.send(command)
    attached = desk.send(attach("N1"))
    later = desk.send(command)

    assert (waiting.outcome, waiting.reason) == (Outcome.WAITING, Reason.SHIPMENT_NOT_FOUND)
    assert waiting.waits_for in attached.appeared
    assert event_types(later) == ["shipment.updated"]


def test_attribution_merges_its_keys_and_has_an_event_of_its_own():
    desk = Desk()
    desk.send(place(order_analytics=Analytics(source="mail", extras={"a": 1})))

    decision = desk.send(
        attribute(order_analytics=Analytics(medium="cpc", extras={"b": [1, {"c": None}]}))
    )

    assert desk.order().order_analytics == Analytics(
        source="mail", medium="cpc", extras={"a": 1, "b": [1, {"c": None}]}
    )
    assert event_types(decision) == ["order.analytics_updated"]
    assert decision.events[0].data.changed_fields == ("order_analytics",)


@pytest.mark.parametrize(
    ("nulls", "left"),
    [
        (("source",), Analytics(medium="cpc", extras={"a": 1})),
        (("a", "unknown"), Analytics(source="mail", medium="cpc")),
        (("source", "medium", "a"), None),
    ],
)
def test_attribution_key_that_is_null_is_removed(nulls, left):
    desk = Desk()
    desk.send(place(order_analytics=Analytics(source="mail", medium="cpc", extras={"a": 1})))

    decision = desk.send(attribute(order_analytics=Analytics(), analytics_nulls=nulls))

    assert desk.order().order_analytics == left
    assert event_types(decision) == ["order.analytics_updated"]


@pytest.mark.parametrize("said", [Analytics(medium="cpc"), Analytics()])
def test_attribution_that_is_whole_replaces_all_that_is_held(said):
    desk = Desk()
    desk.send(place(order_analytics=Analytics(source="mail", extras={"a": 1})))

    desk.send(attribute(order_analytics=said, is_whole=True))

    assert desk.order().order_analytics == (said if said != Analytics() else None)


def test_attribution_in_an_upsert_removes_keys_that_are_null_beside_the_order_or_inside():
    desk = Desk()
    desk.send(place(order_analytics=Analytics(source="mail", medium="cpc", term="mug")))

    said = fields(order_analytics=Analytics(), analytics_nulls=("source",))
    desk.send(upsert(ref(), said))
    desk.send(upsert(ref(), order_analytics=Analytics(), analytics_nulls=("term",)))

    assert desk.order().order_analytics == Analytics(medium="cpc")


def test_attribution_beside_the_order_wins_over_the_one_inside():
    desk = Desk()

    desk.send(
        upsert(
            ref(),
            fields(order_analytics=Analytics(source="inside")),
            order_analytics=Analytics(source="beside"),
        )
    )

    assert desk.order().order_analytics == Analytics(source="beside")


def test_attribution_has_guards_of_its_own():
    desk = Desk()
    desk.send(place(sent=item(source_version=9)))

    first = desk.send(attribute(order_analytics=Analytics(source="b"), source_version=2))
    older = desk.send(attribute(order_analytics=Analytics(source="a"), source_version=1))

    assert first.outcome is Outcome.APPLIED
    assert older.reason is Reason.STALE
    assert desk.order().source_version == 9
    assert desk.order().order_analytics == Analytics(source="b")


def test_upsert_with_old_attribution_applies_the_rest():
    desk = Desk()
    desk.send(place(sent=item(source_version=1)))
    desk.send(attribute(order_analytics=Analytics(source="new"), source_version=5))

    desk.send(
        upsert(
            ref(),
            fields(email_id="x@example.org"),
            order_analytics=Analytics(source="old"),
            source_version=3,
        )
    )

    assert desk.order().order_analytics == Analytics(source="new")
    assert desk.order().placement.email_id == "x@example.org"


def test_attribution_item_sent_again_is_a_duplicate():
    desk = Desk()
    desk.send(place())
    command = attribute(order_analytics=Analytics(source="a"))
    desk.send(command)

    assert desk.send(command).reason is Reason.DUPLICATE


def _claim(sequence: int, status: str = "pending", claim_id: str = CLAIM, number: str = "1"):
    return RecordClaim(
        **item(),
        shop=SHOP,
        order_id=order_id_of(SHOP, number),
        claim=ClaimCopy(claim_id=claim_id, sequence=sequence, status=status),
    )


def test_claim_is_copied_without_an_event_or_a_step():
    desk = Desk()
    desk.send(place())
    version = desk.order().version

    decision = desk.send(_claim(1))

    assert decision.outcome is Outcome.APPLIED
    assert desk.order().version == version
    assert desk.order().claims == (ClaimCopy(claim_id=CLAIM, sequence=1, status="pending"),)


def test_only_newer_copies_of_a_claim_are_kept():
    desk = Desk()
    desk.send(place())
    desk.send(_claim(2, "accepted"))

    assert desk.send(_claim(2, "accepted")).reason is Reason.DUPLICATE
    assert desk.send(_claim(1, "pending")).reason is Reason.STALE
    desk.send(_claim(3, "closed"))

    assert [claim.status for claim in desk.order().claims] == ["closed"]


def test_claims_are_kept_up_to_the_newest_fifty():
    desk = Desk()
    desk.send(place())
    for sequence in range(1, 61):
        desk.send(_claim(sequence, claim_id=str(UUID(int=sequence))))

    assert [claim.sequence for claim in desk.order().claims] == list(range(11, 61))


def test_claim_of_an_unknown_order_waits():
    assert Desk().send(_claim(1)).waits_for == f"order/shop/uuid/{order_id_of(SHOP, '1')}"
