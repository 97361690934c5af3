"""Rule 6b: a pick-up soon after the end begins a leg only if a later scan confirms it."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.tracking.catalogue import CATALOGUE, Phase
from services.orders.domain.tracking.explanation import explain
from services.orders.domain.tracking.scan import Direction, Precision
from services.orders.domain.tracking.state import FINISHED, Rule
from tests.unit.orders.builders import DAY, HOUR, NOON, Desk, attach, place, report, scan
from tests.unit.orders.tracking.replays import LATER, state_of

MINUTE = timedelta(minutes=1)
DELIVERED = scan("SUCCESSFULLY_DELIVERED")
"""Delivered at noon; all other times of these tests count from it."""
PICK_UPS = ("DROPPED_OFF", "PICKED_UP_BY_CARRIER")
TO_THE_CUSTOMER = tuple(
    name
    for name, entry in CATALOGUE.items()
    if entry.physical and entry.phase is Phase.DELIVERED and name != "SUCCESSFULLY_DELIVERED"
)


@pytest.mark.parametrize("after", [MINUTE, HOUR, 10 * HOUR, 12 * HOUR])
@pytest.mark.parametrize("name", PICK_UPS)
def test_pick_up_soon_after_a_delivery_leaves_it_delivered(name, after):
    state = state_of(DELIVERED, scan(name, NOON + after))

    assert (state.phase, state.leg, state.delivered_at) == (Phase.DELIVERED, 1, NOON)


@pytest.mark.parametrize("name", PICK_UPS)
@pytest.mark.parametrize("end", ["SUCCESSFULLY_DELIVERED", *TO_THE_CUSTOMER])
def test_pick_up_more_than_12_hours_after_any_delivery_opens_a_leg(end, name):
    state = state_of(scan(end), scan(name, NOON + 12 * HOUR + MINUTE))

    assert (state.phase, state.leg, state.delivered_at) == (Phase.IN_TRANSIT, 2, NOON)


CASES = {
    # After the pick-up, ten minutes after the delivery: what comes, and whether leg 2 began then.
    "a hub five minutes later": ([("ARRIVAL_AT_TRANSPORT_HUB", 15 * MINUTE)], False),
    "a hub an hour later": ([("ARRIVAL_AT_TRANSPORT_HUB", HOUR + 10 * MINUTE)], True),
    "a hub on the next day": ([("SORTED", DAY)], True),
    "late stamps, then a hub": ([("SORTED", 12 * MINUTE), ("SORTED", 5 * HOUR)], True),
    "the van on the same day": ([("OUT_FOR_DELIVERY", 5 * HOUR)], False),
    "not at home on the same day": ([("RECIPIENT_NOT_HOME", 11 * HOUR)], False),
    "the van on the next day": ([("OUT_FOR_DELIVERY", 20 * HOUR)], True),
    "another pick-up on the same day": ([("PICKED_UP_BY_CARRIER", 5 * HOUR)], False),
    "delivered again minutes later": ([("SUCCESSFULLY_DELIVERED", 20 * MINUTE)], False),
    "delivered again in the evening": ([("DELIVERED_TO_NEIGHBOUR", 8 * HOUR)], False),
    "delivered again on the next day": ([("SUCCESSFULLY_DELIVERED", DAY)], True),
    "proof of the delivery": ([("PROOF_OF_DELIVERY_AVAILABLE", 2 * DAY)], False),
    "a delay, which is data": ([("CARRIER_DELAY", 2 * DAY)], False),
    "a code that is not known": ([("NO SUCH EVENT", 2 * DAY)], False),
    "a scan of a return": ([("RETURN_IN_TRANSIT", 20 * MINUTE)], True),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", PICK_UPS)
def test_pick_up_soon_after_a_delivery_begins_a_leg_once_a_later_scan_confirms_it(name, case):
    later, is_confirmed = CASES[case]
    pick_up = scan(name, NOON + 10 * MINUTE, carrier="ups")
    scans = [DELIVERED, pick_up, *(scan(each, NOON + after) for each, after in later)]

    verdicts = {verdict.scan.key: verdict for verdict in explain(scans, LATER)}

    assert state_of(*scans).leg == (2 if is_confirmed else 1)
    assert verdicts[pick_up.key].rule is (Rule.NEW_LEG if is_confirmed else Rule.PICKED_UP_LATE)
    if not is_confirmed:
        assert state_of(*scans).phase is Phase.DELIVERED


def test_leg_that_is_confirmed_later_has_everything_since_its_pick_up():
    way = [
        DELIVERED,
        scan("DROPPED_OFF", NOON + HOUR),
        scan("DAMAGED", NOON + HOUR + MINUTE),
        scan("RECIPIENT_NOT_HOME", NOON + 3 * HOUR),
    ]
    hub = scan("ARRIVAL_AT_TRANSPORT_HUB", NOON + 4 * HOUR)

    assert (state_of(*way).attempts, state_of(*way).flag) == (0, "normal")
    state = state_of(*way, hub)
    assert (state.phase, state.leg, state.attempts) == (Phase.IN_TRANSIT, 2, 1)
    assert (state.flag, state.delivered_at) == ("error", NOON)


@pytest.mark.parametrize("opener", ["RETURN_LABEL_CREATED", "DROPPED_OFF"])
def test_late_stamp_before_a_scan_that_opens_a_leg_itself_stays_a_late_stamp(opener):
    late = scan("PICKED_UP_BY_CARRIER", NOON + MINUTE)
    scans = [DELIVERED, late, scan(opener, NOON + 5 * DAY), scan("SORTED", NOON + 6 * DAY)]

    rules = [verdict.rule for verdict in explain(scans, LATER)]

    assert rules == [Rule.MOVED, Rule.PICKED_UP_LATE, Rule.NEW_LEG, Rule.MOVED]
    assert state_of(*scans).leg == 2


def test_pick_up_that_names_the_other_direction_opens_a_leg_at_once():
    back = scan("DROPPED_OFF", NOON + MINUTE, direction=Direction.CUSTOMER_MERCHANT)

    state = state_of(DELIVERED, back)

    assert (state.phase, state.leg, state.delivered_at) == (Phase.RETURN_TRANSIT, 2, NOON)


def test_pick_up_soon_after_arrival_at_the_sender_is_a_late_stamp_too():
    end = scan("RETURNED_TO_SENDER")
    pick_up = scan("PICKED_UP_BY_CARRIER", NOON + HOUR)
    hub = scan("SORTED", NOON + 3 * HOUR)

    assert state_of(end, pick_up).phase is Phase.RETURNED
    assert (state_of(end, pick_up, hub).phase, state_of(end, pick_up, hub).leg) == ("in_transit", 2)


DAY_OF_DELIVERY = NOON - 12 * HOUR
"""The midnight that begins the day of a delivery that has only a day for its time."""


@pytest.mark.parametrize(
    ("name", "after", "phase", "leg", "flag"),
    [
        # The delivery may have been at the last minute of its day: 12 hours count from there.
        ("PICKED_UP_BY_CARRIER", 26 * HOUR, "delivered", 1, "normal"),
        ("PICKED_UP_BY_CARRIER", 36 * HOUR, "delivered", 1, "normal"),
        ("PICKED_UP_BY_CARRIER", 36 * HOUR + MINUTE, "in_transit", 2, "normal"),
        ("OUT_FOR_DELIVERY", 25 * HOUR, "delivered", 1, "normal"),
        ("OUT_FOR_DELIVERY", 36 * HOUR + MINUTE, "delivered", 1, "error"),
        ("SUCCESSFULLY_DELIVERED", 25 * HOUR, "delivered", 1, "normal"),
    ],
)
def test_end_on_a_day_may_have_been_at_any_hour_of_it(name, after, phase, leg, flag):
    delivered = scan("SUCCESSFULLY_DELIVERED", DAY_OF_DELIVERY, precision=Precision.DAY)

    state = state_of(delivered, scan(name, DAY_OF_DELIVERY + after))

    assert (state.phase, state.leg, state.flag) == (phase, leg, flag)
    assert state.delivered_at == DAY_OF_DELIVERY


PHYSICAL = sorted(name for name, entry in CATALOGUE.items() if entry.physical)
FEW_SCANS = st.lists(
    st.builds(
        lambda name, at: scan(name, NOON + at * HOUR),
        st.sampled_from([*PICK_UPS, *PICK_UPS, *PHYSICAL]),
        st.sampled_from([0.1, 0.5, 1, 1.1, 2, 5, 11, 12, 12.1, 13, 30, 120]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each.key,
)


@settings(max_examples=150)
@given(FEW_SCANS)
def test_p5_state_is_the_same_however_scans_after_a_delivery_arrive(later):
    """Each order of arrival, one report for each scan, against one report with all scans."""
    scans = [DELIVERED, *later]
    states = set()
    for order in itertools.permutations(scans):
        desk = Desk(now=NOON + 10 * DAY)
        desk.send(place())
        desk.send(attach("N1"))
        for each in order:
            desk.send(report(each))
        states.add(desk.shipment().tracking)

    assert states == {state_of(*scans)}


@settings(max_examples=300)
@given(FEW_SCANS)
def test_delivery_that_was_believed_is_never_lost(later):
    """What comes later opens a leg or changes nothing of the delivery."""
    state = state_of(DELIVERED, *later)

    assert state.delivered_at is not None
    assert state.leg > 1 or state.phase in FINISHED
