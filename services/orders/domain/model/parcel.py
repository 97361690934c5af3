"""Parcel: one tracking number with its scans and the orders that own it.

Scans belong to the number, not to an order: they are stored also while no order has the number, so
that scans that arrive before their order are not lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.known_scans import KnownScans
from services.orders.domain.model.order import Shipment
from services.orders.domain.tracking.fold import Fold
from services.orders.domain.tracking.resume_point import ResumePoint
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value, replace

SCANS_MAX = 500
"""Most scans kept of one number; a real parcel has fewer than 60. See `folding.keep_newest`."""


class Owner(Value, frozen=True, kw_only=True):
    """A shipment that the number belongs to, or belonged to.

    Carriers reuse numbers, so ownership has a span: scans that occurred in [since, until) are the
    owner's. None leaves that end open.
    """

    order_id: Uuid
    shipment_id: Uuid
    shop: str
    carrier: str | None = None
    """The carrier the shop named, None when it named none: then scans of any carrier count."""
    since: datetime | None = None
    until: datetime | None = None
    fold: Fold | None = None
    """Its oldest scans, where they are not kept one by one."""


class Parcel(Value, frozen=True, kw_only=True):
    """Everything known of one tracking number, over all carriers and shops."""

    number: str
    """Normalised: see `tracking_number.normalise_number`."""
    scans: tuple[Scan, ...] = ()
    """A set, kept in ascending order of `Scan.key` so that equal sets are equal values."""
    owners: tuple[Owner, ...] = ()
    """In the order in which they took the number."""
    trail: ResumePoint | None = None
    """None where the state must be added up from all scans. Each decision that changes the scans or
    the owners makes it again.
    """
    known: KnownScans | None = None
    """Scans that are not kept and were published: a repeat of one is a duplicate."""
    left_out: KnownScans | None = None
    """Scans of no owner that are not kept. Their reports wait for an owner; see `add_owner`."""


RECYCLED_WINDOW = timedelta(days=3)
"""How long before its hand-over a parcel on a reused number may have been scanned."""
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


def same_carrier(one: str | None, other: str | None) -> bool:
    """Whether two carriers may be the same; one not named may be any."""
    return one is None or other is None or one.casefold() == other.casefold()


def owner_of(parcel: Parcel, scan: Scan) -> Owner | None:
    """The owner a scan belongs to: in whose span it occurred and whose carrier reported it.

    An owner that named the carrier comes before one that named none. A scan without a carrier is
    given to an owner only when there is one at that time: no owner is better than a wrong one.
    """
    if len(parcel.owners) == 1:
        (only,) = parcel.owners
        is_its = same_carrier(only.carrier, scan.carrier) and _spans(only, scan.occurred_at)
        return only if is_its else None
    fitting = [
        owner
        for owner in parcel.owners
        if _spans(owner, scan.occurred_at) and same_carrier(owner.carrier, scan.carrier)
    ]
    if scan.carrier is not None:
        named = [owner for owner in fitting if owner.carrier is not None]
        fitting = named or fitting
    return fitting[0] if len(fitting) == 1 else None


def scans_of(parcel: Parcel, shipment_id: Uuid) -> tuple[Scan, ...]:
    """The scans that belong to one shipment."""
    owned: list[Scan] = []
    for scan in parcel.scans:
        owner = owner_of(parcel, scan)
        if owner is not None and owner.shipment_id == shipment_id:
            owned.append(scan)
    return tuple(owned)


def fold_of(parcel: Parcel, shipment_id: Uuid) -> Fold | None:
    """The folded scans of one shipment; None where all are kept."""
    return next((o.fold for o in parcel.owners if o.shipment_id == shipment_id), None)


def _spans(owner: Owner, instant: datetime) -> bool:
    is_after = owner.since is None or instant >= owner.since
    return is_after and (owner.until is None or instant < owner.until)


def current_owners(parcel: Parcel, carrier: str | None) -> tuple[Owner, ...]:
    """Owners that hold the number now, of a carrier that may be `carrier`."""
    return tuple(
        owner
        for owner in parcel.owners
        if owner.until is None and same_carrier(owner.carrier, carrier)
    )


def recycled_since(placed_at: datetime, former: Shipment) -> datetime:
    """From when scans of a reused number are the new parcel's.

    A few days before it was handed over, but after the former parcel's last delivery.
    """
    try:
        since = placed_at - RECYCLED_WINDOW
    except OverflowError:
        since = _BEGINNING
    ended = former.tracking.last_occurred_at
    return since if ended is None or ended < since else ended + _INSTANT


def replace_owner(parcel: Parcel, former: Owner, by: Iterable[Owner]) -> Parcel:
    """The parcel with one owner's entry replaced by others, or taken out."""
    owners: list[Owner] = []
    for owner in parcel.owners:
        owners.extend(by if owner == former else (owner,))
    return replace(parcel, owners=tuple(owners))


def add_owner(parcel: Parcel, owner: Owner) -> Parcel:
    """The parcel with one more owner.

    Reports of scans that were left out are decided again, so that these scans are new to it.
    """
    return replace(parcel, owners=(*parcel.owners, owner), left_out=None)
