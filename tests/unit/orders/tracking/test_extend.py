"""P5 for what is not added up again: a stored state that is extended is the state of the set."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.orders.domain.decide import decide
from services.orders.domain.model.commands import Command
from services.orders.domain.model.decision import World
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.tracking.extend import ScanHistory, extend
from services.orders.domain.tracking.replay import replay, standing_of
from services.orders.domain.tracking.running_total import RunningTotal
from services.orders.domain.tracking.scan import Precision, Scan
from services.orders.domain.tracking.state_machine import StateMachine
from tests.unit.orders import oracle
from tests.unit.orders.builders import DAY, HOUR, NOON, Desk, attach, place, report, scan
from tests.unit.orders.histories import histories, lives
from tests.unit.orders.test_properties import PLAYS, SETS_OF_SCANS, START

MINUTE = timedelta(minutes=1)
MANY = settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
HOURS = st.integers(-48, 96)


def _distinct(scans: list[Scan]) -> tuple[Scan, ...]:
    return tuple({each.key: each for each in scans}.values())


@MANY
@given(st.one_of(SETS_OF_SCANS, histories()), st.integers(0, 8), HOURS)
def test_p5_results_of_new_scans_equal_a_whole_replay_after_each(found, count, hour):
    scans, now = _distinct(found), NOON + hour * HOUR
    known, new = scans[:count], scans[count:]
    history = ScanHistory(known, now)

    assert history.add(new) == list(oracle.results(known, new, now))
    assert history.total.machine.state() == replay(scans, now).state
    assert history.standings == {
        step.scan.key: standing_of(step) for step in replay(scans, now).steps
    }
    assert history.total.trail(9) == ScanHistory(scans, now).total.trail(9)


@MANY
@given(histories(), st.integers(1, 3), HOURS, st.integers(-30, 30))
def test_p5_a_stored_state_with_its_trail_goes_on_as_if_it_were_added_up(found, count, hour, later):
    now = NOON + hour * HOUR
    scans = sorted(_distinct(found), key=lambda each: each.occurred_at)
    known, new = tuple(scans[:-count]), tuple(scans[-count:])
    stored = ScanHistory(known, now).total
    trail = stored.trail(len(known))
    if trail is None:
        assert any(aside.cause == "in_future" for aside in replay(known, now).aside)
        return
    then = now + later * HOUR
    total = RunningTotal.resumed(stored.machine.state(), trail)

    results, standings = extend(total, new, then)

    if results:
        steps = replay(scans, then).steps
        assert standings == {s.scan.key: standing_of(s) for s in steps if s.scan in new}
        assert results == list(oracle.results(known, new, then))
        assert total.machine.state() == replay(scans, then).state
        assert total.trail(len(scans)) == ScanHistory(scans, then).total.trail(len(scans))


@dataclass
class Forgetful(Desk):
    """A desk whose parcels lose their trails, as those that the version before has written."""

    def seen_by(self, command: Command) -> World:
        world = super().seen_by(command)
        return replace(world, parcels=_without_trails(world.parcels))


def _without_trails(parcels: Mapping[str, Parcel]) -> dict[str, Parcel]:
    return {number: replace(each, trail=None) for number, each in parcels.items()}


@MANY
@given(
    st.one_of(lives(), lives(), PLAYS),
    st.lists(st.integers(0, 20), max_size=16),
    st.randoms(use_true_random=False),
)
def test_p5_decisions_with_trails_are_those_without(commands, hours, rng: random.Random):
    """Trails may be lost between any two commands, by a replica of the version before."""
    straight, other = START.copy(), Forgetful(**vars(START.copy()))
    for command, pause in zip(commands, [*hours, *[0] * len(commands)], strict=False):
        straight.now = other.now = straight.now + pause * HOUR
        if rng.random() < 0.1:
            straight.parcels = _without_trails(straight.parcels)
        assert straight.send(command) == other.send(command)


MIDNIGHT = NOON.replace(hour=0)


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(
            [
                attach("N1"),
                report(scan("SUCCESSFULLY_DELIVERED", NOON)),
                report(scan("OUT_FOR_DELIVERY", NOON + 13 * HOUR)),
            ],
            id="the first movement, long after a delivery",
        ),
        pytest.param(
            [
                attach("N1"),
                report(scan("SORTED", NOON), scan("SCAN_RETRACTED", NOON + HOUR, retracts="1")),
                report(scan("OUT_FOR_DELIVERY", NOON + 2 * HOUR, scan_id="1")),
            ],
            id="a scan that was taken back before",
        ),
        pytest.param(
            [
                attach("N1"),
                report(scan("SORTED", NOON, scan_id="1")),
                report(
                    scan("DAMAGED", NOON, scan_id="1"), scan("OUT_FOR_DELIVERY", NOON + 2 * HOUR)
                ),
            ],
            id="a correction beside the newest",
        ),
        pytest.param(
            [
                attach("N1", carrier="dhl"),
                report(scan("SORTED", NOON)),
                report(
                    scan("SUCCESSFULLY_DELIVERED", NOON + HOUR, carrier="ups"),
                    scan("OUT_FOR_DELIVERY", NOON + 2 * HOUR),
                    carrier=None,
                ),
            ],
            id="a scan of another carrier beside the newest",
        ),
        pytest.param(
            [
                attach("N1"),
                report(
                    scan("SUCCESSFULLY_DELIVERED", MIDNIGHT, precision=Precision.DAY),
                    scan("SORTED", MIDNIGHT + 14 * HOUR, precision=Precision.DAY),
                ),
                report(scan("OUT_FOR_DELIVERY", MIDNIGHT + 15 * HOUR)),
            ],
            id="a scan of the day of a delivery that did not count",
        ),
        pytest.param(
            [
                attach("N1"),
                report(scan("SORTED", NOON), scan("DAMAGED", NOON + HOUR)),
                attach("N1", to="2"),
                report(scan("OUT_FOR_DELIVERY", NOON + 2 * HOUR)),
            ],
            id="another owner",
        ),
    ],
)
def test_newest_scan_is_added_to_the_state_only_where_that_is_the_same(commands):
    straight, other = Desk(now=NOON + 2 * DAY), Forgetful(now=NOON + 2 * DAY)

    for command in (place(), place("2"), *commands):
        assert straight.send(command) == other.send(command)


@pytest.fixture
def taken(monkeypatch):
    """The scans that were added up."""
    scans: list[Scan] = []
    add = StateMachine.add
    monkeypatch.setattr(
        StateMachine, "add", lambda self, each: scans.append(each) or add(self, each)
    )
    return scans


def _history(count: int) -> list[Scan]:
    return [scan("SORTED", NOON + n * MINUTE, scan_id=str(n)) for n in range(count)]


def _desk() -> Desk:
    desk = Desk(now=NOON + DAY)
    desk.send(place())
    desk.send(attach("N1"))
    return desk


def test_long_report_with_a_retraction_takes_each_scan_twice(taken):
    desk = _desk()
    back = scan("SCAN_RETRACTED", NOON + 499 * MINUTE, retracts="250")

    decision = desk.send(report(*_history(499), back))

    assert len(decision.events) == 500
    assert len(taken) <= 1_000


def test_newest_scan_is_taken_alone_whatever_the_history(taken):
    desk = _desk()
    desk.send(report(*_history(400)))
    taken.clear()

    for n, name in enumerate(["OUT_FOR_DELIVERY", "NO_ACCESS", "OUT_FOR_DELIVERY"]):
        desk.send(report(scan(name, NOON + 500 * MINUTE + n * HOUR)))

    assert len(taken) == 3
    assert desk.shipment().tracking.attempts == 1


@pytest.mark.parametrize(
    ("hours", "given_"),
    [
        pytest.param(1.5, {"retracts": "1"}, id="a retraction"),
        pytest.param(0.5, {}, id="an older one"),
        pytest.param(100, {}, id="one in the future"),
        pytest.param(-12, {"precision": "day"}, id="a day"),
    ],
)
def test_for_any_other_scan_all_of_them_are_added_up(taken, hours, given_):
    desk = _desk()
    desk.send(report(scan("SORTED", NOON, scan_id="1"), scan("SORTED", NOON + HOUR)))
    taken.clear()

    desk.send(report(scan("SORTED", NOON + hours * HOUR, **given_)))

    assert len(taken) >= 2


@pytest.mark.parametrize("wrong", [{"rules": "0/other"}, {"scans": 7}])
def test_trail_of_other_rules_or_another_set_is_not_continued(taken, wrong):
    desk = _desk()
    desk.send(report(*_history(5)))
    parcel = desk.parcels["N1"]
    assert parcel.trail is not None
    desk.parcels["N1"] = replace(parcel, trail=replace(parcel.trail, **wrong))
    taken.clear()

    desk.send(report(scan("OUT_FOR_DELIVERY", NOON + 10 * MINUTE)))

    assert len(taken) == 6
    assert desk.parcels["N1"].trail.scans == 6
    assert desk.parcels["N1"].trail.rules == parcel.trail.rules


def test_scan_of_a_carrier_that_is_not_the_owners_leaves_no_trail_of_what_is_not_kept():
    """Time brought a scan that lay in the future; the order is not changed by the foreign scan."""
    desk = Desk(now=NOON)
    desk.send(place())
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(scan("SORTED", NOON), scan("OUT_FOR_DELIVERY", NOON + 2 * DAY)))
    desk.now += 2 * DAY
    command = report(scan("SORTED", NOON + DAY, carrier="ups"), carrier="ups")

    decision = decide(desk.seen_by(command), command, desk.now)

    assert decision.outcome == "waiting"
    assert decision.parcels[0].trail is None
    assert not decision.orders


def test_trail_keeps_the_cause_of_a_flag_and_the_time_of_an_attempt():
    """None of it shows in the state: damage lasts, and two scans within an hour are one attempt."""
    desk = _desk()
    for minutes, name in ((0, "DAMAGED"), (5, "NO_ACCESS"), (35, "RECIPIENT_NOT_HOME")):
        desk.send(report(scan(name, NOON + minutes * MINUTE)))
    desk.send(report(scan("SORTED", NOON + HOUR)))

    assert desk.shipment().tracking.flag == "error"
    assert desk.shipment().tracking.attempts == 1
