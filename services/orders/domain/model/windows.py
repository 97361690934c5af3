"""Windows: which scans of a tracking number each shipment on it sees (docs/decisions/0151).

Carriers use numbers again, shops pack two orders into one box, and shops mistype numbers. So a
number may be on several shipments, of any orders and shops, and each sees the scans of its own
window of time. Windows depend on the shipments and the set of scans alone, never on the order of
arrival (docs/promises.md, P5).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from services.orders.domain.model.history import SILENT_AFTER, History, Reached, history_of
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.parcel import Owner, Parcel, is_called, may_be_one, same_carrier
from services.orders.domain.model.privacy import divide_places, shown_to
from services.orders.domain.model.window import BEGINNING, Window, just_after
from services.orders.domain.tracking.ordering import is_believed
from services.orders.domain.tracking.scan import Direction, Scan
from services.orders.domain.tracking.state import FINISHED, TrackingState

SEEN_BEFORE = timedelta(days=400)
"""How long before its hand-over a shipment sees scans: an import may bring a year without dates."""
BEFORE_REUSE = timedelta(days=3)
"""The same where an earlier shipment on the number has ended: labels are made some days before."""


def first_seen(placed_at: datetime, order_placed_at: datetime, before: timedelta) -> datetime:
    """Where the window of a number that is attached now begins.

    `before` its hand-over, or the order's placement where that was earlier: a shop may send both
    long afterwards.
    """
    if order_placed_at < placed_at:
        return _earlier(order_placed_at, before)
    return _earlier(placed_at, before)


def windows_of(parcel: Parcel) -> tuple[Window, ...]:
    """The window of each shipment on a number, in the order in which they took it."""
    windows = bounds_of(parcel)
    if len(windows) > 1:
        _end_where_reused(parcel.scans, sorted(windows, key=_handed_over))
        _find_reported(parcel.scans, windows)
    _end_after_silence(parcel.scans, windows)
    if len(windows) > 1 and any(each.shop != parcel.owners[0].shop for each in parcel.owners):
        divide_places(parcel.scans, windows)
    return windows


def bounds_of(parcel: Parcel) -> tuple[Window, ...]:
    """The window of each shipment as wide as it can be, whatever was reported."""
    private = parcel.private
    return tuple([Window(owner, owner.since, owner.until, private) for owner in parcel.owners])


def are_sole_parcels(owner: Owner, state: TrackingState, new: Sequence[Scan]) -> bool:
    """Whether new scans of a number with one shipment are certainly of its parcel in this state.

    What comes long after the end of its journey may be of another parcel; a new scan may be that
    end.
    """
    since, until, last = owner.since, owner.until, state.last_occurred_at
    for scan in new:
        at = scan.occurred_at
        if (since is not None and at < since) or (until is not None and at >= until):
            return False
        if not same_carrier(owner.carrier, scan.carrier) and not is_called(scan, owner.carrier):
            return False
    if last is None:
        last = new[0].occurred_at
    is_over = state.phase in FINISHED
    if not is_over and len(new) == 1 and new[0].occurred_at >= last:
        return True
    times = [scan.occurred_at for scan in new]
    first = min(last, *times) if is_over else min(times)
    return max(last, *times) - first <= SILENT_AFTER


def seeing(windows: Sequence[Window], scan: Scan) -> Sequence[Window]:
    """The windows of a number that have a scan, in the order in which shipments took it.

    None where the scan names no carrier and could be of two parcels, each of a carrier of its own:
    no parcel is better than a wrong one. A shipment whose shop named no carrier, and that a carrier
    reports which no shop named, has no scans of a carrier that another shipment names.
    """
    having = [window for window in windows if window.has(scan)]
    if len(having) < 2:
        return having
    if scan.carrier is not None:
        others = [window for window in having if not window.is_reported]
        is_named = any(window.owner.carrier is not None for window in others)
        return others if is_named and len(others) < len(having) else having
    if any(is_called(scan, window.owner.carrier) for window in having):
        owners = [window for window in having if window.owner.carrier is not None]
        others = [window for window in owners if not is_called(scan, window.owner.carrier)]
        return [window for window in having if window not in others]
    carriers = {each.owner.carrier.casefold() for each in having if each.owner.carrier}
    return () if len(carriers) > 1 else having


def was_seen(parcel: Parcel, scan: Scan) -> bool:
    """Whether a shipment on a number sees a scan, or may have seen it.

    Its window was larger before it was split from another one, and may be so again.
    """
    return any(window.has(scan) for window in bounds_of(parcel))


def shares_of(parcel: Parcel) -> dict[Uuid, tuple[Scan, ...]]:
    """The scans that each shipment on a number sees, by shipment, in ascending order of key."""
    return shares_in(windows_of(parcel), parcel.scans)


def shares_in(windows: Sequence[Window], scans: Sequence[Scan]) -> dict[Uuid, tuple[Scan, ...]]:
    """What each shipment sees of some scans of its number; `windows` are all of the number."""
    if len(windows) == 1:
        (sole,) = windows
        seen = tuple(filter(sole.has, scans))
        if sole.hides:
            seen = tuple(shown for scan in seen for shown in shown_to(scan, windows))
        return {sole.owner.shipment_id: seen}
    shares: dict[Uuid, list[Scan]] = {window.owner.shipment_id: [] for window in windows}
    for scan in scans:
        if having := seeing(windows, scan):
            for window, shown in zip(having, shown_to(scan, having), strict=True):
                shares[window.owner.shipment_id].append(shown)
    return {shipment_id: tuple(seen) for shipment_id, seen in shares.items()}


def _handed_over(window: Window) -> tuple[datetime, Uuid]:
    return window.owner.placed_at or BEGINNING, window.owner.shipment_id


def _end_where_reused(scans: Sequence[Scan], windows: Sequence[Window]) -> None:
    """Part the windows of shipments of which the earlier had ended when the later began.

    `windows` are sorted by hand-over. Windows of shipments that were under way together overlap.
    Two windows that a version before gave were split by it, and stay.
    """
    for place, former in enumerate(windows):
        later = [
            window
            for window in windows[place + 1 :]
            if window.owner.placed_at
            and may_be_one(former.owner.carrier, window.owner.carrier, scans)
            and not (_is_given(former) and _is_given(window))
        ]
        if not later:
            continue
        history = history_of(former, scans)
        for window in later:
            _part(former, window, history)


def _end_after_silence(scans: Sequence[Scan], windows: Sequence[Window]) -> None:
    """End the window of each parcel whose journey is over before what comes long afterwards.

    The carrier reports a used number's next parcel before an order has it. A return is no other
    parcel. Windows that a version before gave stay.
    """
    scans = [scan for scan in scans if is_believed(scan, scan.recorded_at)]
    if not scans:
        return
    times = [scan.occurred_at for scan in scans]
    times += [window.owner.fold.until for window in windows if window.owner.fold is not None]
    if max(times) - min(times) <= SILENT_AFTER:
        return
    for window in windows:
        if window.owner.placed_at is not None and not _is_given(window):
            end = _end_by_itself(history_of(window, scans))
            if end is not None:
                window.until = end if window.until is None else min(window.until, end)


def _end_by_itself(history: History) -> datetime | None:
    """When the first scan of another parcel occurred; None if no journey ended before a silence."""
    for silence in history.silences:
        before = [state for at, state in history.states if at < silence]
        following = next(state for at, state in history.states if at == silence)
        is_over = bool(before) and before[-1].phase in FINISHED
        if is_over and following.direction is not Direction.CUSTOMER_MERCHANT:
            return silence
    return None


def _find_reported(scans: Sequence[Scan], windows: Sequence[Window]) -> None:
    """Find the shipments without a carrier that are reported by one which no other one names."""
    carriers = {each.owner.carrier.casefold() for each in windows if each.owner.carrier}
    unnamed = [window for window in windows if window.owner.carrier is None]
    if not carriers or not unnamed:
        return
    others = [scan for scan in scans if scan.carrier and not carriers & _names(scan)]
    for window in unnamed:
        window.is_reported = any(map(window.has, others))


def _names(scan: Scan) -> set[str]:
    """The key of a scan's carrier, and what its sender calls it."""
    return {name.casefold() for name in (scan.carrier, scan.said_carrier) if name}


def _is_given(window: Window) -> bool:
    """Whether a version before gave the window its ends."""
    return window.owner.came_at is None


def _part(former: Window, window: Window, history: History) -> None:
    """End `former` where `window` begins, if it had ended; `history` is that of `former`.

    One that a version before ended had ended then.
    """
    begins, given = window.owner.placed_at or BEGINNING, former.owner.until
    border = None
    if history.ended is not None and history.ended <= begins:
        border = _after_end(history.states, former.owner.placed_at, begins)
    border = border or _after_silence(history, begins)
    if given is not None:
        border = given if border is None else max(border, given)
    if border is not None:
        former.until = border if former.until is None else min(former.until, border)
        window.since = border if window.since is None else max(window.since, border)


def _after_end(
    states: Sequence[Reached], placed: datetime | None, begins: datetime
) -> datetime | None:
    """Where a parcel begins that was handed over at `begins`, after the end of another one.

    `BEFORE_REUSE` before the first scan of its own journey, else before its hand-over; behind what
    was reported of the end, or of a return that begins later. None if the other one had not ended,
    or was on its way back. `states` are those of the other one, which was handed over at `placed`.
    """
    until = [each for each in states if each[0] <= begins]
    ended = [place for place, (_, state) in enumerate(until) if state.has_ended]
    if not ended:
        return None
    until_end, following = until[: ended[-1] + 1], until[ended[-1] + 1 :]
    first = next(at for at in ended if all(state.has_ended for _, state in until_end[at:]))
    end = until_end[first][0]
    if placed is not None and _is_of_earlier(end, placed, following[0][0] if following else begins):
        return None
    reported = _reported(until_end, end)
    if not following:
        later = [each for each in states if each[0] > begins]
        behind = _way_back(until_end[-1][1], later) or reported
        return max(just_after(behind), _earlier(begins, BEFORE_REUSE))
    began, state = following[0]
    if state.direction is Direction.CUSTOMER_MERCHANT:
        return None
    return min(began, max(just_after(reported), _earlier(began, BEFORE_REUSE)))


def _is_of_earlier(end: datetime, placed: datetime, following: datetime) -> bool:
    """Whether an end was long before the hand-over of a parcel, whose own journey is what follows.

    A shop may say a hand-over some days late.
    """
    return placed - end > BEFORE_REUSE >= following - placed


def _reported(states: Sequence[Reached], end: datetime) -> datetime:
    """The last report of a parcel that ended at a time: repeats of the end come within days."""
    return max(at for at, _ in states if at - end <= BEFORE_REUSE)


def _way_back(ended: TrackingState, later: Sequence[Reached]) -> datetime | None:
    """The last report of a return that comes first after the end of a delivered parcel.

    No journey begins with a return, so it is not the next parcel's.
    """
    if ended.direction is Direction.CUSTOMER_MERCHANT:
        return None
    back = list(takewhile(lambda each: each[1].direction is Direction.CUSTOMER_MERCHANT, later))
    if not back:
        return None
    end = next((at for at, state in back if state.has_ended), back[-1][0])
    return _reported(back, end)


def _after_silence(history: History, begins: datetime) -> datetime | None:
    """The same after a parcel of which nothing was reported for `SILENT_AFTER`; None if it was."""
    reported = bisect_right(history.times, begins)
    if reported and begins - history.times[reported - 1] > SILENT_AFTER:
        return _earlier(begins, BEFORE_REUSE)
    silences = bisect_right(history.silences, begins)
    if not silences:
        return None
    last = history.silences[silences - 1]
    return _earlier(begins, BEFORE_REUSE) if last == begins else last


def _earlier(instant: datetime, by: timedelta) -> datetime:
    return instant - by if instant - BEGINNING > by else BEGINNING
