"""P5, second half: scans in any order notify of nothing that the run in order does not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orders.domain.model.decision import Decision, Event, Topic
from services.orders.domain.tracking.catalogue import CATALOGUE, SCAN_RETRACTED, entry_of
from services.orders.domain.tracking.notifications import group_of_scan, is_fresh_scan, is_true
from services.orders.domain.tracking.replay import replay, standing_of
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import ScanStep, TrackingState
from tests.unit.orders.builders import DAY, NOON, Desk, attach, place, report, scan

Key = tuple[int, str | None, int]
"""Leg, event group, attempt (rule 17)."""

MINUTE = timedelta(minutes=1)
HALF_HOUR = timedelta(minutes=30)
SETS_OF_SCANS = st.lists(
    st.builds(
        lambda name, at: scan(name, NOON + at * HALF_HOUR),
        st.sampled_from(sorted(set(CATALOGUE) - {SCAN_RETRACTED})),
        st.integers(0, 40),
    ),
    max_size=8,
    unique_by=lambda each: each.key,
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(SETS_OF_SCANS, st.randoms(use_true_random=False))
def test_p5_what_a_shuffled_run_notifies_and_still_stands_the_run_in_order_notifies(found, rng):
    in_order = sorted(found, key=_by_occurrence)
    expected = _notified(in_order, [each.occurred_at for each in in_order])

    shuffled = _notified(*_shuffled(found, rng))

    steps = replay(found, NOON + DAY).steps
    standing = {
        step.scan.key: _key(step)
        for step in steps
        if is_true(step.scan, standing_of(step), step.state)
    }
    still_true = {key for name, key in shuffled if standing.get(name) == key}
    assert still_true <= {key for _, key in expected}


def test_scan_that_did_not_count_does_not_silence_one_of_its_group_that_does():
    names = ("READY_FOR_COLLECTION_AT_PARCEL_SHOP", "MISROUTED", "CARRIER_PICKUP_FAILED")
    found = [scan(name, NOON + n * HALF_HOUR) for n, name in enumerate(names)]

    groups = [group for _, (_, group, _) in _notified(found, [each.occurred_at for each in found])]

    assert sorted(filter(None, groups)) == [
        "shipment_carrier_delay",
        "shipment_delivered_to_parcel_shop",
    ]


def _by_occurrence(each: Scan) -> tuple[datetime, int, str]:
    return each.occurred_at, entry_of(each.event_name).position, each.key


def _key(step: ScanStep) -> Key:
    return step.state.leg, group_of_scan(step.scan, step.state.direction), step.state.attempts


def _shuffled(found: Sequence[Scan], rng: random.Random) -> tuple[list[Scan], list[datetime]]:
    """The scans in any order, some of them twice, each reported at once or later."""
    again = [*found, *rng.sample(found, k=len(found) // 2)]
    rng.shuffle(again)
    now, clock = NOON, []
    for each in again:
        now = max(now, each.occurred_at) + rng.choice([0, 0, 1, 3]) * HALF_HOUR
        clock.append(now)
    return again, clock


def _notified(found: Sequence[Scan], clock: Sequence[datetime]) -> set[tuple[str, Key]]:
    """Which scans notified, each with the key it had then."""
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1"))
    notified: set[tuple[str, Key]] = set()
    for each, desk.now in zip(found, clock, strict=True):
        for event in desk.send(report(each)).events:
            if event.type == "shipment.scanned" and event.data.notify:
                attempts = desk.shipment().tracking.attempts
                notified.add((each.key, (event.data.leg, event.event_group, attempts)))
    return notified


CARRIED = (
    "LABEL_CREATED",
    "PICKED_UP_BY_CARRIER",
    "ARRIVAL_AT_TRANSPORT_HUB",
    "SORTED",
    "HELD_AT_DEPOT",
    "CUSTOMER_NOTIFIED",
    "OUT_FOR_DELIVERY",
    "RECIPIENT_NOT_HOME",
    "READY_FOR_COLLECTION_AT_LOCKER",
    "SUCCESSFULLY_DELIVERED",
    "DAMAGED",
    "LOST",
    "DELIVERED_DAMAGED",
    "REFUSED",
    "RETURN_IN_TRANSIT",
    "DROPPED_OFF",
)
REPORTED = st.lists(
    st.builds(
        lambda name, minutes: scan(name, NOON - minutes * MINUTE),
        st.one_of(st.sampled_from(CARRIED), st.sampled_from(sorted(CATALOGUE))),
        # Around the age of four hours, and around a leg's twelve.
        st.sampled_from([0, 1, 5, 59, 61, 180, 238, 239, 240, 241, 300, 725, 800, 14_000]),
    ),
    min_size=1,
    max_size=7,
    unique_by=lambda each: each.key,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(REPORTED, st.integers(0, 7), st.randoms(use_true_random=False))
def test_rule_17_notifications_are_true_and_given_once_in_any_order_and_batching(
    found, attached_after, rng
):
    found = list(found)
    rng.shuffle(found)
    desk = Desk()
    desk.send(place())
    given: list[tuple[Event, Key]] = []
    while found or not desk.shipment().number:
        size = rng.randint(1, 4)
        batch, found = found[:size], found[size:]
        desk.now += rng.choice([0, 0, 1, 30]) * MINUTE
        is_attached = desk.shipment().number is not None
        if not is_attached and (attached_after <= 0 or not batch):
            _check(desk, desk.send(attach("N1")), given)
        attached_after -= 1
        if batch:
            _check(desk, desk.send(report(*batch)), given)

    assert len({key for _, key in given}) == len(given)


def _check(desk: Desk, decision: Decision, given: list[tuple[Event, Key]]) -> None:
    """Each notification of a decision agrees with the state after it; what is due was given.

    A notification that was given counts where it was given, and where its scan stands now.
    """
    events = [each for each in decision.events if each.topic is Topic.SHIPMENTS]
    if not events:
        return
    shipment, state = desk.shipment(), desk.shipment().tracking
    steps = replay(desk.parcels["N1"].scans, desk.now).steps
    due: list[str] = []
    taken = {key for _, key in given} | {
        _key_of(event, step) for event, _ in given for step in steps if _is_of(step.scan, event)
    }
    for event in events:
        if event.type == "shipment.fulfilled":
            keys = [notice for notice in shipment.notices or () if not notice.by]
            assert event.data.notify is bool(keys)
            if event.data.notify:
                assert state.phase == "order_processed"
                key = (1, event.event_group, 0)
                given.append((event, key))
                taken.add(key)
            continue
        step = next((step for step in steps if _is_of(step.scan, event)), None)
        if step is None:
            assert not event.data.notify
            continue
        standing = standing_of(step)
        key = _key_of(event, step)
        is_due = (
            standing.group == event.event_group
            and is_true(step.scan, standing, state)
            and is_fresh_scan(step.scan, desk.now)
        )
        if event.data.notify:
            assert is_due
            assert _says_the_truth(event.event_group, state)
            assert key not in taken
            due = []
            given.append((event, key))
            taken.add(key)
        elif is_due and key not in taken:
            due.append(event.event_name)
    assert not due, "the last true scan of a new group did not notify"


TRUE_IN = {
    "shipment_pre_transit": {"order_created", "order_processed"},
    "shipment_order_cancelled": {"order_created", "order_processed"},
    "shipment_in_transit": {"in_transit"},
    "shipment_out_for_delivery": {"in_delivery"},
    "shipment_delivery_second_attempt": {"in_delivery"},
    "shipment_delivery_failed": {"in_delivery", "delivery_failed"},
    "shipment_delivery_failed_address_issue": {"delivery_failed"},
    "shipment_delivery_failed_forwarded_to_parcel_shop": {"delivery_failed"},
    "shipment_delivered_to_parcel_shop": {"collect"},
    "shipment_delivered_to_parcel_locker": {"collect"},
    "shipment_delivered": {"delivered"},
    "shipment_delivered_to_neighbour": {"delivered"},
    "shipment_delivered_to_letterbox": {"delivered"},
    "shipment_picked_up": {"delivered"},
    "shipment_refused_then_returned": {"return_transit"},
    "shipment_not_picked_up_then_returned": {"return_transit"},
    "shipment_failed_returned": {"return_transit", "returned"},
    "return_shipment_created": {"return_created"},
    "return_shipment_in_transit": {"return_transit"},
    "return_shipment_ready_for_collection": {"return_transit"},
    "return_shipment_received": {"return_received"},
}
"""The phases of a parcel in which a customer may be notified of the group."""


def _says_the_truth(group: str | None, state: TrackingState) -> bool:
    """Whether the group says what the state is: written without the code that decides it."""
    match group:
        case "shipment_carrier_delay":
            return state.flag == "delay"
        case "shipment_damaged":
            return state.flag == "error"
        case "shipment_failed":
            return state.given_up is not None
        case "return_shipment_problem":
            return state.flag != "normal" or state.phase == "return_failed"
        case "shipment_carrier_changed" | "shipment_delayed_due_to_customer_request":
            return state.phase not in ("delivered", "returned", "return_received")
        case _:
            return state.phase in TRUE_IN[group or ""]


def _key_of(event: Event, step: ScanStep) -> Key:
    return step.state.leg, event.event_group, step.state.attempts


def _is_of(each: Scan, event: Event) -> bool:
    name = entry_of(each.event_name).name
    return (name, each.occurred_at) == (event.event_name, event.occurred_at)
