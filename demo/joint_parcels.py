"""Which scans of the CSV files each parcel sees, where a tracking number is on several orders.

A number whose parcel had arrived, or was silent for long, when another order got it is another
parcel then. Otherwise the orders are in one box, and each sees the scans of all. That holds for
rows whose times agree; it is no copy of the rules of windows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from demo.facts import ScanFact
from demo.purchases import Purchase

PICK_UP, DELIVERY = "PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED"
SILENT_AFTER = timedelta(days=60)

ScansByParcel = Mapping[tuple[str, str], frozenset[ScanFact]]
"""By order number and tracking number."""


def scans_by_parcel(purchases: Iterable[Purchase]) -> ScansByParcel:
    """The scans of each parcel that was attached."""
    holders: dict[str, list[tuple[datetime, Purchase]]] = defaultdict(list)
    for purchase in purchases:
        attached = purchase.attached
        if attached:
            for number, _ in purchase.parcels:
                holders[number].append((attached.astimezone(UTC), purchase))
    found: dict[tuple[str, str], frozenset[ScanFact]] = {}
    for number, every in holders.items():
        for together in _in_one_box(every):
            scans = frozenset(scan for each in together for scan in _scans(each))
            found |= {(each.number, number): scans for each in together}
    return found


def _in_one_box(holders: Sequence[tuple[datetime, Purchase]]) -> Iterator[list[Purchase]]:
    box: list[Purchase] = []
    for attached, purchase in sorted(holders, key=lambda each: (each[0], each[1].number)):
        if box and _is_over(box, attached):
            yield box
            box = []
        box.append(purchase)
    yield box


def _is_over(box: Sequence[Purchase], at: datetime) -> bool:
    scans = [scan for each in box for scan in _scans(each)]
    latest = max(when for _, when in scans)
    is_delivered = any(name == DELIVERY for name, _ in scans) and latest <= at
    return is_delivered or at - latest > SILENT_AFTER


def _scans(purchase: Purchase) -> Iterator[ScanFact]:
    if purchase.handed_over:
        yield PICK_UP, purchase.handed_over.astimezone(UTC)
    if purchase.delivered:
        yield DELIVERY, purchase.delivered.astimezone(UTC)
