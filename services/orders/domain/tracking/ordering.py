"""Ordering: which scans count, and the order in which they happened.

The result does not depend on the order of arrival, on the time of recording, or on the place in a
message: carriers list history in both directions, and repeat it. Rule numbers are those of
docs/scan-rules.md; here 1, 7, 8, 11 and 19b.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from services.orders.domain.tracking.catalogue import entry_of
from services.orders.domain.tracking.scan import Precision, Scan
from services.orders.domain.value import Value

FUTURE_MAX = timedelta(hours=24)
"""A scan more than this after the time of the decision is taken for a clock error, until then."""
_DAY = timedelta(days=1)


Retracted: TypeAlias = tuple[str | None, str]
"""Carrier and id of a scan that another takes back."""


class Cause(StrEnum):
    """Why a scan does not count."""

    RETRACTED = "retracted"
    IN_FUTURE = "in_future"


class SetAside(Value, frozen=True):
    """A scan that is kept but does not count at present."""

    scan: Scan
    cause: Cause


def order_scans(
    scans: Iterable[Scan], as_of: datetime, taken_back: Collection[Retracted] = ()
) -> tuple[list[Scan], list[SetAside]]:
    """Sort the scans that count, oldest first; returns the others with the cause.

    `taken_back` are scans that retractions outside the set take back.
    """
    believed, aside = _believed(scans, as_of)
    return _ordered(_not_retracted(believed, aside, taken_back)), aside


def is_believed(scan: Scan, as_of: datetime) -> bool:
    """Whether a scan is not so far in the future that its time must be an error."""
    # Compared by difference: the year 9999 plus a day does not exist.
    return scan.occurred_at - as_of <= FUTURE_MAX


def _believed(scans: Iterable[Scan], as_of: datetime) -> tuple[list[Scan], list[SetAside]]:
    believed: list[Scan] = []
    aside: list[SetAside] = []
    for scan in scans:
        if is_believed(scan, as_of):
            believed.append(scan)
        else:
            aside.append(SetAside(scan, Cause.IN_FUTURE))
    return believed, aside


def _not_retracted(
    scans: list[Scan], aside: list[SetAside], others: Collection[Retracted]
) -> list[Scan]:
    """Drop retracted scans (rule 7). A retraction itself cannot be retracted."""
    taken_back = {(scan.carrier, scan.retracts) for scan in scans if scan.retracts is not None}
    taken_back.update(others)
    if not taken_back:
        return scans
    counted: list[Scan] = []
    for scan in scans:
        is_gone = scan.retracts is None and (scan.carrier, scan.scan_id) in taken_back
        if is_gone and scan.scan_id is not None:
            aside.append(SetAside(scan, Cause.RETRACTED))
        else:
            counted.append(scan)
    return counted


def _ordered(scans: list[Scan]) -> list[Scan]:
    """By instant; at one instant by the catalogue's order, which is the usual sequence of a parcel.

    A scan of day precision stands at the midnight that begins its day, which would put a pick-up
    before the label of that morning (rule 11): it goes where the catalogue's order puts it among
    the scans of its day.
    """
    exact = sorted((scan for scan in scans if scan.precision is not Precision.DAY), key=sort_key)
    for scan in sorted((s for s in scans if s.precision is Precision.DAY), key=sort_key):
        exact.insert(_place_in_day(exact, scan), scan)
    return exact


def sort_key(scan: Scan) -> tuple[datetime, int, str]:
    """The order of scans whose time is an instant."""
    return *moment_of(scan), scan.key


def moment_of(scan: Scan) -> tuple[datetime, int]:
    """When a scan occurred, and its event's line in the catalogue."""
    return scan.occurred_at, entry_of(scan.event_name).position


def _place_in_day(ordered: list[Scan], scan: Scan) -> int:
    position = entry_of(scan.event_name).position
    place = 0
    for index, other in enumerate(ordered):
        after_midnight = other.occurred_at - scan.occurred_at
        if after_midnight >= _DAY:
            break
        is_same_day = after_midnight >= timedelta(0)
        if is_same_day and entry_of(other.event_name).position > position:
            break
        place = index + 1
    return place
