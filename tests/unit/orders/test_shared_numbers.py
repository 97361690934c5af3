"""Numbers on several shipments under way: shared, mistyped (docs/decisions/0151)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import OrderStatus
from services.orders.domain.model.parcel import OWNERS_MAX
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.windows import shares_of
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.tracking.scan import Location, Pickup, Proof
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    SHOP,
    Desk,
    event_types,
    place,
    ref,
    report,
    scan,
    upsert,
    void,
)

MINUTE = timedelta(minutes=1)


def take(desk: Desk, order: str, shop: str = SHOP, **members):
    """Attach N1 to an order of any shop."""
    tracking = Tracking(tracking_number="N1", **members)
    return desk.send(upsert(ref(order, shop=shop), trackings=(tracking,)))


def a_desk(*orders: tuple[str, str]) -> Desk:
    """A desk with orders without parcels."""
    desk = Desk()
    for shop, number in orders:
        desk.send(place(number, shop=shop))
    return desk


def notified(desk: Desk, order: str, shop: str = SHOP) -> list[str]:
    """The groups that the customer of an order was notified of."""
    order_id = desk.order(order, shop).order_id
    mine = [event for event in desk.events if event.order_id == order_id]
    return [str(event.event_group) for event in mine if getattr(event.data, "notify", False)]


def test_two_orders_in_one_box_both_show_the_parcel_and_each_customer_hears_once():
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    for order in ("1", "2", "1", "2", "1", "2"):
        take(desk, order)
    desk.now = NOON + MINUTE

    decision = desk.send(report(scan("OUT_FOR_DELIVERY", NOON + MINUTE)))
    for order in ("1", "2", "1", "2"):
        assert take(desk, order).outcome is Outcome.NO_CHANGE

    for order in ("1", "2"):
        assert desk.order(order).status is OrderStatus.FULFILLED
        assert desk.shipment(number=order).tracking.phase is Phase.IN_DELIVERY
        assert notified(desk, order).count("shipment_out_for_delivery") == 1
    assert event_types(decision) == ["shipment.scanned", "shipment.scanned"]
    assert len({event.event_id for event in decision.events}) == 2


@pytest.mark.parametrize("first", ["qa", "qb"])
def test_number_that_another_shop_mistyped_costs_its_shop_nothing(first):
    desk = a_desk(("qa", "1"), ("qb", "7"))
    second = {"qa": "qb", "qb": "qa"}[first]
    orders = {"qa": "1", "qb": "7"}
    take(desk, orders[first], first)
    desk.now = NOON + HOUR
    decision = take(desk, orders[second], second)
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON + 2 * HOUR)))

    assert decision.outcome is Outcome.APPLIED
    assert decision.events[0].order_id == desk.order(orders[second], second).order_id
    for shop, order in orders.items():
        assert desk.order(order, shop).shipments[0].tracking.phase is Phase.IN_TRANSIT


SAID = {
    "location": Location(city="Leipzig"),
    "text": "Left with Mrs Example",
    "reason": "Mrs Example was out",
    "proof": Proof(signed_by="A. Example"),
    "pickup": Pickup(name="Kiosk"),
}
HIDDEN = dict.fromkeys(("location", "carrier_text", "reason", "proof", "pickup"))
SEEN = {"carrier_text" if name == "text" else name: value for name, value in SAID.items()}


def seen(desk: Desk, shop: str, order: str) -> list[dict[str, object]]:
    """Place, text, proof and pick-up point of the scan events of an order."""
    order_id = desk.order(order, shop).order_id
    mine = [e.data for e in desk.events if e.order_id == order_id and e.type == "shipment.scanned"]
    return [{name: getattr(data, name) for name in SEEN} for data in mine]


@pytest.mark.parametrize(
    ("attached", "owner"),
    [
        ({"qa": -HOUR, "qb": HOUR}, "qa"),  # Under way when qb mistyped it.
        ({"qb": -DAY, "qa": -HOUR}, "qa"),  # Mistyped by qb before there was a parcel.
        ({"qa": -DAY, "qb": -HOUR}, "qb"),  # The same the other way round.
        ({"qa": HOUR, "qb": 2 * HOUR}, "qa"),  # Both after its first scan.
    ],
)
def test_one_shop_alone_sees_place_signer_and_text_of_a_shared_number(attached, owner):
    desk = a_desk(("qa", "1"), ("qb", "7"))
    orders = {"qa": "1", "qb": "7"}
    steps = [*attached.items(), ("scan", timedelta(0)), ("late", 3 * HOUR)]
    for what, after in sorted(steps, key=lambda step: step[1]):
        desk.now = NOON + after
        if what in orders:
            take(desk, orders[what], what)
        else:
            name = "PICKED_UP_BY_CARRIER" if what == "scan" else "OUT_FOR_DELIVERY"
            desk.send(report(scan(name, desk.now, **SAID)))

    other = {"qa": "qb", "qb": "qa"}[owner]
    assert seen(desk, owner, orders[owner])[-1] == SEEN
    assert seen(desk, other, orders[other])[-1] == HIDDEN
    shipment = desk.order(orders[other], other).shipments[0]
    assert (shipment.tracking.phase, shipment.tracking.pickup) == (Phase.IN_DELIVERY, None)


def test_parcels_of_two_carriers_and_one_without_show_each_scan_to_one_shop():
    desk = a_desk(("qa", "1"), ("qb", "1"), ("qa", "2"))
    take(desk, "1", "qa")
    take(desk, "1", "qb", carrier_reference="dhl")
    take(desk, "2", "qa", carrier_reference="ups")

    desk.send(report(scan("LABEL_CREATED", carrier="dhl", **SAID)))
    desk.send(report(scan("LABEL_CREATED", carrier="ups", **SAID), carrier="ups"))

    assert seen(desk, "qb", "1") == [SEEN]
    assert seen(desk, "qa", "1") == [HIDDEN, SEEN]
    assert seen(desk, "qa", "2") == [SEEN]


def test_orders_of_one_shop_in_one_box_both_see_place_and_signer():
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    for order in ("1", "2"):
        take(desk, order)

    desk.send(report(scan("PICKED_UP_BY_CARRIER", **SAID)))

    assert seen(desk, SHOP, "1") == seen(desk, SHOP, "2") == [SEEN]


@pytest.mark.parametrize(
    ("carrier", "before"), [("dhl", timedelta(0)), ("ups", 401 * DAY)], ids=["carrier", "time"]
)
def test_scan_of_no_parcel_on_the_number_waits(carrier, before):
    desk = a_desk((SHOP, "1"))
    take(desk, "1", carrier_reference="ups")

    decision = desk.send(report(scan("SORTED", NOON - before, carrier=carrier)))

    assert (decision.outcome, decision.events) == (Outcome.WAITING, ())


@pytest.mark.parametrize(
    ("before", "is_seen"), [(399 * DAY, True), (401 * DAY, False)], ids=["within", "before"]
)
def test_window_begins_400_days_before_the_number_is_attached(before, is_seen):
    desk = Desk()
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON - before)))
    desk.send(place("1"))

    take(desk, "1")

    phase = desk.shipment().tracking.phase
    assert phase is (Phase.IN_TRANSIT if is_seen else Phase.ORDER_PROCESSED)


@pytest.mark.parametrize("said", ["order_placed_at", "tracking_placed_at"])
def test_window_begins_before_what_the_shop_says_happened_earlier(said):
    desk = Desk()
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON - 900 * DAY)))
    at = {said: NOON - 899 * DAY}
    desk.send(place("1", **at) if said == "order_placed_at" else place("1"))

    take(desk, "1", **(at if said == "tracking_placed_at" else {}))

    assert desk.shipment().tracking.phase is Phase.IN_TRANSIT


def test_number_of_two_carriers_is_two_parcels():
    desk = a_desk((SHOP, "1"), ("other", "1"))
    take(desk, "1", carrier_reference="dhl")
    take(desk, "1", "other", carrier_reference="ups")

    desk.send(report(scan("PICKED_UP_BY_CARRIER", carrier="dhl")))
    unnamed = desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON + HOUR, carrier=None)))

    assert unnamed.outcome is Outcome.WAITING
    assert desk.order().shipments[0].tracking.phase is Phase.IN_TRANSIT
    assert desk.order(shop="other").shipments[0].tracking.phase is Phase.ORDER_PROCESSED


def test_parcel_without_a_carrier_leaves_another_ones_carrier_to_it_once_it_has_its_own():
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    take(desk, "1")
    desk.send(report(scan("DROPPED_OFF", NOON, carrier="ups"), carrier="ups"))
    take(desk, "2", carrier_reference="dhl")
    desk.now = NOON + HOUR

    desk.send(report(scan("SUCCESSFULLY_DELIVERED", desk.now, carrier="dhl"), carrier="dhl"))

    assert desk.shipment(number="1").tracking.phase is Phase.IN_TRANSIT
    assert desk.shipment(number="2").tracking.phase is Phase.DELIVERED


def test_parcel_without_a_carrier_shares_those_of_another_one_while_no_other_reports_it():
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    take(desk, "1")
    take(desk, "2", carrier_reference="dhl")

    desk.send(report(scan("OUT_FOR_DELIVERY", NOON, carrier="dhl"), carrier="dhl"))

    for order in ("1", "2"):
        assert desk.shipment(number=order).tracking.phase is Phase.IN_DELIVERY


def test_number_on_too_many_parcels_under_way_is_refused_and_touches_nothing():
    desk = a_desk(*((SHOP, str(n)) for n in range(OWNERS_MAX + 1)))
    for n in range(OWNERS_MAX):
        take(desk, str(n))
    before = dict(desk.orders), dict(desk.parcels)

    decision = take(desk, str(OWNERS_MAX))

    assert (decision.outcome, decision.reason, decision.pointer) == (
        Outcome.REJECTED,
        Reason.TRACKING_NUMBER_SHARED,
        "/trackings/0/tracking_number",
    )
    assert (desk.orders, desk.parcels) == before


def test_parcel_that_left_its_place_on_the_number_can_be_corrected_and_voided():
    desk = Desk()
    for n in range(OWNERS_MAX + 1):
        desk.send(place(str(n)))
        take(desk, str(n))
        desk.send(report(scan("SUCCESSFULLY_DELIVERED", desk.now + HOUR)))
        desk.now += 20 * DAY
    assert desk.order("0").order_id not in {o.order_id for o in desk.parcels["N1"].owners}

    corrected = take(desk, "0", carrier_reference="ups")
    voided = desk.send(void(ref("0"), tracking_number="N1", is_forced=True, reason="wrong"))

    assert (corrected.outcome, voided.outcome) == (Outcome.APPLIED, Outcome.APPLIED)
    assert desk.shipment(number="0").is_draft
    assert len(desk.parcels["N1"].owners) == OWNERS_MAX


def test_void_by_one_of_two_orders_leaves_the_parcel_to_the_other():
    desk = a_desk((SHOP, "1"), ("other", "1"))
    take(desk, "1")
    take(desk, "1", "other")
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    before = desk.order("1", "other")

    decision = desk.send(void(tracking_number="N1", reason="mistyped"))

    assert [(e.order_id, e.type.value) for e in decision.events] == [
        (desk.order().order_id, "order.updated"),
        (desk.order().order_id, "shipment.released"),
    ]
    assert desk.order("1", "other") == before
    assert [owner.order_id for owner in desk.parcels["N1"].owners] == [before.order_id]
    later = desk.send(report(scan("OUT_FOR_DELIVERY", NOON + HOUR)))
    assert [each.order_id for each in later.events] == [before.order_id]


def test_void_of_the_later_parcel_gives_its_scans_to_the_one_that_ended_before():
    """The windows of the others are computed again: nothing parts them any more."""
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    take(desk, "1")
    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)))
    desk.now = NOON + 30 * DAY
    take(desk, "2")
    desk.send(report(scan("DROPPED_OFF", desk.now)))
    assert desk.shipment(number="1").tracking.phase is Phase.DELIVERED

    desk.send(void(ref("2"), tracking_number="N1"))

    (owner,) = desk.parcels["N1"].owners
    number = desk.parcels["N1"]
    assert shares_of(number)[owner.shipment_id] == number.scans
