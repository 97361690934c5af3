"""Correct an owner: what a shop says again of a parcel whose number the order has."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.leaving import keep_private
from services.orders.domain.model.order import Order, Shipment, with_shipment
from services.orders.domain.model.parcel import Owner, Parcel, same_carrier, with_owner
from services.orders.domain.model.references import number_key
from services.orders.domain.model.windows import first_seen
from services.orders.domain.value import replace


def correct_hand_over(recorder: Recorder, order: Order, corrected: Shipment) -> None:
    """Let the window of a shipment begin earlier, if its hand-over is earlier than was known.

    Of all that is said of a hand-over the earliest counts, in any order: a shop that repeats its
    parcels may send the time of its last change.
    """
    said = corrected.tracking_placed_at
    parcel, own = _owner(recorder, corrected)
    if said is None or own is None or own.came_at is None:
        return
    if own.placed_at is None or said >= own.placed_at:
        return
    since = first_seen(said, order.placed_at, recorder.world.seen_before)
    if own.since is not None:
        since = min(since, own.since)
    _put(recorder, with_owner(parcel, replace(own, placed_at=said, since=since)))


def correct_carrier(recorder: Recorder, order: Order, held: Shipment, carrier: str) -> Order:
    """Name the carrier of a shipment, which had none or another one; the parcel stays the same.

    Scans of the carrier that are kept on the number become the shipment's. A draft only keeps the
    carrier for the number to come.
    """
    if carrier == held.carrier_reference:
        return with_shipment(order, held)
    if held.number is None:
        return with_shipment(order, replace(held, carrier_reference=carrier))
    is_correction = held.carrier_reference is not None
    order = replace(order, reassignments=order.reassignments + is_correction)
    generation = order.reassignments if is_correction else held.generation
    corrected = replace(held, carrier_reference=carrier, generation=generation)
    parcel, own = _owner(recorder, corrected)
    if own is not None:
        _put(recorder, _with_carrier(parcel, own, carrier, recorder.now))
    return with_shipment(order, corrected)


def _owner(recorder: Recorder, shipment: Shipment) -> tuple[Parcel, Owner | None]:
    """The parcel of a shipment with a number, and its entry there.

    None where another shipment needed its place on the number: see `attach_trackings`.
    """
    parcel = recorder.parcel(shipment.number or "")
    return parcel, next((o for o in parcel.owners if o.shipment_id == shipment.shipment_id), None)


def _put(recorder: Recorder, parcel: Parcel) -> None:
    """Put a parcel with another window: reports of scans that it did not see are decided again."""
    recorder.appeared.append(number_key(parcel.number))
    recorder.put_parcel(replace(parcel, left_out=None))


def _with_carrier(parcel: Parcel, own: Owner, carrier: str, now: datetime) -> Parcel:
    """The parcel with the carrier of one of its shipments.

    For other shops, a shipment that had another carrier leaves its number and takes another one.
    """
    named = replace(own, carrier=carrier)
    if own.carrier is None or same_carrier(own.carrier, carrier):
        return with_owner(parcel, named)
    left = keep_private(parcel, own.shipment_id, now)
    return with_owner(left, replace(named, came_at=now))
