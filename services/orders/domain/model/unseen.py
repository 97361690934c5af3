"""Unseen scans: why a scan of a tracking number is not of one of the shipments on it.

For people who ask why an order does not show a scan. Nothing here names an order of another shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from services.orders.domain.model.parcel import may_be_of
from services.orders.domain.model.window import Window
from services.orders.domain.model.windows import seeing, shares_in
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value


class Cause(StrEnum):
    """Why a shipment does not see a scan of its number."""

    OTHER_CARRIER = "other_carrier"
    TOO_OLD = "too_old"
    OF_FORMER_PARCEL = "of_former_parcel"
    OF_LATER_PARCEL = "of_later_parcel"
    CARRIER_UNCLEAR = "carrier_unclear"
    NAMED_BY_ANOTHER = "named_by_another"


_SENTENCES = {
    Cause.OTHER_CARRIER: "It is of carrier {scan}; the shipment's carrier is {own}.",
    Cause.TOO_OLD: "It is before the window, which begins a set time before the hand-over.",
    Cause.OF_FORMER_PARCEL: "It is before the window, which begins where another parcel ended.",
    Cause.OF_LATER_PARCEL: "It is after the window, which ends where the number was used again.",
    Cause.NAMED_BY_ANOTHER: "It is of carrier {scan}, which another parcel on the number names; a "
    "carrier that no parcel names reports this one.",
    Cause.CARRIER_UNCLEAR: "It names no carrier, and could be of parcels of two carriers.",
}


class Unseen(Value, frozen=True):
    """A scan that a shipment does not see, with the cause."""

    scan: Scan
    cause: Cause
    sentence: str


def unseen_by(
    window: Window, windows: Sequence[Window], scans: Sequence[Scan]
) -> tuple[Unseen, ...]:
    """The scans of a number that one of its shipments does not see, in order of occurrence.

    `windows` are all of the number.
    """
    left_out = [scan for scan in scans if all(each is not window for each in seeing(windows, scan))]
    return tuple(
        Unseen(scan, cause := _cause(window, scan), _sentence(cause, window, scan))
        for scan in sorted(left_out, key=lambda each: (each.occurred_at, each.key))
    )


def count_without_place(window: Window, windows: Sequence[Window], scans: Sequence[Scan]) -> int:
    """How many scans a shipment sees without place, text, signer and pick-up point.

    Those of a parcel that is taken for another shop's.
    """
    whole = {scan.key: scan for scan in scans}
    share = shares_in(windows, scans)[window.owner.shipment_id]
    return sum(whole[scan.key] != scan for scan in share)


def _cause(window: Window, scan: Scan) -> Cause:
    own, at = window.owner.carrier, scan.occurred_at
    if not may_be_of(scan, own):
        return Cause.OTHER_CARRIER
    if window.since is not None and at < window.since:
        is_own_begin = window.since == window.owner.since
        return Cause.TOO_OLD if is_own_begin else Cause.OF_FORMER_PARCEL
    if window.until is not None and at >= window.until:
        return Cause.OF_LATER_PARCEL
    return Cause.CARRIER_UNCLEAR if scan.carrier is None else Cause.NAMED_BY_ANOTHER


def _sentence(cause: Cause, window: Window, scan: Scan) -> str:
    return _SENTENCES[cause].format(scan=scan.carrier, own=window.owner.carrier)
