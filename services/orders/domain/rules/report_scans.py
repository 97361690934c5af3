"""Report scans: add scans to their tracking number and to the shipments that own it."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime
from operator import attrgetter

from services.orders.domain.events.conclude import extend_owner, is_renamed, recompute_owners
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.model.decision import EventType, World
from services.orders.domain.model.folding import fold_before, keep_newest, sift
from services.orders.domain.model.former_keys import with_folded_keys, with_former_key
from services.orders.domain.model.ids import Uuid, scan_key
from services.orders.domain.model.known_scans import KnownScans, digest_of_key, with_known
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.reasons import NotYet, Reason, Unchanged
from services.orders.domain.model.references import number_key
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.model.windows import seeing, windows_of
from services.orders.domain.rules.check_number import check_number
from services.orders.domain.tracking.catalogue import UNMAPPED, entry_of
from services.orders.domain.tracking.ordering import sort_key
from services.orders.domain.tracking.scan import Eta, Scan
from services.orders.domain.tracking.state import FINISHED
from services.orders.domain.value import Value, replace

EVENTS_MAX = 500
"""Most scans of one report that make an event."""


def report(recorder: Recorder, command: ReportTracking) -> Uuid | None:
    """Add scans to a tracking number; known scans change nothing, unless maps have changed.

    Scans of a number without an owner are kept with the number. Returns the order of the first
    owner with a new scan.
    """
    number = normalise_number(command.tracking_number)
    held = recorder.parcel(number)
    scans: tuple[Scan, ...] = command.scans
    late: tuple[Scan, ...] = ()
    if held.known or held.left_out:
        scans = with_folded_keys(held, scans)
        scans, late = sift(held, scans)
    merged = merge_scans(held, scans)
    if not merged.new and not merged.is_corrected and not late:
        return _named_otherwise(recorder, held)
    recorder.put_parcel(merged.parcel)
    order_id = None
    has_too_many = len(merged.parcel.scans) > recorder.world.scans_max
    if late or (has_too_many and len(merged.new) > EVENTS_MAX):
        merged = _add_many(recorder, merged, late)
    else:
        order_id = _add(recorder, held, merged)
    if held.known:
        _warn_of_retractions(recorder, held.known, merged.new, number)
    order_id = order_id or _order_of_scans(recorder, merged, command.tracking_number)
    if has_too_many:
        _keep_newest(recorder, number)
    return order_id


def any_is_seen(world: World, number: str, scans: tuple[Scan, ...]) -> bool:
    """Whether a shipment on a number (normalised) sees one of some scans that the number has."""
    windows = windows_of(world.parcels.get(number) or Parcel(number=number))
    return any(seeing(windows, scan) for scan in scans)


def _named_otherwise(recorder: Recorder, held: Parcel) -> Uuid | None:
    """Compute the states of the owners again where the present code maps name a scan otherwise.

    Raises:
        Unchanged: they name all scans as before.
    """
    if not is_renamed(held, recorder.world.code_maps):
        raise Unchanged(Reason.DUPLICATE)
    recompute_owners(recorder, held.number)
    return held.owners[0].order_id if held.owners else None


def _add(recorder: Recorder, held: Parcel, merged: Merged) -> Uuid | None:
    """Add scans to the states of the owners; returns the order of a sole one that sees some."""
    order_id = None if merged.is_corrected else extend_owner(recorder, held, merged.new)
    if order_id is None:
        recompute_owners(recorder, held.number)
        owners, events = merged.parcel.owners, recorder.events
        if len(owners) == 1 and events and events[0].type is EventType.SHIPMENT_SCANNED:
            return owners[0].order_id
    return order_id


def _add_many(recorder: Recorder, merged: Merged, late: tuple[Scan, ...]) -> Merged:
    """Add scans some of which are late, or make no event; returns late ones as new as well."""
    parcel = replace(merged.parcel, known=with_known(merged.parcel.known, late, recorder.now))
    every = replace(merged, parcel=parcel, new=(*late, *merged.new))
    quiet = _without_event(recorder, every)
    if quiet:
        _add_in_parts(recorder, replace(merged, parcel=parcel), late, quiet)
    else:
        recorder.put_parcel(parcel)
        recompute_owners(recorder, parcel.number, late)
    return every


def _add_in_parts(
    recorder: Recorder, merged: Merged, late: tuple[Scan, ...], quiet: frozenset[str]
) -> None:
    """Add a long report as if its scans came in several, by time, so that few are sorted at once.

    The last part is full. Most scans before a part are folded first.
    """
    number, new = merged.parcel.number, sorted(merged.new, key=sort_key)
    done = {scan.key for scan in new}
    kept = tuple([scan for scan in merged.parcel.scans if scan.key not in done])
    recorder.put_parcel(replace(merged.parcel, scans=kept))
    recompute_owners(recorder, number, late, quiet, is_part=True)
    done = set(quiet)
    for end in range(len(new) % EVENTS_MAX or EVENTS_MAX, len(new) + 1, EVENTS_MAX):
        part, rest = new[max(0, end - EVENTS_MAX) : end], new[end:]
        recorder.put_parcel(merge_scans(recorder.parcel(number), tuple(part)).parcel)
        if not done.issuperset(scan.key for scan in part):
            recompute_owners(recorder, number, quiet=frozenset(done), is_part=True)
        done.update(scan.key for scan in part)
        if rest:
            before = rest[0].occurred_at
            recorder.put_parcel(fold_before(recorder.parcel(number), before, recorder.now))
    recompute_owners(recorder, number, quiet=frozenset(done))


def _order_of_scans(recorder: Recorder, merged: Merged, text: str) -> Uuid | None:
    windows = windows_of(merged.parcel)
    owners = [window.owner for scan in merged.new for window in seeing(windows, scan)]
    has_split = len(windows) > 1 and recorder.orders  # Also such a scan may end a window.
    if not owners and merged.new and not merged.is_corrected and not has_split:
        check_number(text, "/tracking_number")
        # No shipment has a state, so the parcel is stored without a resume point.
        kept = keep_newest(merged.parcel, recorder.now, recorder.world.scans_max)
        recorder.put_parcel(kept.parcel)
        raise NotYet(Reason.NUMBER_NOT_OWNED, number_key(merged.parcel.number))
    if owners:
        return owners[0].order_id
    return recorder.events[0].order_id if recorder.events else None


def _keep_newest(recorder: Recorder, number: str) -> None:
    """Fold the oldest scans of a number that has too many."""
    kept = keep_newest(recorder.parcel(number), recorder.now, recorder.world.scans_max)
    trail = kept.parcel.trail and replace(kept.parcel.trail, scans=len(kept.parcel.scans))
    recorder.put_parcel(replace(kept.parcel, trail=trail))
    if kept.future_dropped:
        recorder.warn(
            WarningCode.ENTRY_LEFT_OUT,
            "/scans",
            f"The number has more scans than are kept; {kept.future_dropped} of them lie more than "
            "24 hours in the future and will not count. Correct their times.",
        )


def _without_event(recorder: Recorder, merged: Merged) -> frozenset[str]:
    """Keys of the scans of a long report that make no event: the oldest, but no end of a leg."""
    count = len(merged.new)
    if count <= EVENTS_MAX or not merged.parcel.owners:
        return frozenset()
    by_weight = sorted(merged.new, key=lambda scan: (_is_end(scan), sort_key(scan)))
    quiet = by_weight[:-EVENTS_MAX]
    recorder.warn(
        WarningCode.SCANS_WITHOUT_EVENT,
        "/scans",
        f"Of {count} new scans in one message the oldest {len(quiet)} count and make no event; "
        f"send at most {EVENTS_MAX} in a message.",
    )
    return frozenset(scan.key for scan in quiet)


def _is_end(scan: Scan) -> bool:
    entry = entry_of(scan.event_name)
    return entry.physical and entry.phase in FINISHED


def _warn_of_retractions(
    recorder: Recorder, known: KnownScans, new: tuple[Scan, ...], number: str
) -> None:
    """Warn of retractions of scans that are folded: these stay in the state."""
    retractions = [scan for scan in new if scan.retracts is not None]
    digests = known.digests if retractions else ()
    for scan in retractions:
        if _digest_of_retracted(scan, number) in digests:
            recorder.warn(
                WarningCode.RETRACTION_TOO_LATE,
                "/scans",
                f"The scan of {scan.occurred_at.isoformat()} takes back a scan that is not kept by "
                "itself any more; that scan still counts.",
            )


def _digest_of_retracted(scan: Scan, number: str) -> str:
    key = scan_key(
        number=number,
        carrier=scan.said_carrier.casefold() if scan.said_carrier else scan.carrier,
        scan_id=scan.retracts,
        name=None,
        code=None,
        occurred_at=scan.occurred_at,
    )
    return digest_of_key(key)


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
        if scan.name is not None and (place == len(held) or held[place].key != scan.key):
            scan = with_former_key(parcel.number, held, scan)  # noqa: PLW2901
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
    if is_repeated and _has_same_offsets(one.eta, other.eta):
        return one if one.recorded_at <= other.recorded_at else other
    recorded_at = min(one.recorded_at, other.recorded_at)
    one = replace(one, recorded_at=recorded_at)
    other = replace(other, recorded_at=recorded_at)
    # docs/scan-rules.md, rule 2b: else arbitrary, but the same in every order of arrival.
    return min(one, other, key=_worth)


def _worth(scan: Scan) -> tuple[bool, bool, bool, bool, datetime, str]:
    is_unnamed = scan.event_name == UNMAPPED
    # A map that grows also names a version that is kept: its zone and hour count more.
    is_unnamed_by_sender = is_unnamed and scan.code_set is None
    certainty = (is_unnamed_by_sender, not scan.tz_known, scan.is_ambiguous, is_unnamed)
    return *certainty, scan.occurred_at, repr(scan)


def _has_same_offsets(one: Eta | None, other: Eta | None) -> bool:
    """Whether two equal ETAs are written alike: one instant in two zones compares equal."""
    if one is None or other is None:
        return True
    return _is_written_alike(one.earliest, other.earliest) and (
        one.latest is None or _is_written_alike(one.latest, other.latest)
    )


def _is_written_alike(one: date | None, other: date | None) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime):
        return one.utcoffset() == other.utcoffset()
    return True
