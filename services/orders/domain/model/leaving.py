"""Leaving: a shipment is taken off its number, and what it alone saw stays hidden from others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.parcel import Parcel, PrivateSpan, may_be_one, take_off
from services.orders.domain.model.privacy import is_physical
from services.orders.domain.model.window import BEGINNING, Window, just_after
from services.orders.domain.model.windows import shares_in, windows_of
from services.orders.domain.tracking.ordering import is_believed
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace

SPANS_MAX = 8
"""Most spans that a number keeps; the oldest are joined to one of no shop."""


def leave(parcel: Parcel, shipment_id: Uuid, now: datetime) -> Parcel:
    """The parcel without one of its shipments.

    Places of the scans that it saw are shown to its shop alone, also after it has left: a shop that
    mistyped the number must not see them when the right one takes it off.
    """
    return take_off(keep_private(parcel, shipment_id, now), shipment_id)


def keep_private(parcel: Parcel, shipment_id: Uuid, now: datetime) -> Parcel:
    """The parcel with the spans of time in which a shipment saw places, if it was under way."""
    windows = windows_of(parcel)
    window = next((each for each in windows if each.owner.shipment_id == shipment_id), None)
    if window is None:
        return parcel
    scans = {scan.key: scan for scan in parcel.scans}
    share = shares_in(windows, parcel.scans)[shipment_id]
    seen = [scan for scan in share if scan is scans[scan.key]]
    if window.owner.fold is None and not any(map(is_physical, seen)):
        return parcel
    times = [just_after(scan.occurred_at) for scan in seen if is_believed(scan, now)]
    until = max([now, *times])
    if window.until is not None:
        until = min(until, window.until)
    carriers = {scan.carrier for scan in seen}
    carrier = window.owner.carrier or (carriers.pop() if len(carriers) == 1 else None)
    private = parcel.private
    for since, end in _alone(window, until, seen):
        span = PrivateSpan(shop=window.owner.shop, carrier=carrier, since=since, until=end)
        private = _with_span(private, span)
    return replace(parcel, private=private)


def _alone(
    window: Window, until: datetime, seen: Sequence[Scan]
) -> list[tuple[datetime, datetime]]:
    """When a shipment saw places, until it leaves: not of what is hidden from it."""
    owner = window.owner
    since = max(window.since or BEGINNING, window.hidden_before or BEGINNING)
    found = []
    for span in sorted(window.private, key=lambda each: each.since):
        if span.shop != owner.shop and may_be_one(span.carrier, owner.carrier, seen):
            found.append((since, min(span.since, until)))
            since = max(since, span.until)
    return [(begins, ends) for begins, ends in (*found, (since, until)) if begins < ends]


def _with_span(held: tuple[PrivateSpan, ...], span: PrivateSpan) -> tuple[PrivateSpan, ...]:
    """The spans with one more, the newest last, joined with those of its shop that it touches."""
    same = [each for each in held if each.touches(span)]
    since = min(each.since for each in (span, *same))
    until = max(each.until for each in (span, *same))
    spans = (*(e for e in held if e not in same), replace(span, since=since, until=until))
    if len(spans) <= SPANS_MAX:
        return spans
    first, second = spans[:2]
    joined = PrivateSpan(
        shop="", since=min(first.since, second.since), until=max(first.until, second.until)
    )
    return (joined, *spans[2:])
