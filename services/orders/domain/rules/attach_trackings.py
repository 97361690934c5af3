"""Attach tracking numbers to shipments, and release them from former owners."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import Tracking, UpsertOrder
from services.orders.domain.model.contents import match_contents
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order, Shipment, with_shipment
from services.orders.domain.model.parcel import (
    Owner,
    add_owner,
    current_owners,
    fold_of,
    recycled_since,
    replace_owner,
    same_carrier,
    scans_of,
)
from services.orders.domain.model.reasons import CommandRefused, Reason, Unchanged
from services.orders.domain.model.references import number_key
from services.orders.domain.model.tracking_number import normalise_number, shown_number
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.rules.notices_of_numbers import (
    given_before,
    keep_notices,
    was_attached_before,
)
from services.orders.domain.rules.shipment_count import lowest_draft, recount
from services.orders.domain.tracking.notifications import (
    NUMBER_ATTACHED,
    Notice,
    number_notifies,
    was_given,
)
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Direction, Scan
from services.orders.domain.tracking.start import initial_state
from services.orders.domain.tracking.state import DRAFT
from services.orders.domain.value import replace


def attach_all(recorder: Recorder, order: Order, trackings: tuple[Tracking, ...]) -> Order:
    """Attach tracking numbers, in the order given; returns the order before `recount`.

    The parcels and the orders that lose a number are put into the recorder.
    """
    for index, tracking in enumerate(trackings):
        number = normalise_number(tracking.tracking_number)
        pointer = f"/trackings/{index}/tracking_number"
        if not number:
            raise CommandRefused(
                Reason.TRACKING_NUMBER_EMPTY,
                "The tracking number has no letter and no digit; leave the tracking out until "
                "there is one.",
                pointer,
            )
        held = shipment_with(order, number)
        if held is not None:
            order = _update(recorder, order, held, tracking, f"/trackings/{index}")
        else:
            order = _attach(recorder, order, number, tracking, pointer)
    return order


def new_parcels_of(recorder: Recorder, order: Order, command: UpsertOrder) -> UpsertOrder:
    """What is left of a command that is older than the order: parcels that the order has not.

    A parcel is a fact, which newer content does not outdate. All that describes the order is left
    out, with a warning. A number that another order has is not taken from it by an old command.

    Raises:
        Unchanged: the command brings no new parcel.
    """
    new = tuple([each for each in command.trackings if _is_new(recorder, order, each)])
    if not new:
        raise Unchanged(Reason.STALE)
    if command.order is not None or command.order_analytics is not None or new != command.trackings:
        recorder.warn(
            WarningCode.DESCRIPTION_STALE,
            "/order" if command.order is not None else "",
            f"The order holds something newer; of this command only {len(new)} new parcels were "
            "taken.",
        )
    return replace(command, order=None, order_analytics=None, trackings=new)


def _is_new(recorder: Recorder, order: Order, tracking: Tracking) -> bool:
    number = normalise_number(tracking.tracking_number)
    if shipment_with(order, number) is not None:
        return False
    owners = current_owners(recorder.parcel(number), tracking.carrier_reference)
    held = (_shipment_of(recorder, owner) for owner in owners)
    return all(shipment is None or shipment.tracking.is_finished for shipment in held)


def shipment_with(order: Order, number: str) -> Shipment | None:
    """The order's shipment with a normalised number."""
    return next((each for each in order.shipments if each.number == number), None)


def _attach(
    recorder: Recorder, order: Order, number: str, tracking: Tracking, pointer: str
) -> Order:
    taken = lowest_draft(order)
    attached = replace(
        taken,
        tracking_number=shown_number(tracking.tracking_number),
        number=number,
        carrier_reference=tracking.carrier_reference or taken.carrier_reference,
        tracking_url=tracking.tracking_url or taken.tracking_url,
        tracking_placed_at=tracking.tracking_placed_at or recorder.now,
        external_shipment_id=tracking.external_shipment_id,
        products=tracking.products or taken.products or None,
        archived=False,
        generation=order.reassignments,
        tracking=initial_state(Direction.MERCHANT_CUSTOMER),
    )
    owner = Owner(
        order_id=order.order_id,
        shipment_id=attached.shipment_id,
        shop=order.shop,
        carrier=attached.carrier_reference,
    )
    _take_number(recorder, number, owner, attached, pointer)
    recorder.appeared.append(number_key(number))
    since = tracking.tracking_placed_at or _undated_since(recorder, order, tracking)
    return with_shipment(order, _with_notice(recorder, order, attached, since))


def _with_notice(
    recorder: Recorder, order: Order, attached: Shipment, placed_at: datetime | None
) -> Shipment:
    """The parcel with the notices of its number, and a new one if the hand-over is recent."""
    number, state = attached.number or "", attached.tracking
    parcel = recorder.parcel(number)
    if parcel.scans or parcel.known is not None:
        share, fold = scans_of(parcel, attached.shipment_id), fold_of(parcel, attached.shipment_id)
        state = replay(share, recorder.now, fold=fold).state
    held: tuple[Notice, ...] = ()
    if order.released or recorder.world.published:
        held = given_before(recorder, order, number)
    if held and was_given(held, NUMBER_ATTACHED):
        return replace(attached, notices=held)
    is_new = number_notifies(placed_at, state, recorder.now)
    if is_new and recorder.world.published:
        is_new = not was_attached_before(recorder, order, attached)
    if is_new:
        recorder.notified |= {attached.shipment_id}
        held = (*held, NUMBER_ATTACHED)
    return replace(attached, notices=held)


def _undated_since(recorder: Recorder, order: Order, tracking: Tracking) -> datetime | None:
    """How old a hand-over without a time is, for its notification: it happens now.

    Not in the command that brings the order: there it may be as old as the order. None if it may be
    of any age.
    """
    if tracking.is_placed_at_unread:
        return None
    if order.version:
        return recorder.now
    return None if order.is_imported else order.placed_at


def _take_number(
    recorder: Recorder, number: str, owner: Owner, attached: Shipment, pointer: str
) -> None:
    """Make `owner` an owner of the number.

    Owners of other carriers stay, a finished one ends, an unfinished one of the shop is replaced.
    """
    parcel = recorder.parcel(number)
    for former in current_owners(parcel, owner.carrier):
        shipment = _shipment_of(recorder, former)
        if shipment is None:
            parcel = replace_owner(parcel, former, ())
        elif not same_carrier(shipment.carrier, owner.carrier):
            continue
        elif shipment.tracking.is_finished:
            since = recycled_since(attached.tracking_placed_at or recorder.now, shipment)
            parcel = replace_owner(parcel, former, (replace(former, until=since),))
            owner = replace(owner, since=since)
        elif former.shop == owner.shop:
            _release(recorder, former.order_id, shipment, scans_of(parcel, former.shipment_id))
            parcel = replace_owner(parcel, former, ())
            owner = replace(owner, since=former.since, fold=former.fold or owner.fold)
        else:
            raise CommandRefused(
                Reason.TRACKING_NUMBER_IN_USE,
                f"Tracking number {attached.tracking_number!r} is on another shop's parcel that "
                "is still under way; check the number, and name its carrier.",
                pointer,
            )
    recorder.put_parcel(add_owner(parcel, owner))


def _shipment_of(recorder: Recorder, owner: Owner) -> Shipment | None:
    order = recorder.order(owner.order_id)
    if order is None:
        return None
    return next((s for s in order.shipments if s.shipment_id == owner.shipment_id), None)


def _release(
    recorder: Recorder, order_id: Uuid, shipment: Shipment, scans: tuple[Scan, ...]
) -> None:
    """Make a shipment a draft again: its number belongs to another order now.

    `scans` are those of the shipment.
    """
    order = recorder.order(order_id)
    if order is None:
        return
    order = keep_notices(order, shipment, scans, recorder.now)
    bare = Shipment(shipment_id=shipment.shipment_id, ordinal=shipment.ordinal, tracking=DRAFT)
    released = replace(with_shipment(order, bare), reassignments=order.reassignments + 1)
    recorder.put(match_contents(recount(released)))


def _update(
    recorder: Recorder, order: Order, held: Shipment, tracking: Tracking, pointer: str
) -> Order:
    """Update the shipment that has this number: given members replace, absent ones stay."""
    changed = replace(
        held,
        tracking_url=tracking.tracking_url or held.tracking_url,
        tracking_placed_at=tracking.tracking_placed_at or held.tracking_placed_at,
        external_shipment_id=tracking.external_shipment_id or held.external_shipment_id,
        products=tracking.products or held.products,
    )
    carrier = tracking.carrier_reference
    if carrier is None:
        return with_shipment(order, changed)
    return correct_carrier(recorder, order, changed, carrier, f"{pointer}/carrier_reference")


def correct_carrier(
    recorder: Recorder, order: Order, held: Shipment, carrier: str, pointer: str
) -> Order:
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
    _correct_owner(recorder, held.number, corrected, pointer)
    return with_shipment(order, corrected)


def _correct_owner(recorder: Recorder, number: str, corrected: Shipment, pointer: str) -> None:
    parcel = recorder.parcel(number)
    own = next(each for each in parcel.owners if each.shipment_id == corrected.shipment_id)
    named = replace(own, carrier=corrected.carrier_reference)
    rest = replace_owner(parcel, own, ())
    if own.until is not None or not current_owners(rest, named.carrier):
        corrected_parcel = replace_owner(parcel, own, (named,))
        if parcel.left_out:  # Reports of scans that were left out are decided again.
            corrected_parcel = replace(corrected_parcel, left_out=None)
            recorder.appeared.append(number_key(number))
        recorder.put_parcel(corrected_parcel)
        return
    recorder.put_parcel(rest)
    _take_number(recorder, number, named, corrected, pointer)
