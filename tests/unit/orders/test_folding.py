"""Folded scans: a number with a bound on its kept scans is decided as one without (rule 3b)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orders.domain.model.commands import Command
from services.orders.domain.model.decision import Decision, EventType, Outcome, World
from services.orders.domain.model.known_scans import DIGESTS_MAX
from services.orders.domain.model.parcel import SCANS_MAX
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.rules.report_scans import EVENTS_MAX
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.tracking.extend import ScanHistory
from services.orders.domain.tracking.ordering import order_scans
from services.orders.domain.tracking.scan import Precision, Scan
from services.orders.domain.value import replace
from tests.unit.orders.builders import DAY, HOUR, NOON, Desk, attach, item, place, report, scan
from tests.unit.orders.histories import NAMES, lives
from tests.unit.orders.test_properties import ETAS, PLAYS, START

MINUTE = timedelta(minutes=1)
MANY = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
LATER = NOON + 400 * DAY


@dataclass
class Bounded(Desk):
    """A desk that keeps few scans of a number."""

    scans_max: int = 6

    def seen_by(self, command: Command) -> World:
        return replace(super().seen_by(command), scans_max=self.scans_max)


def attached(**given_) -> Desk:
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", **given_))
    return desk


def bounded_from(desk: Desk, scans_max: int) -> Bounded:
    return Bounded(**vars(desk.copy()), scans_max=scans_max)


IDS = st.sampled_from([{}] * 12 + [{"retracts": "1"}, {"retracts": "2"}, {"scan_id": "1"}])


@st.composite
def long_histories(draw: st.DrawFn) -> list[Scan]:
    """Scans in the order of rule 8, none of which is retracted."""
    found: dict[str, Scan] = {}
    at = NOON
    names = draw(st.sampled_from([NAMES, ENDS_AND_PICK_UPS]))
    for _ in range(draw(st.integers(6, 40))):
        at += draw(st.sampled_from([0, 0.2, 0.5, 0.7, 1.2, 5, 11, 12.5, 13, 25])) * HOUR
        precision = draw(st.sampled_from([Precision.SECOND] * 5 + [Precision.DAY]))
        each = scan(
            draw(names),
            at.replace(hour=0, minute=0) if precision is Precision.DAY else at,
            precision=precision,
            carrier=draw(st.sampled_from(["dhl"] * 6 + ["ups", None])),
            **draw(IDS),
            code=draw(st.sampled_from([None, None, "a", "b"])),
            eta=draw(ETAS),
        )
        found.setdefault(each.key, each)
    ordered, _ = order_scans(found.values(), LATER)
    return ordered


ENDS_AND_PICK_UPS = st.sampled_from(
    ["SUCCESSFULLY_DELIVERED"] * 3
    + ["PICKED_UP_BY_CARRIER"] * 3
    + ["SORTED", "UNMAPPED", "OUT_FOR_DELIVERY", "DAMAGED", "RETURNED_TO_SENDER"]
)


def batches(rng: random.Random, scans: list[Scan]) -> list[list[Scan]]:
    """The scans in consecutive reports."""
    found: list[list[Scan]] = []
    while scans:
        count = rng.choice([1, 1, 2, 3, 8])
        found.append(rng.sample(scans[:count], len(scans[:count])))
        scans = scans[count:]
    return found


def seen_from_outside(decision: Decision) -> Decision:
    """A decision without the parcels that it stores."""
    return replace(decision, parcels=())


@MANY
@given(long_histories(), st.integers(3, 12), st.randoms(use_true_random=False), st.booleans())
def test_folded_history_that_came_in_order_is_decided_as_if_all_were_kept(
    found, most, rng, is_fresh
):
    straight = attached()
    bounded = bounded_from(straight, most)

    for batch in batches(rng, found):
        newest = max(each.occurred_at for each in batch)
        straight.now = bounded.now = newest + DAY if is_fresh else LATER
        command = report(*batch, carrier=None)
        expected, decision = straight.send(command), bounded.send(command)
        assert seen_from_outside(decision) == seen_from_outside(expected)
        assert len(bounded.parcels["N1"].scans) <= most

    assert bounded.order() == straight.order()


HISTORY = [scan("SORTED", NOON + n * MINUTE, code=f"c{n}") for n in range(700)]
DELIVERY = scan("SUCCESSFULLY_DELIVERED", NOON + 2 * DAY)


def seven_hundred() -> Desk:
    """A number with 700 scans that came in reports of 100."""
    desk = attached(carrier="dhl")
    desk.now = NOON + 3 * DAY
    for start in range(0, 700, 100):
        assert len(desk.send(report(*HISTORY[start : start + 100])).events) == 100
    return desk


def fold_of_number(desk: Desk):
    (owner,) = desk.parcels["N1"].owners
    assert owner.fold is not None
    return owner.fold


def test_delivery_after_more_scans_than_are_kept_is_taken():
    desk = seven_hundred()

    decision = desk.send(report(DELIVERY))

    assert decision.outcome is Outcome.APPLIED
    assert desk.shipment().tracking.phase is Phase.DELIVERED
    assert desk.shipment().tracking.first_scan_at == NOON
    assert len(desk.parcels["N1"].scans) <= SCANS_MAX
    assert fold_of_number(desk).count + len(desk.parcels["N1"].scans) == 701


def test_repeated_history_of_a_folded_number_changes_nothing():
    desk = seven_hundred()
    desk.send(report(DELIVERY))
    before = dict(desk.parcels)

    for scans in ([*HISTORY, DELIVERY], [HISTORY[0]], reversed(HISTORY[50:150])):
        decision = desk.send(report(*scans))
        assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.DUPLICATE)
    assert desk.parcels == before


def test_scan_older_than_the_folded_ones_has_an_event_and_no_effect():
    desk = seven_hundred()
    before = desk.shipment().tracking

    decision = desk.send(report(scan("OUT_FOR_DELIVERY", NOON + 30 * MINUTE)))
    again = desk.send(report(scan("OUT_FOR_DELIVERY", NOON + 30 * MINUTE)))

    assert [event.event_name for event in decision.events] == ["OUT_FOR_DELIVERY"]
    assert not decision.events[0].data.notify
    assert desk.shipment().tracking == before
    assert again.reason is Reason.DUPLICATE


@pytest.mark.parametrize("is_newest_first", [False, True])
def test_delivery_older_than_the_folded_scans_counts(is_newest_first):
    desk = seven_hundred()
    late = [scan("SUCCESSFULLY_DELIVERED", NOON + n * MINUTE, code=f"d{n}") for n in (3, 9)]

    decision = desk.send(report(*(reversed(late) if is_newest_first else late)))

    assert desk.shipment().tracking.phase is Phase.DELIVERED
    assert desk.shipment().tracking.delivered_at == NOON + 3 * MINUTE
    assert [event.event_name for event in decision.events].count("SUCCESSFULLY_DELIVERED") == 2
    assert "ORDER_DELIVERED" in [event.event_name for event in decision.events]


def test_delivery_of_a_former_leg_that_comes_late_ends_no_later_leg():
    desk = attached(carrier="dhl")
    desk.now = NOON + 30 * DAY
    first = [scan("SORTED", NOON), scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)]
    second = [scan("SORTED", NOON + 9 * DAY + n * MINUTE, code=f"c{n}") for n in range(600)]
    pick_up = scan("PICKED_UP_BY_CARRIER", NOON + 8 * DAY)
    for part in (first, [pick_up], second[:300], second[300:]):
        desk.send(report(*part))

    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON + 2 * HOUR)))

    assert desk.shipment().tracking.phase is Phase.IN_TRANSIT
    assert desk.shipment().tracking.leg == 2


def test_retraction_of_a_folded_scan_is_kept_and_warned_of():
    desk = attached(carrier="dhl")
    desk.now = NOON + 3 * DAY
    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON, scan_id="1")))
    for start in (0, 350):
        desk.send(report(*HISTORY[start + 1 : start + 351]))

    decision = desk.send(report(scan("SCAN_RETRACTED", NOON + 2 * DAY, retracts="1")))

    assert [each.code for each in decision.warnings] == [WarningCode.RETRACTION_TOO_LATE]
    assert [event.event_name for event in decision.events] == ["SCAN_RETRACTED"]
    assert desk.shipment().tracking.phase is Phase.DELIVERED


def test_folded_retraction_takes_back_a_scan_that_comes_later():
    desk = attached(carrier="dhl")
    desk.now = NOON + 3 * DAY
    desk.send(report(scan("SCAN_RETRACTED", NOON, retracts="1")))
    for start in (0, 350):
        desk.send(report(*HISTORY[start + 1 : start + 351]))
    assert desk.parcels["N1"].trail is not None

    decision = desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON + 2 * DAY, scan_id="1")))

    assert [event.event_name for event in decision.events] == ["SUCCESSFULLY_DELIVERED"]
    assert desk.shipment().tracking.phase is Phase.IN_TRANSIT


def test_report_of_more_scans_than_make_events_counts_whole():
    desk = attached(carrier="dhl")
    desk.now = NOON + 3 * DAY
    early = scan("SUCCESSFULLY_DELIVERED", NOON - HOUR)

    decision = desk.send(report(early, *HISTORY))
    again = desk.send(report(*HISTORY, early))

    names = [event.event_name for event in decision.events]
    assert names.count("SORTED") == EVENTS_MAX - 1
    assert names.count("SUCCESSFULLY_DELIVERED") == 1
    assert [each.code for each in decision.warnings] == [WarningCode.SCANS_WITHOUT_EVENT]
    assert desk.shipment().tracking.delivered_at == NOON - HOUR
    assert desk.shipment().tracking.first_scan_at == NOON - HOUR
    assert again.reason is Reason.DUPLICATE


def test_scans_of_a_number_before_its_order_all_have_their_event():
    """Reports wait for the order, so scans that the number does not keep come again with them."""
    desk = Desk(now=NOON + 3 * DAY)
    reports = [report(*HISTORY[start : start + 100]) for start in range(0, 600, 100)]
    for each in reports:
        assert desk.send(each).outcome is Outcome.WAITING
    repeated = desk.send(report(*HISTORY[:100]))
    desk.send(place())
    attach_ = desk.send(attach("N1", carrier="dhl"))
    for each in reports:
        desk.send(each)

    assert repeated.reason is Reason.DUPLICATE
    assert attach_.appeared
    scanned = [event.occurred_at for event in desk.events if event.event_name == "SORTED"]
    assert sorted(scanned) == [each.occurred_at for each in HISTORY[:600]]
    assert desk.shipment().tracking.first_scan_at == NOON
    assert fold_of_number(desk).count + len(desk.parcels["N1"].scans) == 600


def test_scans_left_out_come_again_when_the_carrier_is_corrected_to_theirs():
    desk = attached(carrier="ups")
    desk.now = NOON + 3 * DAY
    reports = [report(*HISTORY[start : start + 100]) for start in range(0, 600, 100)]
    for each in reports:
        assert desk.send(each).outcome is Outcome.WAITING

    corrected = desk.send(attach("N1", carrier="dhl"))
    for each in reports:
        desk.send(each)

    assert corrected.appeared
    scanned = [event.occurred_at for event in desk.events if event.event_name == "SORTED"]
    assert sorted(scanned) == [each.occurred_at for each in HISTORY[:600]]


def test_newest_first_all_have_their_event_and_the_delivery_counts():
    desk = attached(carrier="dhl")
    desk.now = NOON + 3 * DAY
    for each in reversed([*HISTORY, DELIVERY]):
        assert len([e for e in desk.send(report(each)).events if e.type != "order.delivered"]) == 1

    assert desk.shipment().tracking.phase is Phase.DELIVERED
    assert desk.shipment().tracking.delivered_at == DELIVERY.occurred_at


def test_owners_of_one_number_have_each_their_own_fold():
    desk = seven_hundred()
    desk.send(report(DELIVERY))
    desk.now = NOON + 100 * DAY
    desk.send(place("2"))
    desk.send(attach("N1", to="2", carrier="dhl"))
    later = [scan("SORTED", NOON + 99 * DAY + n * MINUTE, code=f"e{n}") for n in range(600)]

    for start in (0, 300):
        desk.send(report(*later[start : start + 300]))

    first, second = desk.parcels["N1"].owners
    assert first.fold.count == 701
    assert second.fold.count + len(desk.parcels["N1"].scans) == 600
    assert desk.shipment().tracking.phase is Phase.DELIVERED
    assert desk.shipment(number="2").tracking.first_scan_at == NOON + 99 * DAY
    assert desk.send(report(*HISTORY)).reason is Reason.DUPLICATE


def test_number_that_goes_to_another_order_takes_its_fold_along():
    desk = seven_hundred()
    desk.send(place("2"))

    desk.send(attach("N1", to="2", carrier="dhl"))

    assert desk.shipment(number="2").tracking.first_scan_at == NOON
    assert desk.shipment().tracking.phase is Phase.ORDER_CREATED


def test_scans_in_the_future_push_out_no_delivery():
    desk = attached(carrier="dhl")
    desk.now = NOON + 3 * DAY
    wrong = [scan("SORTED", NOON + 300 * DAY + n * MINUTE, code=f"f{n}") for n in range(700)]

    for start in range(0, 700, 350):
        decision = desk.send(report(*wrong[start : start + 350]))
    desk.send(report(DELIVERY))

    assert [each.code for each in decision.warnings] == [WarningCode.ENTRY_LEFT_OUT]
    assert desk.shipment().tracking.phase is Phase.DELIVERED
    assert desk.send(report(*wrong)).reason is Reason.DUPLICATE


def test_digests_are_bounded_and_what_is_older_is_a_repeat_unless_it_ends_the_leg():
    desk = attached(carrier="dhl")
    desk.now = NOON + 30 * DAY
    many = [scan("SORTED", NOON + n * MINUTE, code=f"c{n}") for n in range(4_000)]
    for start in range(0, 4_000, 400):
        desk.send(report(*many[start : start + 400]))

    known = desk.parcels["N1"].known
    assert sum(len(block.digests) for block in known.blocks) == DIGESTS_MAX
    assert known.dropped_until is not None
    assert desk.send(report(*many)).reason is Reason.DUPLICATE
    assert desk.send(report(scan("DAMAGED", NOON))).reason is Reason.DUPLICATE
    desk.send(report(scan("SUCCESSFULLY_DELIVERED", NOON)))
    assert desk.shipment().tracking.phase is Phase.DELIVERED


def test_long_report_with_a_day_among_its_scans_sorts_few_at_once(monkeypatch):
    """Each scan of the day goes before the scan that has only the day, so none is simply next."""
    sizes: list[int] = []
    add_up = ScanHistory._add_up
    monkeypatch.setattr(
        ScanHistory, "_add_up", lambda self: sizes.append(len(self._scans)) or add_up(self)
    )
    desk = attached(carrier="dhl")
    desk.now = NOON + 30 * DAY
    day = scan("SORTED", NOON.replace(hour=0), precision=Precision.DAY)

    desk.send(report(day, *(scan("SORTED", NOON + n * MINUTE, code=f"c{n}") for n in range(3_000))))

    assert max(sizes) <= 2 * EVENTS_MAX
    assert desk.shipment().tracking.first_scan_at == NOON


@MANY
@given(
    st.one_of(lives(), lives(), PLAYS),
    st.integers(3, 6),
    st.lists(st.integers(0, 20), max_size=16),
    st.randoms(use_true_random=False),
)
def test_any_commands_in_any_order_publish_each_scan_once_of_each_owner(commands, most, hours, rng):
    """The desk checks each decision: no event comes twice, and numbers have no gaps."""
    desk = bounded_from(START, most)
    played = [*commands, *rng.sample(commands, len(commands))]

    for command, pause in zip(played, [*hours, *[0] * len(played)], strict=False):
        desk.now += pause * HOUR
        desk.send(replace(command, **item()))
        assert all(len(parcel.scans) <= most for parcel in desk.parcels.values())


ON_THE_WAY = ["DROPPED_OFF", "SORTED", "OUT_FOR_DELIVERY", "NO_ACCESS", "DAMAGED", "UNMAPPED"]


@MANY
@given(st.integers(3, 8), st.integers(8, 30), st.randoms(use_true_random=False))
def test_any_order_of_arrival_publishes_each_scan_once_and_loses_no_delivery(most, count, rng):
    desk = bounded_from(attached(), most)
    desk.now = LATER
    at = [NOON + n * 7 * HOUR for n in range(count)]
    found = [scan(rng.choice(ON_THE_WAY), each, code=str(each)) for each in at]
    found.append(scan("SUCCESSFULLY_DELIVERED", rng.choice(at) + MINUTE))

    for batch in batches(rng, rng.sample(found, len(found))):
        desk.send(report(*batch))
        desk.send(report(*batch))

    scanned = [event for event in desk.events if event.type is EventType.SHIPMENT_SCANNED]
    assert len(scanned) == len(found)
    assert desk.shipment().tracking.delivered_at == found[-1].occurred_at
