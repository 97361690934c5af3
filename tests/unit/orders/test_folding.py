"""Folded scans: a number keeps its newest scans, and the oldest count in a sum (rule 3b)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.known_scans import DIGESTS_MAX
from services.orders.domain.model.parcel import SCANS_MAX
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.rules.report_scans import EVENTS_MAX
from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.tracking.extend import ScanHistory
from services.orders.domain.tracking.scan import Precision
from tests.unit.orders.builders import DAY, HOUR, NOON, Desk, attach, place, report, scan

MINUTE = timedelta(minutes=1)


def attached(**given_) -> Desk:
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", **given_))
    return desk


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


def test_number_that_two_orders_share_has_its_fold_on_both():
    desk = seven_hundred()
    desk.send(place("2"))

    desk.send(attach("N1", to="2", carrier="dhl"))

    assert desk.shipment(number="2").tracking.first_scan_at == NOON
    assert desk.shipment().tracking == desk.shipment(number="2").tracking


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
