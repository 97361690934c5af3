"""A journey that grows scan by scan is the journey of the set of its scans."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.course import Course
from services.orders.domain.journey import Replay, travel
from tests.unit.orders.builders import DAY, HOUR, NOON, scan
from tests.unit.orders.test_properties import SETS_OF_SCANS

MINUTE = timedelta(minutes=1)


@settings(deadline=None, max_examples=400)
@given(SETS_OF_SCANS, st.integers(0, 6), st.integers(-48, 72))
def test_replay_is_the_journey_of_its_scans_after_each_that_is_added(scans, known, hours):
    """By time as decisions add them, and on top of any that were there."""
    as_of = NOON + hours * HOUR
    scans = list({each.key: each for each in scans}.values())
    added = sorted(scans[known:], key=lambda each: (each.occurred_at, each.key))
    replay = Replay(scans[:known], as_of)

    for count, each in enumerate(added, 1):
        replay.add(each)
        assert replay.journey() == travel([*scans[:known], *added[:count]], as_of)


def test_replay_of_a_long_report_with_a_retraction_takes_each_scan_two_or_three_times(monkeypatch):
    taken = []
    take = Course.take
    monkeypatch.setattr(Course, "take", lambda self, scan: taken.append(scan) or take(self, scan))
    history = [scan("SORTED", NOON + n * MINUTE, scan_id=str(n)) for n in range(499)]
    replay = Replay((), NOON + DAY)

    for each in [*history, scan("SCAN_RETRACTED", NOON + 499 * MINUTE, retracts="250")]:
        replay.add(each)

    assert len(replay.journey().steps) == 499
    assert len(taken) < 1_500
