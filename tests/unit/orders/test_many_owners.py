"""What a number on many shipments costs: counted, so that it is the same on every machine."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bench.counting import Counter
from services.orders.domain.decide import decide
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.parcel import OWNERS_MAX
from services.orders.domain.model.reasons import Reason
from tests.unit.orders.builders import NOON, SHOP, Desk, attach, place, ref, report, scan, upsert

MINUTE = timedelta(minutes=1)


def attachment(number: str, shop: str = SHOP, tracking: str = "N1"):
    return upsert(ref(number, shop=shop), trackings=attach(tracking, carrier="ups").trackings)


def a_desk(owners: int, scans: int, *, are_shops: bool = False) -> Desk:
    """Orders of one shop, or each of its own, that have N1; the number has scans under way."""
    desk = Desk()
    for n in range(owners):
        shop = f"shop{n}" if are_shops else SHOP
        desk.send(place(str(n), shop=shop))
        desk.send(attachment(str(n), shop))
    sorted_ = [scan("SORTED", NOON + n * MINUTE, carrier="ups") for n in range(scans)]
    desk.send(report(*sorted_, carrier="ups"))
    return desk


def cost(desk: Desk, command) -> float:
    """How many instructions a decision runs."""
    world, counter = desk.seen_by(command), Counter()
    with counter.counting():
        counter.begin()
        decide(world, command, desk.now)
        counter.end("decide")
    return counter.parts["decide"].instructions


@pytest.mark.parametrize("are_shops", [False, True], ids=["one shop", "a shop each"])
def test_scan_costs_as_much_more_as_there_are_more_owners(are_shops):
    delivered = report(scan("SUCCESSFULLY_DELIVERED", NOON + 99 * MINUTE, carrier="ups"))
    few, many = (
        cost(a_desk(owners, 40, are_shops=are_shops), delivered) for owners in (4, OWNERS_MAX)
    )

    assert many < few * (OWNERS_MAX / 4) * 1.25


def test_refusal_on_a_full_number_costs_no_more_with_many_scans():
    ordinary = Desk()
    ordinary.send(place("0"))
    usual = cost(ordinary, attachment("0"))

    for scans in (1, 100):
        desk = a_desk(OWNERS_MAX, scans, are_shops=True)
        for number in ("first", "second"):
            desk.send(place(number))
        refused = desk.send(attachment("first"))
        assert (refused.outcome, refused.reason) == (
            Outcome.REJECTED,
            Reason.TRACKING_NUMBER_SHARED,
        )
        assert cost(desk, attachment("second")) < usual
