"""Conclude: the last step of a decision: put the order, and add the events of what changed."""

from __future__ import annotations

from services.orders.domain.events.choose_and_credit import choose_and_credit
from services.orders.domain.events.order_events import emit_changes
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.events.scan_events import emit_results, emit_scans
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.parcel import Owner, Parcel, with_owner
from services.orders.domain.model.published import with_published_campaign
from services.orders.domain.model.references import ReferenceKind, new_references, order_key
from services.orders.domain.model.windows import (
    are_sole_parcels,
    shares_in,
    shares_of,
    windows_of,
)
from services.orders.domain.tracking.extend import extend
from services.orders.domain.tracking.naming import CodeMaps, any_named_by_map, named
from services.orders.domain.tracking.resume_point import RULES, rules_with
from services.orders.domain.tracking.running_total import RunningTotal
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace


def conclude(recorder: Recorder, before: Order | None, after: Order) -> Uuid:
    """Put the order and its events, then those of all shipments on the numbers it changed.

    A new order that was published before a restore has the campaign that was published last.
    """
    if before is None and recorder.world.published:
        after = _with_published(recorder, after)
    emit_changes(recorder, before, after)
    for reference in new_references(before, after):
        recorder.appeared.append(order_key(reference.shop, reference.kind, reference.value))
        if reference.kind is not ReferenceKind.UUID:
            recorder.references.append((reference, after.order_id))
    for number in tuple(recorder.parcels):
        recompute_owners(recorder, number)
    if recorder.world.books:
        choose_and_credit(recorder, after.order_id)
    return after.order_id


def _with_published(recorder: Recorder, order: Order) -> Order:
    published = recorder.world.published.get(order.order_id)
    return with_published_campaign(order, published) if published is not None else order


def extend_owner(recorder: Recorder, before: Parcel, new: tuple[Scan, ...]) -> Uuid | None:
    """Add new scans to the stored state of a changed parcel's owner, with an event for each.

    Returns the owner's order; None, with nothing changed, where the state must be computed from all
    scans again: see `ResumePoint`.
    """
    after, trail = recorder.parcel(before.number), before.trail
    if trail is None or len(after.owners) != 1:
        return None
    if not trail.continues(len(before.scans), recorder.world.code_maps):
        return None
    (owner,) = after.owners
    shipment = _shipment(recorder.order(owner.order_id), owner.shipment_id)
    if shipment is None or shipment.number != after.number or shipment.notices is None:
        return None
    if after.private or not are_sole_parcels(owner, shipment.tracking, new):
        return None
    total = RunningTotal.resumed(shipment.tracking, trail)
    added, standings = extend(total, new, recorder.now)
    if not added:
        return None
    emit_results(recorder, owner.order_id, owner.shipment_id, added, standings)
    rules = trail.rules
    for scan in new:
        if scan.code_set is not None or scan.reason is not None:
            rules = rules_with(recorder.world.code_maps)
    recorder.put_parcel(replace(after, trail=total.trail(len(after.scans), rules)))
    return owner.order_id


def recompute_owners(
    recorder: Recorder,
    number: str,
    late: tuple[Scan, ...] = (),
    quiet: frozenset[str] = frozenset(),
    *,
    is_part: bool = False,
) -> None:
    """Recompute the shipments that own a changed tracking number, with their events.

    Scans are new to an owner if they are new to the number. All scans of an owner are new to it if
    the number was attached, or its carrier corrected, in this decision. `late` are new scans for
    the folds of their owners; new scans whose keys are in `quiet` make no event. With `is_part`
    further scans follow, so that a state without a new scan is not published yet.

    Scans are named by the present code maps first.
    """
    after = recorder.parcel(number)
    if not after.scans and not late:
        return
    rules = RULES
    if any_named_by_map(after.scans):
        rules = rules_with(recorder.world.code_maps)
        after = _named_by_present_maps(recorder, after)
    totals: list[RunningTotal] = []
    refolded: list[Owner] = []
    windows = windows_of(after)
    shares = shares_in(windows, after.scans)
    late_shares = shares_in(windows, late) if late else {}
    for window in windows:
        owner = window.owner
        order = recorder.order(owner.order_id)
        if order is None or not _holds(order, owner, number):
            continue
        published = _published_before(recorder, owner, number)
        if quiet:
            published |= quiet
        share = shares[owner.shipment_id]
        known = tuple(scan for scan in share if scan.key in published)
        new = tuple(scan for scan in share if scan.key not in published)
        history = emit_scans(
            recorder,
            order,
            owner.shipment_id,
            known,
            new,
            fold=owner.fold,
            late=late_shares.get(owner.shipment_id, ()),
            quiet=quiet,
            is_part=is_part,
        )
        if history.fold is not owner.fold:
            refolded.append(replace(owner, fold=history.fold))
        if share:
            totals.append(history.total)
    is_sole = len(after.owners) == len(totals) == 1
    trail = totals[0].trail(len(after.scans), rules) if is_sole else None
    if trail != after.trail or refolded:
        for owner in refolded:
            after = with_owner(after, owner)
        recorder.put_parcel(replace(after, trail=trail))


def is_renamed(parcel: Parcel, maps: CodeMaps) -> bool:
    """Whether code maps name a scan of a parcel otherwise than its stored state has it."""
    trail = parcel.trail
    if trail is not None and trail.continues(len(parcel.scans), maps):
        return False
    if not any_named_by_map(parcel.scans):
        return False
    return any(named(scan, maps) is not scan for scan in parcel.scans)


def _named_by_present_maps(recorder: Recorder, parcel: Parcel) -> Parcel:
    """The parcel with each scan named by the present code maps; put where a name differs."""
    maps = recorder.world.code_maps
    scans = tuple([named(scan, maps) for scan in parcel.scans])
    if all(one is other for one, other in zip(scans, parcel.scans, strict=True)):
        return parcel
    renamed = replace(parcel, scans=scans, trail=None)
    recorder.put_parcel(renamed)
    return renamed


def _published_before(recorder: Recorder, owner: Owner, number: str) -> frozenset[str]:
    """Keys of scans already published for this shipment or inherited from another; no new event."""
    parcel = recorder.world.parcels.get(number)
    if parcel is None:
        return frozenset()
    before = _shipment(recorder.world.orders.get(owner.order_id), owner.shipment_id)
    if before is None or before.number != number:
        return frozenset()
    now = _shipment(recorder.order(owner.order_id), owner.shipment_id)
    is_corrected = now is not None and now.generation != before.generation
    published = shares_of(parcel).get(owner.shipment_id, ()) if is_corrected else parcel.scans
    return frozenset(scan.key for scan in published)


def _holds(order: Order, owner: Owner, number: str) -> bool:
    shipment = _shipment(order, owner.shipment_id)
    return shipment is not None and shipment.number == number


def _shipment(order: Order | None, shipment_id: Uuid) -> Shipment | None:
    shipments = order.shipments if order is not None else ()
    return next((each for each in shipments if each.shipment_id == shipment_id), None)
