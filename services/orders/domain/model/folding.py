"""Folding: a number keeps its newest scans, the oldest are folded (docs/scan-rules.md, rule 3b)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from services.orders.domain.model.known_scans import digest_of_key, with_known
from services.orders.domain.model.parcel import SCANS_MAX, Owner, Parcel, owner_of, scans_of
from services.orders.domain.tracking.fold import fold_in, retracted_by
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
    kept = {scan.key for scan in parcel.scans}
    rest: list[Scan] = []
    late: dict[str, Scan] = {}
    for scan in scans:
        if scan.key in kept:
            rest.append(scan)
        elif digest_of_key(scan.key) in known or _is_forgotten(parcel, scan):
            continue
        elif _is_late(parcel, scan):
            late.setdefault(scan.key, scan)
        else:
            rest.append(scan)
    return tuple(rest), tuple(sorted(late.values(), key=sort_key))


def _is_late(parcel: Parcel, scan: Scan) -> bool:
    owner = owner_of(parcel, scan)
    return owner is not None and owner.fold is not None and owner.fold.is_after(scan)


def _is_forgotten(parcel: Parcel, scan: Scan) -> bool:
    """Whether a scan is taken for a repeat of a folded one whose digest is not kept any more."""
    until = parcel.known.dropped_until if parcel.known is not None else None
    if until is None or scan.occurred_at > until:
        return False
    owner = owner_of(parcel, scan)
    fold = owner.fold if owner is not None else None
    return fold is not None and scan.occurred_at <= fold.until and not fold.misses(scan)


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
    shares: dict[str | None, list[Scan]] = defaultdict(list)
    for scan in oldest:
        shares[_shipment_of(parcel, scan)].append(scan)
    left_out = [*shares.pop(None, ()), *_of(parcel, dropped, is_owned=False)]
    owners, published = list(parcel.owners), _of(parcel, dropped, is_owned=True)
    for place, owner in enumerate(owners):
        if share := shares.get(owner.shipment_id):
            owners[place], folded = _fold(parcel, owner, share, now)
            published += folded
    gone = {scan.key for scan in (*left_out, *published)}
    return replace(
        parcel,
        scans=tuple([scan for scan in parcel.scans if scan.key not in gone]),
        owners=tuple(owners),
        known=with_known(parcel.known, published, now),
        left_out=with_known(parcel.left_out, left_out, now),
    )


def _fold(
    parcel: Parcel, owner: Owner, share: Sequence[Scan], now: datetime
) -> tuple[Owner, list[Scan]]:
    """Fold as many of an owner's scans as `share` has; returns the owner and the folded scans.

    Retracted scans of `share` are folded; of the others, those that are first in order.
    """
    ordered, _ = order_scans(scans_of(parcel, owner.shipment_id), now, retracted_by(owner.fold))
    counted = {scan.key for scan in ordered}
    uncounted = [scan for scan in share if scan.key not in counted]
    place = len(share) - len(uncounted)
    first, later = ordered[:place], ordered[place:]
    fold = fold_in(owner.fold, first, later, uncounted)
    return replace(owner, fold=fold), [*first, *uncounted]


def _shipment_of(parcel: Parcel, scan: Scan) -> str | None:
    owner = owner_of(parcel, scan)
    return owner.shipment_id if owner is not None else None


def _of(parcel: Parcel, scans: Iterable[Scan], *, is_owned: bool) -> list[Scan]:
    return [scan for scan in scans if (owner_of(parcel, scan) is not None) is is_owned]
