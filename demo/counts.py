"""Counts of tracking numbers and their scans: as they must be, and as topics show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from demo.audit import Audit
from demo.expectation import Expectation
from demo.facts import plain_number
from demo.seen import ParcelKey


@dataclass(frozen=True, slots=True)
class NumberCounts:
    """Sums over all orders."""

    numbers_on_several_orders: int
    """At one time, or one after the other."""
    numbers_voided: int
    numbers_replaced: int
    scans_seen_by_orders: int
    """Events of scans: a scan of a number that is on two orders is two."""


def wanted_counts(expectation: Expectation) -> NumberCounts:
    """The right counts, where all messages come in the order of business time."""
    held = [(name, each) for name, order in expectation.orders.items() for each in order.numbers]
    released = Counter(each.by for order in expectation.orders.values() for each in order.released)
    return NumberCounts(
        numbers_on_several_orders=_shared(
            (name, plain_number(each.tracking_number)) for name, each in held
        ),
        numbers_voided=released["void"],
        numbers_replaced=released["replace"],
        scans_seen_by_orders=sum(len(each.scans) for _, each in held),
    )


def found_counts(audit: Audit) -> NumberCounts:
    """The same by the events on `shipments.events`."""
    return NumberCounts(
        numbers_on_several_orders=_shared(audit.parcels),
        numbers_voided=audit.released["void"],
        numbers_replaced=audit.released["replace"],
        scans_seen_by_orders=sum(len(seen.scans) for seen in audit.parcels.values()),
    )


def _shared(parcels: Iterable[ParcelKey]) -> int:
    orders = Counter(number for _, number in set(parcels) if number)
    return sum(count > 1 for count in orders.values())
