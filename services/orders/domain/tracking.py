"""Tracking: taking scans into the set of their number, and on to the shipments that own them."""

from __future__ import annotations

from datetime import datetime, timedelta
from operator import attrgetter

from services.orders.domain.commands import ReportTracking, number_key
from services.orders.domain.frozen import fields, replace
from services.orders.domain.identity import Uuid
from services.orders.domain.ledger import Ledger
from services.orders.domain.ownership import owner_of
from services.orders.domain.parcel import SCANS_MAX, Parcel, normalise_number
from services.orders.domain.reasons import Reason
from services.orders.domain.refusal import NotYet, Refused, Unchanged
from services.orders.domain.scans import Eta, Scan
from services.orders.domain.settlement import recompute_owners


def report(ledger: Ledger, command: ReportTracking) -> Uuid | None:
    """Add scans to a number. Those it has change nothing; those nobody owns yet wait on the number.

    Returns the order that heard of them; several when they fall to several owners: the first.
    """
    number = normalise_number(command.tracking_number)
    if not number:
        raise Refused(
            Reason.TRACKING_NUMBER_EMPTY, "The tracking number is empty.", "/tracking_number"
        )
    held = ledger.parcel(number)
    merged = merge_scans(held, command.scans)
    if len(merged.scans) > SCANS_MAX:
        raise Refused(
            Reason.TOO_MANY_SCANS,
            f"{command.tracking_number!r} would have {len(merged.scans)} scans; at most "
            f"{SCANS_MAX} are kept.",
            "/scans",
        )
    if merged == held:
        raise Unchanged(Reason.DUPLICATE)
    ledger.put_parcel(merged)
    recompute_owners(ledger, number)
    return _heard_by(ledger, held, merged, number)


def _heard_by(ledger: Ledger, held: Parcel, merged: Parcel, number: str) -> Uuid | None:
    known = {scan.key for scan in held.scans}
    new = tuple(scan for scan in merged.scans if scan.key not in known)
    owners = tuple(owner for scan in new if (owner := owner_of(merged, scan)) is not None)
    if new and not owners:
        raise NotYet(Reason.NUMBER_NOT_OWNED, number_key(number))
    if owners:
        return owners[0].order_id
    return ledger.events[0].order_id if ledger.events else None


def merge_scans(parcel: Parcel, scans: tuple[Scan, ...]) -> Parcel:
    """The parcel with more scans; the same whichever way round they come.

    Two tellings of one scan (same key) that differ end as one of them, always the same one. First
    heard is when either was first heard.
    """
    held = {scan.key: scan for scan in parcel.scans}
    for scan in scans:
        known = held.get(scan.key)
        held[scan.key] = scan if known is None else _one_of(known, scan)
    return replace(parcel, scans=tuple(held[key] for key in sorted(held)))


def _one_of(one: Scan, other: Scan) -> Scan:
    # Carriers repeat whole histories: most often nothing but the time of hearing differs.
    if _facts(one) == _facts(other) and _offsets(one.eta) == _offsets(other.eta):
        return one if one.recorded_at <= other.recorded_at else other
    recorded_at = min(one.recorded_at, other.recorded_at)
    one = replace(one, recorded_at=recorded_at)
    other = replace(other, recorded_at=recorded_at)
    # Arbitrary but the same in every order of arrival, which is all that P5 asks.
    return min(one, other, key=repr)


_facts = attrgetter(*(field.name for field in fields(Scan) if field.name != "recorded_at"))
"""All that a telling says of a scan."""


def _offsets(eta: Eta | None) -> tuple[timedelta | None, ...]:
    """One instant in two zones is equal, and written differently all the same."""
    if eta is None:
        return ()
    ends = (eta.earliest, eta.latest)
    return tuple(end.utcoffset() if isinstance(end, datetime) else None for end in ends)
