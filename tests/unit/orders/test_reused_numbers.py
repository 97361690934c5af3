"""Numbers that are used again: where the window of each parcel ends (docs/decisions/0151)."""

from __future__ import annotations

import itertools

import pytest

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import DeliveryState
from services.orders.domain.model.parcel import OWNERS_MAX
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.windows import shares_of
from services.orders.domain.tracking.catalogue import Flag, Phase
from services.orders.domain.tracking.scan import Location, Precision
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    SHOP,
    Desk,
    event_types,
    place,
    report,
    scan,
)
from tests.unit.orders.test_shared_numbers import a_desk, seen, take

USED = {
    "delivered": ("SUCCESSFULLY_DELIVERED", 5 * DAY),
    "returned": ("RETURNED_TO_SENDER", 5 * DAY),
    "lost": ("LOST", 5 * DAY),
    "expired": ("TRACKING_EXPIRED", 5 * DAY),
    "disposed of": ("DISPOSED", 5 * DAY),
    "confiscated": ("CONFISCATED", 5 * DAY),
    "out for delivery a year ago": ("OUT_FOR_DELIVERY", 365 * DAY),
    "never scanned": (None, 365 * DAY),
}


@pytest.mark.parametrize("shop", [SHOP, "other"])
@pytest.mark.parametrize("used", USED)
def test_number_that_was_used_before_gives_a_clean_parcel(used, shop):
    name, after = USED[used]
    desk = a_desk((SHOP, "1"))
    take(desk, "1")
    if name is not None:
        desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON), scan(name, NOON + HOUR)))
    before = desk.order("1")
    desk.now = NOON + after
    desk.send(place("2", shop=shop))

    decision = take(desk, "2", shop)
    desk.send(report(scan("DROPPED_OFF", desk.now - HOUR)))

    assert event_types(decision) == ["order.fulfilled", "shipment.fulfilled"]
    assert desk.order("1") == before
    tracking = desk.order("2", shop).shipments[0].tracking
    assert (tracking.phase, tracking.flag, tracking.leg) == (Phase.IN_TRANSIT, Flag.NORMAL, 1)


@pytest.mark.parametrize("said", [*itertools.permutations([None, NOON, NOON + 3 * DAY])])
def test_earliest_hand_over_that_is_said_counts_in_any_order(said):
    """The second of two orders in one box comes after the delivery, and is sent again."""
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    take(desk, "1")
    desk.now = NOON + 2 * DAY
    desk.send(report(scan("SUCCESSFULLY_DELIVERED", desk.now)))
    for hours, placed_at in enumerate(said, 1):
        desk.now = NOON + 3 * DAY + hours * HOUR
        take(desk, "2", tracking_placed_at=placed_at)

    for order in ("1", "2"):
        assert desk.shipment(number=order).tracking.phase is Phase.DELIVERED
        assert desk.order(order).delivery_state is DeliveryState.DELIVERED


@pytest.mark.parametrize("shop", [SHOP, "qb"])
@pytest.mark.parametrize("is_moved", [False, True])
def test_end_before_the_hand_over_of_a_parcel_is_not_its_own(is_moved, shop):
    """Else whoever names the number next takes the journey of the parcel."""
    desk = a_desk((SHOP, "1"), (shop, "7"))
    desk.send(report(scan("PICKED_UP_BY_CARRIER"), scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)))
    desk.now = NOON + 20 * DAY
    take(desk, "1")
    if is_moved:
        desk.send(report(scan("PICKED_UP_BY_CARRIER", desk.now + HOUR)))
        desk.now += 2 * DAY
    desk.now += HOUR
    take(desk, "7", shop)
    desk.now += DAY
    ways = ("PICKED_UP_BY_CARRIER", desk.now - HOUR), ("OUT_FOR_DELIVERY", desk.now)
    desk.send(report(*[scan(name, at) for name, at in ways]))

    for order in (desk.order("1"), desk.order("7", shop)):
        assert order.shipments[0].tracking.phase is Phase.IN_DELIVERY


@pytest.mark.parametrize("shop", [SHOP, "qb"])
@pytest.mark.parametrize("ways", [("RETURN_IN_TRANSIT", "SORTED", "RETURN_RECEIVED"), ("SORTED",)])
def test_return_that_begins_after_another_order_names_the_number_is_of_the_former_parcel(
    ways, shop
):
    """What comes first after the end is a return, or the journey of the next parcel."""
    desk = a_desk((SHOP, "1"), (shop, "7"))
    take(desk, "1")
    desk.send(report(scan("SUCCESSFULLY_DELIVERED")))
    desk.now = NOON + 2 * DAY
    take(desk, "7", shop)
    is_return = len(ways) > 1
    for name in ways:
        desk.now += 5 * DAY
        desk.send(report(scan(name, desk.now, location=Location(city="Leipzig"))))
    before = len(seen(desk, shop, "7"))
    desk.now += 5 * DAY
    desk.send(report(scan("OUT_FOR_DELIVERY", desk.now)))

    first = Phase.RETURN_RECEIVED if is_return else Phase.DELIVERED
    assert before == (0 if is_return else 1)
    assert desk.shipment().tracking.phase is first
    assert desk.order("7", shop).shipments[0].tracking.phase is Phase.IN_DELIVERY


@pytest.mark.parametrize(("days", "sees"), [(0, True), (1, False)])
def test_rule_11_delivery_of_day_precision_ends_a_parcel_at_the_end_of_its_day(days, sees):
    midnight = NOON - 12 * HOUR
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    take(desk, "1")
    desk.send(
        report(scan("SUCCESSFULLY_DELIVERED", midnight, precision=Precision.DAY, recorded_at=NOON))
    )
    desk.now = NOON + DAY
    take(desk, "2", tracking_placed_at=NOON + days * DAY)

    assert (desk.shipment(number="2").tracking.phase is Phase.DELIVERED) is sees
    assert desk.shipment().tracking.phase is Phase.DELIVERED


@pytest.mark.parametrize(
    "events", [("LABEL_CREATED", "DROPPED_OFF"), ("DROPPED_OFF", "LABEL_CREATED")]
)
@pytest.mark.parametrize("end", ["SUCCESSFULLY_DELIVERED", "LOST"])
def test_label_before_the_first_scan_of_a_reused_number_is_of_the_new_parcel(end, events):
    """Also where the shop attaches the number after that scan."""
    desk = a_desk((SHOP, "1"))
    take(desk, "1")
    desk.send(report(scan("PICKED_UP_BY_CARRIER"), scan(end, NOON + HOUR)))
    before = desk.order("1")
    desk.now = NOON + 20 * DAY
    desk.send(place("2", shop="other"))
    take(desk, "2", "other")

    at = {"LABEL_CREATED": desk.now - 3 * HOUR, "DROPPED_OFF": desk.now - HOUR}
    for name in events:
        decision = desk.send(report(scan(name, at[name])))
        assert [e.order_id for e in decision.events] == [desk.order("2", "other").order_id]

    assert desk.order("1") == before


@pytest.mark.parametrize(
    ("ended", "then", "after", "is_its_own"),
    [
        ("SUCCESSFULLY_DELIVERED", "PICKED_UP_BY_CARRIER", 59 * DAY, True),
        ("SUCCESSFULLY_DELIVERED", "PICKED_UP_BY_CARRIER", 61 * DAY, False),
        ("RETURNED_TO_SENDER", "DROPPED_OFF", 365 * DAY, False),
        ("SUCCESSFULLY_DELIVERED", "RETURN_LABEL_CREATED", 61 * DAY, True),
        ("LOST", "OUT_FOR_DELIVERY", 61 * DAY, True),
        ("OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED", 61 * DAY, True),
    ],
)
@pytest.mark.parametrize("is_late", [False, True])
def test_scan_long_after_the_end_of_a_parcel_is_of_another_one(
    ended, then, after, is_its_own, is_late
):
    desk = a_desk((SHOP, "1"), ("qb", "7"))
    take(desk, "1")
    desk.now = NOON + DAY + after
    first, last = scan(ended, NOON + DAY), scan(then, desk.now, recorded_at=desk.now)
    desk.send(report(last if is_late else first))
    before = desk.shipment().tracking
    decision = desk.send(report(first if is_late else last))

    tracking = desk.shipment().tracking
    assert (tracking.last_occurred_at == last.occurred_at) is is_its_own
    if not is_its_own and not is_late:
        assert (decision.reason, tracking) == (Reason.NUMBER_NOT_OWNED, before)
    take(desk, "7", "qb")
    if not is_its_own:
        assert desk.shipment().tracking == tracking
        assert desk.order("7", "qb").shipments[0].tracking.last_occurred_at == last.occurred_at


@pytest.mark.parametrize("first", ["LABEL_CREATED", "PICKED_UP_BY_CARRIER"])
def test_end_and_what_comes_long_after_it_in_one_message_are_of_two_parcels(first):
    desk = a_desk((SHOP, "1"))
    take(desk, "1")
    desk.send(report(scan(first, NOON)))
    desk.now = NOON + 80 * DAY
    end, later = NOON + 10 * DAY, scan("LABEL_CREATED", desk.now, recorded_at=desk.now)

    desk.send(report(scan("SUCCESSFULLY_DELIVERED", end, recorded_at=desk.now), later))

    tracking = desk.shipment().tracking
    assert (tracking.phase, tracking.last_occurred_at) == (Phase.DELIVERED, end)


def test_late_scan_of_the_former_parcel_is_its_own():
    desk = a_desk((SHOP, "1"))
    take(desk, "1")
    desk.send(report(scan("PICKED_UP_BY_CARRIER"), scan("SUCCESSFULLY_DELIVERED", NOON + DAY)))
    desk.now = NOON + 10 * DAY
    desk.send(place("2"))
    take(desk, "2")

    late = desk.send(report(scan("SORTED", NOON + HOUR)))

    assert [event.order_id for event in late.events] == [desk.order("1").order_id]
    assert desk.shipment(number="2").tracking.phase is Phase.ORDER_PROCESSED


def test_former_parcel_keeps_all_its_scans_when_its_number_is_used_again_at_once():
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    take(desk, "1")
    desk.send(report(scan("PICKED_UP_BY_CARRIER"), scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)))
    desk.now = NOON + 2 * HOUR

    take(desk, "2")

    assert desk.shipment(number="1").tracking.phase is Phase.DELIVERED
    assert desk.shipment(number="2").tracking.phase is Phase.ORDER_PROCESSED


def test_delivery_that_arrives_late_parts_the_windows_of_two_parcels():
    desk = a_desk((SHOP, "1"))
    take(desk, "1")
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.now = NOON + 10 * DAY
    desk.send(place("2"))
    take(desk, "2")
    assert desk.shipment(number="2").tracking.phase is Phase.IN_TRANSIT

    decision = desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON + 2 * DAY)))

    assert desk.shipment(number="1").tracking.phase is Phase.DELIVERED
    assert desk.shipment(number="2").tracking.phase is Phase.ORDER_PROCESSED
    second = desk.order("2").order_id
    (corrected,) = [event.data for event in decision.events if event.order_id == second]
    assert corrected.changed_fields == ("tracking",)


@pytest.mark.parametrize(("days", "is_kept"), [(70, True), (190, False)])
def test_label_that_is_used_late_stays_with_its_parcel_when_another_shop_names_the_number(
    days, is_kept
):
    desk = a_desk((SHOP, "1"), ("qb", "7"))
    take(desk, "1")
    desk.now = NOON + days * DAY
    desk.send(report(scan("PICKED_UP_BY_CARRIER", desk.now - HOUR)))

    take(desk, "7", "qb")

    own = desk.shipment().tracking.phase
    assert own is (Phase.IN_TRANSIT if is_kept else Phase.ORDER_PROCESSED)
    assert desk.order("7", "qb").shipments[0].tracking.phase is Phase.IN_TRANSIT


def test_scan_that_no_parcel_sees_corrects_the_parcel_whose_window_it_ends():
    desk = a_desk((SHOP, "1"), (SHOP, "2"))
    take(desk, "1", tracking_placed_at=NOON - 190 * DAY)
    desk.send(report(scan("PICKED_UP_BY_CARRIER")))
    desk.now = NOON + 61 * DAY
    take(desk, "2", carrier_reference="ups")
    assert desk.shipment(number="1").tracking.phase is Phase.IN_TRANSIT

    decision = desk.send(report(scan("SORTED", desk.now - 3 * DAY)))

    (owner, _) = desk.parcels["N1"].owners
    assert shares_of(desk.parcels["N1"])[owner.shipment_id] == ()
    assert (decision.outcome, event_types(decision)) == (Outcome.APPLIED, ["shipment.updated"])
    assert desk.shipment(number="1").tracking.phase is Phase.ORDER_PROCESSED


def test_number_that_is_used_again_for_ever_keeps_room_for_the_next_parcel():
    desk = Desk()
    for n in range(OWNERS_MAX + 3):
        desk.send(place(str(n)))
        take(desk, str(n))
        done = scan("SUCCESSFULLY_DELIVERED", desk.now + HOUR)
        desk.send(report(scan("PICKED_UP_BY_CARRIER", desk.now), done))
        desk.now += 20 * DAY

    last = str(OWNERS_MAX + 2)
    assert len(desk.parcels["N1"].owners) == OWNERS_MAX
    assert desk.shipment(number=last).tracking.delivered_at == desk.now - 20 * DAY + HOUR
    assert desk.shipment(number="0").tracking.phase is Phase.DELIVERED
