"""Report scans: add scans to their tracking number and to the shipments that own it."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime, timedelta
from operator import attrgetter

from services.orders.domain.events.conclude import extend_owner, recompute_owners
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.parcel import SCANS_MAX, Parcel, owner_of
from services.orders.domain.model.reasons import CommandRefused, NotYet, Reason, Unchanged
from services.orders.domain.model.references import number_key
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.tracking.scan import Eta, Scan
from services.orders.domain.value import Value, replace


def report(recorder: Recorder, command: ReportTracking) -> Uuid | None:
    """Add scans to a tracking number; known scans change nothing.

    Scans of a number without an owner are kept with the number. Returns the order of the first
    owner with a new scan.
    """
    number = normalise_number(command.tracking_number)
    if not number:
        raise CommandRefused(
            Reason.TRACKING_NUMBER_EMPTY,
            "The tracking number has no letter and no digit; leave the tracking out until "
            "there is one.",
            "/tracking_number",
        )
    held = recorder.parcel(number)
    merged = merge_scans(held, command.scans)
    count = len(merged.parcel.scans)
    if count > SCANS_MAX:
        raise CommandRefused(
            Reason.TOO_MANY_SCANS,
            f"{command.tracking_number!r} would have {count} scans; at most {SCANS_MAX} are kept.",
            "/scans",
        )
    if not merged.new and not merged.is_corrected:
        raise Unchanged(Reason.DUPLICATE)
    recorder.put_parcel(merged.parcel)
    if merged.is_corrected or not extend_owner(recorder, held, merged.new):
        recompute_owners(recorder, number)
    return _order_of_scans(recorder, merged, number)


def _order_of_scans(recorder: Recorder, merged: Merged, number: str) -> Uuid | None:
    found = (owner_of(merged.parcel, scan) for scan in merged.new)
    owners = tuple(owner for owner in found if owner is not None)
    if merged.new and not owners and not merged.is_corrected:
        # No shipment has a state, so the parcel is stored without a resume point.
        recorder.put_parcel(merged.parcel)
        raise NotYet(Reason.NUMBER_NOT_OWNED, number_key(number))
    if owners:
        return owners[0].order_id
    return recorder.events[0].order_id if recorder.events else None


class Merged(Value, frozen=True, kw_only=True):
    """A parcel with more scans."""

    parcel: Parcel
    new: tuple[Scan, ...]
    """Those whose key it had not, in ascending order of key."""
    is_corrected: bool
    """Whether a scan that it had differs now."""


def merge_scans(parcel: Parcel, scans: tuple[Scan, ...]) -> Merged:
    """The parcel with more scans; the same in any order of arrival.

    Two different versions of one scan (same key) end as one of the two, always the same one. The
    time of recording is the earlier one. Scans are looked up and inserted by key, not sorted.
    """
    held, new, is_corrected = list(parcel.scans), dict[str, Scan](), False
    for scan in scans:
        place = bisect_left(held, scan.key, key=_key_of)
        if place == len(held) or held[place].key != scan.key:
            held.insert(place, scan)
            new[scan.key] = scan
            continue
        known = held[place]
        held[place] = _one_of(known, scan)
        if scan.key in new:
            new[scan.key] = held[place]
        else:
            is_corrected = is_corrected or (held[place] is not known and held[place] != known)
    found = tuple(new[key] for key in sorted(new))
    changed = replace(parcel, scans=tuple(held), trail=None)
    return Merged(parcel=changed, new=found, is_corrected=is_corrected)


_key_of = attrgetter("key")


def _one_of(one: Scan, other: Scan) -> Scan:
    # Carriers repeat whole histories: mostly only the time of recording differs.
    is_repeated = replace(other, recorded_at=one.recorded_at) == one
    if is_repeated and _offsets(one.eta) == _offsets(other.eta):
        return one if one.recorded_at <= other.recorded_at else other
    recorded_at = min(one.recorded_at, other.recorded_at)
    one = replace(one, recorded_at=recorded_at)
    other = replace(other, recorded_at=recorded_at)
    # Arbitrary, but the same in every order of arrival: docs/promises.md, P5.
    return min(one, other, key=repr)


def _offsets(eta: Eta | None) -> tuple[timedelta | None, ...]:
    """UTC offsets of an ETA: one instant in two zones compares equal although its text differs."""
    if eta is None:
        return ()
    return _offset(eta.earliest), _offset(eta.latest)


def _offset(end: date | None) -> timedelta | None:
    return end.utcoffset() if end is not None and isinstance(end, datetime) else None
