"""Folding: a number keeps its newest scans, the oldest are folded (docs/scan-rules.md, rule 3b)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.known_scans import digest_of_key, with_known
from services.orders.domain.model.parcel import SCANS_MAX, Parcel, with_owner
from services.orders.domain.model.window import Window
from services.orders.domain.model.windows import seeing, shares_in, was_seen, windows_of
from services.orders.domain.tracking.fold import Fold, fold_in, retracted_by
from services.orders.domain.tracking.ordering import is_believed, order_scans, sort_key
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value, replace


def sift(parcel: Parcel, scans: tuple[Scan, ...]) -> tuple[tuple[Scan, ...], tuple[Scan, ...]]:
    """Leave out the scans that are known and not kept; returns those to keep, and late ones.

    Late scans are new and belong before the last folded one of their owner.
    """
    known = frozenset[str]().union(
        *(each.digests for each in (parcel.known, parcel.left_out) if each is not None)
    )
    kept, windows = {scan.key for scan in parcel.scans}, windows_of(parcel)
    rest: list[Scan] = []
    late: dict[str, Scan] = {}
    for scan in scans:
        if scan.key in kept:
            rest.append(scan)
        elif digest_of_key(scan.key) in known or _is_forgotten(parcel, windows, scan):
            continue
        elif any(fold.is_after(scan) for fold in _folds(windows, scan)):
            late.setdefault(scan.key, scan)
        else:
            rest.append(scan)
    return tuple(rest), tuple(sorted(late.values(), key=sort_key))


def _folds(windows: Sequence[Window], scan: Scan) -> list[Fold]:
    """The folds of the shipments that see a scan."""
    folds = (window.owner.fold for window in seeing(windows, scan))
    return [fold for fold in folds if fold is not None]


def _is_forgotten(parcel: Parcel, windows: Sequence[Window], scan: Scan) -> bool:
    """Whether a scan is taken for a repeat of a folded one whose digest is not kept any more."""
    until = parcel.known.dropped_until if parcel.known is not None else None
    if until is None or scan.occurred_at > until:
        return False
    folds = [fold for fold in _folds(windows, scan) if scan.occurred_at <= fold.until]
    return bool(folds) and not any(fold.misses(scan) for fold in folds)


class KeptNewest(Value, frozen=True):
    """A parcel that keeps its newest scans."""

    parcel: Parcel
    future_dropped: int = 0
    """How many scans in the future were dropped: they will never count."""


def keep_newest(parcel: Parcel, now: datetime, most: int = SCANS_MAX) -> KeptNewest:
    """The parcel with at most `most` scans.

    Where it has more, it keeps nine tenths of `most`, so that it is not sorted for each new scan.
    Scans of no owner are left out. Of scans in the future one tenth of `most` are kept, those that
    are next.
    """
    if len(parcel.scans) <= most:
        return KeptNewest(parcel)
    future = sorted((scan for scan in parcel.scans if not is_believed(scan, now)), key=sort_key)
    dropped = future[max(1, most // 10) :]
    count = len(parcel.scans) - len(dropped) - most * 9 // 10
    believed = [scan for scan in parcel.scans if is_believed(scan, now)]
    oldest = sorted(believed, key=sort_key)[: max(count, 0)]
    return KeptNewest(_without(parcel, oldest, dropped, now), len(dropped))


def fold_before(parcel: Parcel, before: datetime, now: datetime) -> Parcel:
    """The parcel with few scans, as far as it has scans before a time, which are folded."""
    count = len(parcel.scans) - SCANS_MAX // 10
    believed = [
        scan for scan in parcel.scans if scan.occurred_at < before and is_believed(scan, now)
    ]
    oldest = sorted(believed, key=sort_key)[: max(count, 0)]
    return _without(parcel, oldest, (), now) if oldest else parcel


def _without(
    parcel: Parcel, oldest: Sequence[Scan], dropped: Sequence[Scan], now: datetime
) -> Parcel:
    """The parcel without its oldest scans, which are folded, and without some in the future."""
    windows = windows_of(parcel)
    shares, counts = shares_in(windows, parcel.scans), defaultdict[Uuid, int](int)
    unseen = [scan for scan in (*oldest, *dropped) if not seeing(windows, scan)]
    left_out = [scan for scan in unseen if not was_seen(parcel, scan)]
    published = [scan for scan in (*dropped, *unseen) if was_seen(parcel, scan)]
    for scan in oldest:
        for window in seeing(windows, scan):
            counts[window.owner.shipment_id] += 1
    for window in windows:
        if count := counts[window.owner.shipment_id]:
            fold, folded = _fold(window, shares[window.owner.shipment_id], oldest, count, now)
            parcel = with_owner(parcel, replace(window.owner, fold=fold))
            published += folded
    gone = {scan.key: scan for scan in published}
    removed = {scan.key for scan in left_out} | gone.keys()
    return replace(
        parcel,
        scans=tuple([scan for scan in parcel.scans if scan.key not in removed]),
        known=with_known(parcel.known, gone.values(), now),
        left_out=with_known(parcel.left_out, left_out, now),
    )


def _fold(
    window: Window, share: Sequence[Scan], oldest: Sequence[Scan], count: int, now: datetime
) -> tuple[Fold, list[Scan]]:
    """Fold `count` of the scans that a shipment sees; returns its fold and the folded scans.

    Retracted scans of the `oldest` are folded; of the others, those that are first in order.
    """
    held = window.owner.fold
    ordered, _ = order_scans(share, now, retracted_by(held))
    counted = {scan.key for scan in ordered}
    seen = {scan.key for scan in share}
    uncounted = [scan for scan in oldest if scan.key in seen and scan.key not in counted]
    place = count - len(uncounted)
    first, later = ordered[:place], ordered[place:]
    return fold_in(held, first, later, uncounted), [*first, *uncounted]
