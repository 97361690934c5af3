"""What scans add up to: the reference's rules one by one, flag, attempts, eta and carrier."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from services.orders.domain.tracking.catalogue import Flag, Phase, State
from services.orders.domain.tracking.replay import replay, standing_of
from services.orders.domain.tracking.scan import Direction, Eta, Pickup, Precision
from services.orders.domain.tracking.state import TrackingState
from tests.unit.orders.builders import DAY, HOUR, NOON, scan
from tests.unit.orders.tracking.replays import LATER, machine, state_of

MINUTE = timedelta(minutes=1)


def test_parcel_without_scans_is_not_with_the_carrier_yet():
    state = state_of()

    assert state == TrackingState(phase=Phase.ORDER_PROCESSED)
    assert (state.state, state.has_ended) == (State.PENDING, False)


def test_rule_8_list_direction_does_not_matter():
    way = machine("PICKED_UP_BY_CARRIER", "SORTED", "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED")

    assert state_of(*way) == state_of(*reversed(way))


def test_rule_8_scans_of_one_instant_are_taken_in_the_usual_course():
    names = ("LABEL_CREATED", "PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED")
    at_once = [scan(name) for name in names]

    for order in itertools.permutations(at_once):
        assert state_of(*order).phase is Phase.DELIVERED


@pytest.mark.parametrize(
    ("late", "flag"),
    [
        ("SORTED", Flag.NORMAL),
        ("OUT_FOR_DELIVERY", Flag.NORMAL),
        ("RECIPIENT_NOT_HOME", Flag.NORMAL),
    ],
)
def test_rule_5_delivered_survives_a_scan_of_the_way_within_12_hours(late, flag):
    way = machine("PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED")

    state = state_of(*way, scan(late, NOON + HOUR + 12 * HOUR))

    assert (state.phase, state.flag, state.attempts) == (Phase.DELIVERED, flag, 0)
    assert state.delivered_at == NOON + HOUR


def test_rule_5_a_new_attempt_after_12_hours_contradicts_the_delivery():
    way = machine("PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED")
    stray = scan("SORTED", NOON + DAY)
    attempt = scan("OUT_FOR_DELIVERY", NOON + 2 * DAY)
    signature = scan("SUCCESSFULLY_DELIVERED", NOON + 2 * DAY + HOUR)

    assert state_of(*way, stray).flag is Flag.NORMAL
    contradicted = state_of(*way, stray, attempt)
    assert (contradicted.phase, contradicted.flag) == (Phase.DELIVERED, Flag.ERROR)
    settled = state_of(*way, stray, attempt, signature)
    assert (settled.phase, settled.flag) == (Phase.DELIVERED, Flag.NORMAL)
    assert settled.delivered_at == signature.occurred_at


def test_delivery_reported_twice_happened_the_first_time():
    way = machine("PICKED_UP_BY_CARRIER", "DELIVERED_TO_NEIGHBOUR", "SUCCESSFULLY_DELIVERED")

    assert state_of(*way).delivered_at == NOON + HOUR


def test_arrival_at_a_shop_survives_12_hours_too_and_not_longer():
    way = machine("PICKED_UP_BY_CARRIER", "READY_FOR_COLLECTION_AT_LOCKER")

    assert state_of(*way, scan("SORTED", NOON + 13 * HOUR)).phase is Phase.COLLECT
    assert state_of(*way, scan("OUT_FOR_DELIVERY", NOON + 14 * HOUR)).phase is Phase.IN_DELIVERY


def test_rule_6_a_pick_up_after_delivery_opens_a_leg():
    way = machine("PICKED_UP_BY_CARRIER", "RECIPIENT_NOT_HOME", "SUCCESSFULLY_DELIVERED")
    way.append(scan("DROPPED_OFF", NOON + DAY))

    back = state_of(*way)
    again = state_of(*way, scan("SUCCESSFULLY_DELIVERED", NOON + 2 * DAY))

    assert (back.phase, back.leg, back.attempts) == (Phase.IN_TRANSIT, 2, 0)
    assert back.delivered_at == NOON + 2 * HOUR
    assert (again.phase, again.leg) == (Phase.DELIVERED, 2)
    assert again.delivered_at == NOON + 2 * DAY


def test_rule_6_a_new_leg_has_an_eta_and_a_pickup_point_of_its_own():
    first = Eta(latest=date(2024, 1, 9))
    way = [
        scan("PICKED_UP_BY_CARRIER", NOON, eta=first, pickup=Pickup(name="Kiosk")),
        scan("SUCCESSFULLY_DELIVERED", NOON + HOUR),
        scan("DROPPED_OFF", NOON + DAY),
    ]

    state = state_of(*way)

    assert (state.eta, state.eta_original, state.pickup) == (None, None, None)


def test_return_on_the_same_number_travels_the_other_way():
    way = machine(
        "PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED", "RETURN_IN_TRANSIT", "RETURN_RECEIVED"
    )

    state = state_of(*way)

    assert (state.phase, state.leg) == (Phase.RETURN_RECEIVED, 2)
    assert state.direction is Direction.CUSTOMER_MERCHANT
    assert state.delivered_at == NOON + HOUR
    assert state.state is State.RETURNED


def test_direction_that_the_carrier_names_is_believed():
    back = Direction.CUSTOMER_MERCHANT

    state = state_of(
        scan("DROPPED_OFF", NOON, direction=back),
        scan("SUCCESSFULLY_DELIVERED", NOON + DAY, direction=back),
    )

    assert (state.phase, state.direction) == (Phase.RETURN_RECEIVED, back)
    assert state.delivered_at is None


@pytest.mark.parametrize(
    ("name", "phase", "group"),
    [
        ("REFUSED", "return_transit", "shipment_refused_then_returned"),
        ("NOT_COLLECTED", "return_transit", "shipment_not_picked_up_then_returned"),
        ("UNDELIVERABLE_RETURNING", "return_transit", "shipment_failed_returned"),
        ("RETURNED_TO_SENDER", "returned", "shipment_failed_returned"),
        ("RETURN_IN_TRANSIT", "return_transit", "return_shipment_in_transit"),
    ],
)
def test_first_scan_on_the_way_back_is_a_customers_return_only_by_its_name(name, phase, group):
    (step,) = replay([scan(name)], LATER).steps

    is_return = name.startswith("RETURN_")
    assert (step.state.direction is Direction.CUSTOMER_MERCHANT) is is_return
    assert (step.state.phase, standing_of(step).group) == (phase, group)


def test_refused_parcel_delivered_is_back_with_its_sender_unless_the_customer_took_it():
    way = machine("PICKED_UP_BY_CARRIER", "REFUSED", "SORTED")

    home = state_of(*way, scan("SUCCESSFULLY_DELIVERED", NOON + DAY))
    taken = state_of(*way, scan("COLLECTED_BY_CUSTOMER", NOON + DAY))

    assert (home.phase, home.delivered_at) == (Phase.RETURNED, None)
    assert (taken.phase, taken.delivered_at) == (Phase.DELIVERED, NOON + DAY)


def test_rule_7_a_retraction_takes_a_scan_back():
    way = [
        scan("PICKED_UP_BY_CARRIER", NOON, scan_id="1"),
        scan("SUCCESSFULLY_DELIVERED", NOON + HOUR, scan_id="2"),
    ]
    back = scan("SCAN_RETRACTED", NOON + 2 * HOUR, scan_id="3", retracts="2")
    elsewhere = scan("SCAN_RETRACTED", NOON + HOUR, carrier="ups", retracts="2")

    assert state_of(*way, elsewhere).phase is Phase.DELIVERED
    for order in itertools.permutations([*way, back]):
        state = state_of(*order)
        assert (state.phase, state.delivered_at) == (Phase.IN_TRANSIT, None)
        assert state.last_occurred_at == NOON + 2 * HOUR


def test_rule_7_a_retraction_cannot_be_retracted_and_does_not_loop():
    way = [
        scan("PICKED_UP_BY_CARRIER", NOON, scan_id="1"),
        scan("SCAN_RETRACTED", NOON + HOUR, scan_id="2", retracts="1"),
        scan("SCAN_RETRACTED", NOON + HOUR, scan_id="3", retracts="2"),
        scan("SCAN_RETRACTED", NOON + HOUR, scan_id="4", retracts="4"),
    ]

    assert state_of(*way).phase is Phase.ORDER_PROCESSED


def test_rule_11_a_scan_of_a_day_stands_in_the_usual_course_of_its_day():
    midnight = datetime(2023, 8, 15, tzinfo=UTC)
    label = scan("LABEL_CREATED", midnight + 10 * HOUR)
    pick_up = scan("PICKED_UP_BY_CARRIER", midnight, precision=Precision.DAY)
    hub = scan("ARRIVAL_AT_TRANSPORT_HUB", midnight + 20 * HOUR)
    delivered = scan("SUCCESSFULLY_DELIVERED", midnight + 23 * HOUR)

    for order in itertools.permutations([label, pick_up, hub, delivered]):
        steps = replay(order, LATER).steps
        assert [step.scan for step in steps] == [label, pick_up, hub, delivered]
        assert steps[-1].state.leg == 1


def test_rule_11_a_scan_of_another_day_keeps_to_its_day():
    midnight = datetime(2023, 8, 15, tzinfo=UTC)
    yesterday = scan("OUT_FOR_DELIVERY", midnight - HOUR)
    pick_up = scan("PICKED_UP_BY_CARRIER", midnight, precision=Precision.DAY)
    tomorrow = scan("LABEL_CREATED", midnight + DAY)

    steps = replay([tomorrow, pick_up, yesterday], LATER).steps

    assert [step.scan for step in steps] == [yesterday, pick_up, tomorrow]


def test_rule_12_a_label_does_not_promote_and_a_physical_scan_does():
    label, pick_up = machine("LABEL_CREATED", "PICKED_UP_BY_CARRIER")

    assert (state_of(label).phase, state_of(label).first_scan_at) == (Phase.ORDER_PROCESSED, None)
    assert state_of(label, pick_up).first_scan_at == NOON + HOUR


def test_rule_14_arrival_at_a_parcel_shop_is_not_delivered():
    state = state_of(scan("READY_FOR_COLLECTION_AT_PARCEL_SHOP"))

    assert (state.phase, state.delivered_at) == (Phase.COLLECT, None)


def test_rule_15_an_unknown_event_keeps_phase_and_flag():
    way = machine("PICKED_UP_BY_CARRIER", "CARRIER_DELAY", "WORDS_WE_DO_NOT_KNOW")

    assert (state_of(*way).phase, state_of(*way).flag) == (Phase.IN_TRANSIT, Flag.DELAY)


@pytest.mark.parametrize("hours", [1, 13, 24 * 40])
@pytest.mark.parametrize(
    "name", ["ARRIVAL_AT_TRANSPORT_HUB", "SORTED", "READY_FOR_COLLECTION_AT_LOCKER", "DAMAGED"]
)
def test_rule_5_delivery_that_stands_alone_survives_every_later_scan_of_the_way(name, hours):
    state = state_of(scan("SUCCESSFULLY_DELIVERED"), scan(name, NOON + hours * HOUR))

    assert (state.phase, state.leg, state.delivered_at) == (Phase.DELIVERED, 1, NOON)
    assert state.flag is Flag.NORMAL


def test_rule_5b_new_attempt_after_12_hours_contradicts_a_delivery_that_stands_alone():
    state = state_of(scan("SUCCESSFULLY_DELIVERED"), scan("OUT_FOR_DELIVERY", NOON + 13 * HOUR))

    assert (state.phase, state.flag, state.delivered_at) == (Phase.DELIVERED, Flag.ERROR, NOON)


def test_rule_19_the_future_does_not_count_until_it_comes():
    way = machine("PICKED_UP_BY_CARRIER")
    early = scan("SUCCESSFULLY_DELIVERED", NOON + 2 * DAY)

    assert state_of(*way, early, as_of=NOON).phase is Phase.IN_TRANSIT
    assert state_of(*way, early, as_of=NOON + DAY).phase is Phase.DELIVERED


def test_calendar_first_and_last_days_are_replayed():
    first = scan("PICKED_UP_BY_CARRIER", datetime.min.replace(tzinfo=UTC), precision=Precision.DAY)
    last = scan("SUCCESSFULLY_DELIVERED", datetime.max.replace(tzinfo=UTC), precision=Precision.DAY)

    assert state_of(first, last).phase is Phase.IN_TRANSIT
    assert state_of(first, last, as_of=last.occurred_at).phase is Phase.DELIVERED


@pytest.mark.parametrize(
    ("names", "flag"),
    [
        ("CARRIER_DELAY", Flag.DELAY),
        ("HELD_BY_CUSTOMS", Flag.DELAY),
        ("HELD_BY_CUSTOMS CUSTOMS_CLEARANCE_COMPLETED", Flag.NORMAL),
        ("CARRIER_DELAY CUSTOMER_NOTIFIED", Flag.DELAY),
        ("CARRIER_DELAY SORTED", Flag.NORMAL),
        ("CARRIER_DELAY PROBLEM_RESOLVED", Flag.NORMAL),
        ("LOST", Flag.ERROR),
        ("LOST CARRIER_DELAY", Flag.ERROR),
        ("LOST CUSTOMER_NOTIFIED", Flag.ERROR),
        ("LOST SORTED", Flag.NORMAL),
        ("LOST MISROUTED", Flag.DELAY),
        ("TRACKING_EXPIRED", Flag.ERROR),
        ("TRACKING_EXPIRED OUT_FOR_DELIVERY", Flag.NORMAL),
        ("DAMAGED", Flag.ERROR),
        ("DAMAGED SORTED", Flag.ERROR),
        ("DAMAGED MISROUTED", Flag.ERROR),
        ("DAMAGED REPACKED", Flag.NORMAL),
        ("DAMAGED PROBLEM_RESOLVED", Flag.NORMAL),
        ("DAMAGED SUCCESSFULLY_DELIVERED", Flag.ERROR),
        ("DISPOSED", Flag.ERROR),
        ("CONFISCATED", Flag.ERROR),
        ("CARRIER_DELAY SUCCESSFULLY_DELIVERED", Flag.NORMAL),
        ("SUCCESSFULLY_DELIVERED CARRIER_DELAY", Flag.NORMAL),
        ("SUCCESSFULLY_DELIVERED LOST", Flag.NORMAL),
        ("SUCCESSFULLY_DELIVERED TRACKING_EXPIRED", Flag.NORMAL),
        ("DELIVERED_DAMAGED", Flag.ERROR),
        ("DELIVERED_INCOMPLETE", Flag.ERROR),
        ("SUCCESSFULLY_DELIVERED DAMAGED", Flag.NORMAL),
        ("DAMAGED SUCCESSFULLY_DELIVERED DROPPED_OFF", Flag.ERROR),
        ("DAMAGED SUCCESSFULLY_DELIVERED RETURN_IN_TRANSIT", Flag.NORMAL),
        ("UNMAPPED", Flag.NORMAL),
        ("LOST UNMAPPED", Flag.ERROR),
    ],
)
def test_flag_after_events(names, flag):
    assert state_of(*machine("PICKED_UP_BY_CARRIER", *names.split())).flag is flag


def test_attempts_close_together_are_one_and_a_number_is_believed():
    way = [
        scan("OUT_FOR_DELIVERY"),
        scan("DELIVERY_ATTEMPTED", NOON + HOUR),
        scan("RECIPIENT_NOT_HOME", NOON + HOUR),
        scan("RECIPIENT_NOT_HOME", NOON + HOUR + 32 * MINUTE),
        scan("RECIPIENT_NOT_HOME", NOON + DAY),
    ]

    assert state_of(*way).attempts == 2
    assert state_of(*way, scan("NO_ACCESS", NOON + DAY, attempt=3)).attempts == 3
    assert state_of(scan("SECOND_DELIVERY_ATTEMPT")).attempts == 1


def test_eta_newest_counts_and_first_is_kept():
    day, window = date(2024, 1, 9), Eta(earliest=NOON + DAY, latest=NOON + 2 * DAY)
    way = [
        scan("LABEL_CREATED", NOON, eta=Eta(latest=day)),
        scan("ETA_CHANGED", NOON + HOUR, eta=window),
        scan("SORTED", NOON + 2 * HOUR),
    ]

    for order in itertools.permutations(way):
        state = state_of(*order)
        assert (state.eta_original, state.eta) == (Eta(latest=day), window)


def test_carrier_is_adopted_only_when_one_reported():
    dhl, ups = scan("SORTED", carrier="dhl"), scan("SORTED", NOON + HOUR, carrier="ups")

    assert state_of(dhl).carrier == "dhl"
    assert state_of(dhl, ups).carrier is None
    assert state_of(scan("SORTED", carrier=None)).carrier is None
