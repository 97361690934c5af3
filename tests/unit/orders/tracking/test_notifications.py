"""P5, second half: scans in any order notify of nothing that the run in order does not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orders.domain.tracking.catalogue import CATALOGUE, SCAN_RETRACTED, entry_of
from services.orders.domain.tracking.notifications import group_of_scan
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import ScanStep
from tests.unit.orders.builders import DAY, NOON, Desk, attach, place, report, scan

Key = tuple[int, str | None, int]
"""Leg, event group, attempt (rule 17)."""

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


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SETS_OF_SCANS, st.randoms(use_true_random=False))
def test_p5_what_a_shuffled_run_notifies_and_still_stands_the_run_in_order_notifies(found, rng):
    in_order = sorted(found, key=_by_occurrence)
    expected = _notified(in_order, [each.occurred_at for each in in_order])

    shuffled = _notified(*_shuffled(found, rng))

    steps = replay(found, NOON + DAY).steps
    standing = {step.scan.key: _key(step) for step in steps if step.is_effective}
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
