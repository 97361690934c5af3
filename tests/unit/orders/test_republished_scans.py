"""One scan reported twice: which version stays does not depend on which came first."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.rules.report_scans import merge_scans
from services.orders.domain.tracking.catalogue import Flag
from services.orders.domain.tracking.scan import Eta
from tests.unit.orders.builders import NOON, Desk, attach, place, report, scan

LATER = NOON + timedelta(hours=3)
BERLIN = timezone(timedelta(hours=1))


def version_of(**given):
    return scan("in_transit", scan_id="s-1", **given)


def merged(*versions):
    parcel = Parcel(number="N1")
    for version in versions:
        parcel = merge_scans(parcel, (version,)).parcel
    (stays,) = parcel.scans
    return stays


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({}, {}, id="the same"),
        pytest.param({"text": "Left the depot"}, {"text": "Departed"}, id="other words"),
        pytest.param({"text": "Left the depot"}, {}, id="words and none"),
        pytest.param(
            {"eta": Eta(latest=datetime(2026, 3, 5, 12, tzinfo=UTC))},
            {"eta": Eta(latest=datetime(2026, 3, 5, 13, tzinfo=BERLIN))},
            id="one instant in two zones",
        ),
        pytest.param(
            {"eta": Eta(latest=date(2026, 3, 5))}, {"eta": Eta(latest=date(2026, 3, 6))}, id="days"
        ),
    ],
)
def test_merged_scan_and_its_first_time_do_not_depend_on_arrival_order(one, other):
    first, second = version_of(**one, recorded_at=NOON), version_of(**other, recorded_at=LATER)

    stays = merged(first, second)

    assert repr(merged(second, first)) == repr(stays)
    assert stays.recorded_at == NOON
    assert repr(merged(first, second, first, second)) == repr(stays)


def test_history_sent_again_leaves_the_parcel_as_it_is():
    history = tuple(scan("in_transit", NOON + timedelta(hours=n)) for n in range(20))
    parcel = merge_scans(Parcel(number="N1"), history).parcel

    again = tuple(
        scan("in_transit", NOON + timedelta(hours=n), recorded_at=LATER) for n in range(20)
    )

    assert merge_scans(parcel, again).parcel == parcel


def test_correction_counts_though_a_scan_of_no_owner_comes_with_it():
    desk = Desk(now=NOON + timedelta(days=2))
    desk.send(place())
    desk.send(attach("N1", carrier="dhl"))
    desk.send(report(scan("SORTED", NOON, scan_id="1")))

    decision = desk.send(
        report(
            scan("DAMAGED", NOON, scan_id="1"),
            scan("SORTED", LATER, scan_id="9", carrier="ups"),
            carrier=None,
        )
    )

    assert decision.outcome is Outcome.APPLIED
    assert desk.shipment().tracking.flag is Flag.ERROR
    assert len(desk.parcels["N1"].scans) == 2
