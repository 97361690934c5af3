"""The right answer of a script: what the orders and parcels must come to, known beforehand.

It is made by a generator or from CSV files, never from what a service stored, counted or said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from demo.facts import ScanFact


@dataclass(frozen=True, slots=True)
class ParcelAnswer:
    """What one parcel must come to. `phase` is a phase of the contract; late is by day."""

    tracking_number: str
    phase: str
    is_handed_over: bool = False
    is_delivered: bool = False
    is_late: bool = False
    tracking_url: str | None = None
    product_lines: int | None = None
    scans: frozenset[ScanFact] = frozenset()
    """Those that it must have an event for."""
    notified: Mapping[str, int] | None = None
    """How often its customer is notified, by event group, where all comes in its time."""
    shows_places: bool | None = None
    """Whether its events have places: those of another shop's parcel have none."""


@dataclass(frozen=True, slots=True)
class ReleaseAnswer:
    """A tracking number that was taken off an order."""

    tracking_number: str
    by: str
    """`void` or `replace`."""
    scans: frozenset[ScanFact] = frozenset()
    """Those that had an event before, where all comes in its time."""
    shows_places: bool | None = None


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """What one order must come to; a None field is not judged."""

    shop: str
    number: str
    status: str
    parcels_expected: int
    parcels: tuple[ParcelAnswer, ...] = ()
    released: tuple[ReleaseAnswer, ...] = ()
    currency: str = "EUR"
    item_value: Decimal = Decimal(0)
    city: str | None = None
    campaign: str | None = None

    @property
    def key(self) -> str:
        """The order's name in messages: `shop/number`."""
        return f"{self.shop}/{self.number}"

    @property
    def numbers(self) -> tuple[ParcelAnswer | ReleaseAnswer, ...]:
        """Every tracking number that the order has had."""
        return (*self.parcels, *self.released)

    @property
    def is_late(self) -> bool:
        """One late parcel makes the order late."""
        return any(parcel.is_late for parcel in self.parcels)

    @property
    def is_handed_over(self) -> bool:
        """Whether any parcel reached a carrier."""
        return any(parcel.is_handed_over for parcel in self.parcels)


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """What one claim must come to."""

    order: str
    reason: str
    status: str
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class RefusalAnswer:
    """One message item that must be refused. `reasons` lists every code that is right."""

    topic: str
    label: str
    reasons: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expectation:
    """All answers of a script."""

    orders: Mapping[str, OrderAnswer]
    claims: tuple[ClaimAnswer, ...] = ()
    refusals: tuple[RefusalAnswer, ...] = ()
    scans: int = 0
    totals: Totals = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "totals", totals_of(self.orders.values()))


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums that a report must show."""

    orders: int = 0
    parcels_expected: int = 0
    parcels_handed_over: int = 0
    parcels_delivered: int = 0
    orders_late: int = 0
    parcels_late: int = 0
    orders_cancelled: int = 0
    cancelled_after_hand_over: int = 0
    item_value: Mapping[str, Decimal] = field(default_factory=dict)


def totals_of(orders: Iterable[OrderAnswer]) -> Totals:
    """Sum the answers of single orders."""
    known = list(orders)
    parcels = [parcel for order in known for parcel in order.parcels]
    cancelled = [order for order in known if order.status == "cancelled"]
    value: Counter[str] = Counter()
    for order in known:
        value[order.currency] += order.item_value  # type: ignore[assignment]  # sums of Decimal
    return Totals(
        orders=len(known),
        parcels_expected=sum(order.parcels_expected for order in known),
        parcels_handed_over=sum(parcel.is_handed_over for parcel in parcels),
        parcels_delivered=sum(parcel.is_delivered for parcel in parcels),
        orders_late=sum(order.is_late for order in known),
        parcels_late=sum(parcel.is_late for parcel in parcels),
        orders_cancelled=len(cancelled),
        cancelled_after_hand_over=sum(order.is_handed_over for order in cancelled),
        item_value={code: Decimal(sum_) for code, sum_ in sorted(value.items())},
    )
