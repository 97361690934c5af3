"""Settlement: the last step of every decision about an order: tell what changed, scans included."""

from __future__ import annotations

from services.orders.domain.events.order_events import tell
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.events.scan_events import tell_scan, tell_scans
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.parcel import Owner, Parcel, owner_of, scans_of
from services.orders.domain.model.references import ReferenceKind, new_references, reference_key
from services.orders.domain.tracking.extend import extend
from services.orders.domain.tracking.running_total import RunningTotal
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace


def conclude(ledger: Recorder, before: Order | None, after: Order) -> Uuid:
    """Put the order with its events, then those of orders that lost a number to it."""
    former = tuple(ledger.orders.values())
    tell(ledger, before, after)
    for order in former:
        tell(ledger, ledger.world.orders.get(order.order_id), order)
    for reference in new_references(before, after):
        ledger.appeared.append(reference_key(reference))
        if reference.kind is not ReferenceKind.UUID:
            ledger.references.append((reference, after.order_id))
    for number in tuple(ledger.parcels):
        recompute_owners(ledger, number)
    return after.order_id


def extend_owner(ledger: Recorder, before: Parcel, new: tuple[Scan, ...]) -> bool:
    """Add new scans to the stored state of a changed parcel's owner, with an event for each.

    False, with nothing changed, where they must be added up with all others: see `Trail`.
    """
    after, trail = ledger.parcel(before.number), before.trail
    if trail is None or len(after.owners) != 1 or not trail.continues(len(before.scans)):
        return False
    (owner,) = after.owners
    shipment = _shipment(ledger.order(owner.order_id), owner.shipment_id)
    if shipment is None or shipment.number != after.number:
        return False
    if any(owner_of(after, scan) is None for scan in new):
        return False
    tally = RunningTotal.resumed(shipment.tracking, trail)
    added = extend(tally, new, ledger.now)
    for heard in added:
        tell_scan(ledger, owner.order_id, owner.shipment_id, heard)
    if added:
        ledger.put_parcel(replace(after, trail=tally.trail(len(after.scans))))
    return bool(added)


def recompute_owners(ledger: Recorder, number: str) -> None:
    """Tell each owner of a changed parcel what its scans, or its share of them, now say.

    New to an owner are scans that are new to the parcel, and all of its share when the number was
    attached, or its carrier corrected, in this decision.
    """
    after = ledger.parcel(number)
    if not after.scans:
        return
    tallies: list[RunningTotal] = []
    for owner in after.owners:
        order = ledger.order(owner.order_id)
        if order is None or not _holds(order, owner, number):
            continue
        told = _told_before(ledger, owner, number)
        share = scans_of(after, owner.shipment_id)
        known = tuple(scan for scan in share if scan.key in told)
        new = tuple(scan for scan in share if scan.key not in told)
        tally = tell_scans(ledger, order, owner.shipment_id, known, new)
        if share:
            tallies.append(tally)
    is_sole = len(after.owners) == len(tallies) == 1
    trail = tallies[0].trail(len(after.scans)) if is_sole else None
    if trail != after.trail:
        ledger.put_parcel(replace(after, trail=trail))


def _told_before(ledger: Recorder, owner: Owner, number: str) -> frozenset[str]:
    """Keys of the scans that make no event on this owner: it was told them, or they only moved."""
    parcel = ledger.world.parcels.get(number)
    if parcel is None:
        return frozenset()
    before = _shipment(ledger.world.orders.get(owner.order_id), owner.shipment_id)
    if before is None or before.number != number:
        return frozenset()
    now = _shipment(ledger.order(owner.order_id), owner.shipment_id)
    is_corrected = now is not None and now.generation != before.generation
    told = scans_of(parcel, owner.shipment_id) if is_corrected else parcel.scans
    return frozenset(scan.key for scan in told)


def _holds(order: Order, owner: Owner, number: str) -> bool:
    shipment = _shipment(order, owner.shipment_id)
    return shipment is not None and shipment.number == number


def _shipment(order: Order | None, shipment_id: Uuid) -> Shipment | None:
    shipments = order.shipments if order is not None else ()
    return next((each for each in shipments if each.shipment_id == shipment_id), None)
