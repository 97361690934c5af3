"""Privacy between shops on one number: places, signers and words, and names of the other shop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from services.orders.domain.events.recorder import OTHER_SHOP
from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.leaving import SPANS_MAX
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.tracking.scan import Location, Pickup, Proof
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    place,
    ref,
    report,
    scan,
    update_shipment,
    upsert,
    void,
)

ORDERS = {"right": "1", "wrong": "7", "third": "9"}
SAID = {
    "location": Location(city="Leipzig"),
    "text": "Left with Mrs Example",
    "reason": "given to Mrs Example",
    "proof": Proof(signed_by="A. Example"),
    "pickup": Pickup(name="Kiosk"),
    "timezone": "Europe/Berlin",
}
SEEN = ("location", "carrier_text", "reason", "proof", "pickup")

Step = Callable[[Desk], object]


def a_desk() -> Desk:
    desk = Desk()
    for shop, number in ORDERS.items():
        desk.send(place(number, shop=shop))
    return desk


def take(shop: str, order: str | None = None, **members: object) -> Step:
    """Attach N1 to the order of a shop."""
    tracking = Tracking(tracking_number="N1", **members)
    reference = ref(order or ORDERS[shop], shop=shop)
    return lambda desk: desk.send(upsert(reference, trackings=(tracking,)))


def leave(shop: str) -> Step:
    """Void N1 on the order of a shop, also where it was delivered."""
    reference = ref(ORDERS[shop], shop=shop)
    said = {"tracking_number": "N1", "is_forced": True, "reason": "mistyped"}
    return lambda desk: desk.send(void(reference, **said))


def scanned(name: str, carrier: str = "dhl") -> Step:
    """A scan with a place, at the time of its report."""
    return lambda desk: desk.send(report(scan(name, desk.now, carrier=carrier, **SAID)))


def play(desk: Desk, steps: Iterable[Step]) -> None:
    """Each step an hour after the one before."""
    for step in steps:
        step(desk)
        desk.now += HOUR


def shown_to(desk: Desk, shop: str) -> list[object]:
    """What events of a shop's orders say of places, signers and words, and where to collect."""
    data = [e.data for e in desk.events if e.shop == shop and e.type == "shipment.scanned"]
    scans = [getattr(each, name) for each in data for name in SEEN]
    orders = [order for order in desk.orders.values() if order.shop == shop]
    pickups = [each.tracking.pickup for order in orders for each in order.shipments]
    return [each for each in (*scans, *pickups) if each is not None]


UNDER_WAY = [take("right"), scanned("PICKED_UP_BY_CARRIER"), take("wrong")]
ENDED = [take("right"), scanned("PICKED_UP_BY_CARRIER"), scanned("SUCCESSFULLY_DELIVERED")]
BETWEEN = {"tracking_placed_at": NOON + 2 * HOUR + HOUR / 2}
DHL, UPS = {"carrier_reference": "dhl"}, {"carrier_reference": "ups"}
HISTORIES: dict[str, list[Step]] = {
    "the right one is voided": [*UNDER_WAY, scanned("OUT_FOR_DELIVERY"), leave("right")],
    "the right one is voided and attached again": [
        *UNDER_WAY,
        leave("right"),
        take("right"),
        scanned("OUT_FOR_DELIVERY"),
    ],
    "the right one moves to another order": [
        *UNDER_WAY,
        leave("right"),
        lambda desk: desk.send(place("2", shop="right")),
        take("right", "2"),
        scanned("OUT_FOR_DELIVERY"),
    ],
    "the wrong one is voided and attached again": [
        *UNDER_WAY,
        leave("right"),
        leave("wrong"),
        take("wrong"),
    ],
    "the right one is voided before the wrong one comes": [
        take("right"),
        scanned("OUT_FOR_DELIVERY"),
        leave("right"),
        take("wrong"),
    ],
    "the wrong one comes under another carrier and corrects it": [
        take("right", **DHL),
        take("wrong", **UPS),
        scanned("OUT_FOR_DELIVERY"),
        take("wrong", **DHL),
    ],
    "the right one names another carrier": [
        take("right", **DHL),
        scanned("OUT_FOR_DELIVERY"),
        take("wrong"),
        take("right", **UPS),
    ],
    "the wrong one says a hand-over that ends the right one's parcel": [
        *ENDED,
        scanned("DROPPED_OFF"),
        scanned("OUT_FOR_DELIVERY"),
        take("wrong", **BETWEEN),
    ],
    "the wrong one had a parcel that ended": [
        take("wrong"),
        lambda desk: desk.send(report(scan("SUCCESSFULLY_DELIVERED", desk.now))),
        lambda desk: setattr(desk, "now", desk.now + 30 * DAY),
        take("right"),
        scanned("DROPPED_OFF"),
        leave("right"),
    ],
}


@pytest.mark.parametrize("history", HISTORIES)
def test_shop_that_came_late_sees_no_place_of_the_other_in(history):
    desk = a_desk()

    play(desk, HISTORIES[history])

    assert shown_to(desk, "wrong") == []
    assert shown_to(desk, "right") != []


def test_shop_that_voids_and_attaches_again_sees_its_places_again():
    desk = a_desk()
    play(desk, [*UNDER_WAY, leave("right"), take("right"), scanned("READY_FOR_COLLECTION")])

    assert desk.order("1", "right").shipments[0].tracking.pickup == SAID["pickup"]


def test_shop_that_stays_sees_places_of_scans_after_the_other_left():
    desk = a_desk()
    play(desk, [*UNDER_WAY, leave("right"), scanned("OUT_FOR_DELIVERY")])

    assert SAID["location"] in shown_to(desk, "wrong")


def test_third_shop_that_comes_late_sees_nothing_of_both():
    desk = a_desk()
    steps = [*UNDER_WAY, leave("right"), scanned("SORTED"), take("third"), leave("wrong")]
    play(desk, steps)

    assert shown_to(desk, "third") == []


def test_two_orders_of_the_right_shop_both_see_places_whoever_came_between():
    desk = a_desk()
    desk.send(place("2", shop="right"))
    play(desk, [*UNDER_WAY, take("right", "2"), scanned("READY_FOR_COLLECTION")])

    for order in ("1", "2"):
        assert desk.order(order, "right").shipments[0].tracking.pickup == SAID["pickup"]
    assert shown_to(desk, "wrong") == []


def test_what_a_shop_saw_before_and_after_another_one_is_shown_to_no_third_one():
    """The other one took the number for used again, and left it."""
    desk = a_desk()
    play(desk, [take("right"), scanned("PICKED_UP_BY_CARRIER")])
    desk.now += 70 * DAY
    play(desk, [take("wrong"), scanned("OUT_FOR_DELIVERY"), leave("wrong")])
    play(desk, [scanned("SORTED"), leave("right"), take("third")])

    assert shown_to(desk, "right")
    assert shown_to(desk, "wrong")
    assert not shown_to(desk, "third")
    spans = sorted(desk.parcels["N1"].private, key=lambda span: span.since)
    assert [span.shop for span in spans] == ["right", "wrong", "right"]
    assert all(one.until <= other.since for one, other in pairwise(spans))


def test_number_that_many_shops_left_keeps_few_spans_and_shows_none_of_them():
    desk = Desk()
    for n in range(SPANS_MAX * 2):
        desk.send(place("1", shop=f"shop{n}"))
        tracking = (Tracking(tracking_number="N1"),)
        desk.send(upsert(ref("1", shop=f"shop{n}"), trackings=tracking))
        play(desk, [scanned("SORTED")])
        desk.send(void(ref("1", shop=f"shop{n}"), tracking_number="N1"))

    play(desk, [take_new(desk, "late")])

    assert len(desk.parcels["N1"].private) == SPANS_MAX
    assert shown_to(desk, "late") == []
    assert desk.order("1", "late").shipments[0].tracking.phase is Phase.IN_TRANSIT


def take_new(desk: Desk, shop: str) -> Step:
    desk.send(place("1", shop=shop))
    return take(shop, "1")


@pytest.mark.parametrize("how", ["void", "replace", "attach"])
def test_event_of_another_shop_names_no_command_of_the_one_that_caused_it(how):
    desk = a_desk()
    play(desk, [take("wrong", external_shipment_id="f1"), scanned("SUCCESSFULLY_DELIVERED")])
    desk.now += 30 * DAY
    if how != "attach":
        play(desk, [take("right", external_shipment_id="f1"), scanned("DROPPED_OFF")])
    else:
        play(desk, [scanned("DROPPED_OFF")])
    number, right = len(desk.events), ref("1", shop="right")
    command = {
        "void": void(right, tracking_number="N1"),
        "replace": update_shipment(right, external_shipment_id="f1", tracking_number="N2"),
        "attach": upsert(right, trackings=(Tracking(tracking_number="N1"),)),
    }[how]

    desk.send(command)

    causes = {event.shop: event.causation_id for event in desk.events[number:]}
    assert causes == {
        "right": command.causation_id,
        "wrong": f"{OTHER_SHOP}/{command.item_id}",
    }
