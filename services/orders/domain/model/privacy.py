"""Privacy between shops on one number: one shop alone sees place, signer and words of a scan.

No message says whose parcel a number is, and who attaches a number that is under way has mistyped
it, or guessed it (docs/decisions/0151, 0156). What counts is when a number was attached. That is
our time: a time that a shop may choose would let it choose what it sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.orders.domain.model.parcel import may_be_of, may_be_one
from services.orders.domain.model.window import BEGINNING, Window
from services.orders.domain.tracking.catalogue import entry_of
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace


def shown_to(scan: Scan, having: Sequence[Window]) -> list[Scan]:
    """A scan as each shipment with it may see it; `having` are their windows, at least one."""
    shop = next((span.shop for span in having[0].private if span.has(scan)), None)
    is_private = shop is not None
    holder = shop if shop is not None else _holder(having)
    hidden = without_place(scan)
    return [
        scan if each.owner.shop == holder and (is_private or not _is_early(scan, each)) else hidden
        for each in having
    ]


def without_place(scan: Scan) -> Scan:
    """A scan as another shop may see it: when and what, but not where, for whom or in what words.

    It is the same scan, with the same key.
    """
    return replace(
        scan, location=None, text=None, reason=None, pickup=None, proof=None, timezone=None
    )


def is_physical(scan: Scan) -> bool:
    """Whether a scan is of the parcel itself: its number is under way."""
    return entry_of(scan.event_name).physical


def divide_places(scans: Sequence[Scan], windows: Sequence[Window]) -> None:
    """Set what `shown_to` needs, in the windows of a number that is of several shops."""
    moved = [scan for scan in scans if is_physical(scan)]
    for window in windows:
        seen = [scan for scan in moved if window.has(scan)]
        window.moved_at = _first_move(window, seen)
        own = [span for span in window.private if span.shop == window.owner.shop]
        window.is_back = any(span.has(scan) for span in own for scan in seen)
    ordered = sorted(windows, key=_came)
    for place, window in enumerate(ordered):
        window.hidden_before = _hidden_before(moved, window, ordered[:place])


def _is_early(scan: Scan, window: Window) -> bool:
    return window.hidden_before is not None and scan.occurred_at < window.hidden_before


def _holder(having: Sequence[Window]) -> str:
    """The shop that a scan's parcel is taken to be of.

    A shop that had the number, left it and came back; else the one that attached it last before the
    first physical scan; else the one that attached it first.
    """
    shops = [window.owner.shop for window in having]
    if shops.count(shops[0]) == len(shops):
        return shops[0]
    ordered = sorted(having, key=_came)
    back = [window for window in ordered if window.is_back]
    if back:
        return back[0].owner.shop
    moved = [window.moved_at for window in having if window.moved_at is not None]
    if not moved:
        return ordered[-1].owner.shop
    began = min(moved)
    before = [each for each in ordered if _came(each) <= began]
    return (before[-1] if before else ordered[0]).owner.shop


def _came(window: Window) -> datetime:
    return window.owner.came_at or BEGINNING


def _first_move(window: Window, seen: Sequence[Scan]) -> datetime | None:
    fold = window.owner.fold
    folded = fold.total.state.first_scan_at if fold is not None else None
    times = [scan.occurred_at for scan in seen]
    return min(times if folded is None else [folded, *times], default=None)


def _hidden_before(
    moved: Sequence[Scan], window: Window, former: Sequence[Window]
) -> datetime | None:
    """When a shop came to a number that was under way, and on which another shop was before.

    `moved` are its physical scans, `former` the windows that were attached before. A shop came with
    its first shipment of those that share the number at that time. A window of another shop counts
    also if it ended before: the hand-over that ended it was chosen by the later shop.
    """
    owner = window.owner
    former = [each for each in former if may_be_one(owner.carrier, each.owner.carrier, moved)]
    own = [each for each in former if each.owner.shop == owner.shop]
    for each in own:
        if each.overlaps(window):
            return each.hidden_before
    if owner.came_at is None or len(own) == len(former):
        return None
    times = [scan.occurred_at for scan in moved if may_be_of(scan, owner.carrier)]
    times += [each.moved_at for each in former if each.moved_at is not None]
    return owner.came_at if min(times, default=owner.came_at) < owner.came_at else None
