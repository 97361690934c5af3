"""Parcel: one tracking number with its scans and the shipments that have it.

Scans belong to the number, not to an order: they are stored also while no order has the number, so
that scans that arrive before their order are not lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.known_scans import KnownScans
from services.orders.domain.tracking.fold import Fold
from services.orders.domain.tracking.resume_point import ResumePoint
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value, replace

SCANS_MAX = 500
"""Most scans kept of one number; a real parcel has fewer than 60. See `folding.keep_newest`."""
OWNERS_MAX = 16
"""Most shipments on one number. Real parcels have one or two, rarely a box of several orders."""


class Owner(Value, frozen=True, kw_only=True):
    """A shipment that has the number; several may, each with a window: see `windows.py`.

    `since` and `until` bound the window, whatever the other shipments on the number are. None
    leaves that end open.
    """

    order_id: Uuid
    shipment_id: Uuid
    shop: str
    carrier: str | None = None
    """The carrier the shop named, None when it named none: then scans of any carrier count."""
    since: datetime | None = None
    until: datetime | None = None
    """Only from versions before: a window ends where a later one begins. It stays."""
    fold: Fold | None = None
    """Its oldest scans, where they are not kept one by one."""
    placed_at: datetime | None = None
    """When the parcel was handed over, by what the shop said.

    None from versions before. It is filled in by `with_hand_over` before another shipment comes.
    """
    came_at: datetime | None = None
    """When the number was attached, by the business clock.

    None from versions before, which let no two shops have a number at one time: it counts as before
    every scan (docs/decisions/0155).
    """


class PrivateSpan(Value, frozen=True, kw_only=True):
    """A span of time [since, until) of a number: one shop alone sees places of its scans."""

    shop: str
    """Empty: no shop does."""
    carrier: str | None = None
    since: datetime
    until: datetime

    def has(self, scan: Scan) -> bool:
        """Whether a scan lies in the span and may be of its carrier."""
        return self.since <= scan.occurred_at < self.until and may_be_of(scan, self.carrier)

    def touches(self, other: PrivateSpan) -> bool:
        """Whether two spans of one shop and carrier make one."""
        is_same = (self.shop, self.carrier) == (other.shop, other.carrier)
        return is_same and self.since <= other.until and other.since <= self.until


class Parcel(Value, frozen=True, kw_only=True):
    """Everything known of one tracking number, over all carriers and shops."""

    number: str
    """Normalised: see `tracking_number.normalise_number`."""
    scans: tuple[Scan, ...] = ()
    """A set, kept in ascending order of `Scan.key` so that equal sets are equal values."""
    owners: tuple[Owner, ...] = ()
    """In the order in which they took the number; at most `OWNERS_MAX`."""
    trail: ResumePoint | None = None
    """None where the state must be added up from all scans. Each decision that changes the scans or
    the owners makes it again.
    """
    known: KnownScans | None = None
    """Scans that are not kept and were published: a repeat of one is a duplicate."""
    left_out: KnownScans | None = None
    """Scans of no owner that are not kept. Their reports wait for an owner; see `with_owner`."""
    private: tuple[PrivateSpan, ...] = ()
    """What shops alone saw that left the number: see `leaving.py`."""


def same_carrier(one: str | None, other: str | None) -> bool:
    """Whether two carriers may be the same; one not named may be any."""
    return one is None or other is None or one.casefold() == other.casefold()


def is_called(scan: Scan, carrier: str | None) -> bool:
    """Whether the sender of a scan calls its carrier so."""
    said = scan.said_carrier
    return said is not None and carrier is not None and said.casefold() == carrier.casefold()


def may_be_of(scan: Scan, carrier: str | None) -> bool:
    """Whether a scan may be of a carrier, which is named by its key or as the sender calls it."""
    return same_carrier(carrier, scan.carrier) or is_called(scan, carrier)


def may_be_one(one: str | None, other: str | None, scans: Iterable[Scan]) -> bool:
    """Whether two shops may name one carrier: by one name, or by its key and by a sender's word."""
    if same_carrier(one, other):
        return True
    keyed = (scan for scan in scans if scan.said_carrier is not None and scan.carrier is not None)
    return any(may_be_of(scan, one) and may_be_of(scan, other) for scan in keyed)


def with_hand_over(owner: Owner, placed_at: datetime | None) -> Owner:
    """An owner with the hand-over that its shipment says, where its entry has none."""
    return owner if owner.placed_at or placed_at is None else replace(owner, placed_at=placed_at)


def take_off(parcel: Parcel, shipment_id: Uuid) -> Parcel:
    """The parcel without one of its shipments."""
    rest = tuple(owner for owner in parcel.owners if owner.shipment_id != shipment_id)
    return replace(parcel, owners=rest)


def with_owner(parcel: Parcel, changed: Owner) -> Parcel:
    """The parcel with the entry of one shipment changed, or added at the end.

    If it is added, reports of scans that were left out are decided again, so that these scans are
    new to it.
    """
    owners = parcel.owners
    for place, each in enumerate(owners):
        if each.shipment_id == changed.shipment_id:
            return replace(parcel, owners=(*owners[:place], changed, *owners[place + 1 :]))
    return replace(parcel, owners=(*owners, changed), left_out=None)


def fold_of(parcel: Parcel, shipment_id: Uuid) -> Fold | None:
    """The folded scans of one shipment; None where all are kept."""
    return next((o.fold for o in parcel.owners if o.shipment_id == shipment_id), None)
