"""Attach tracking numbers to shipments."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import Tracking, UpsertOrder
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.leaving import leave
from services.orders.domain.model.order import Order, Shipment, with_shipment
from services.orders.domain.model.parcel import (
    OWNERS_MAX,
    Owner,
    Parcel,
    fold_of,
    with_hand_over,
    with_owner,
)
from services.orders.domain.model.reasons import CommandRefused, Reason
from services.orders.domain.model.references import number_key
from services.orders.domain.model.tracking_number import normalise_number, shown_number
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.model.windows import first_seen, shares_of, windows_of
from services.orders.domain.rules.acceptance import is_voided_since
from services.orders.domain.rules.check_number import check_number
from services.orders.domain.rules.correct_owner import correct_carrier, correct_hand_over
from services.orders.domain.rules.notices_of_numbers import given_before, was_attached_before
from services.orders.domain.rules.shipment_count import lowest_draft
from services.orders.domain.tracking.notifications import (
    NUMBER_ATTACHED,
    Notice,
    number_notifies,
    was_given,
)
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Direction
from services.orders.domain.tracking.start import initial_state
from services.orders.domain.value import replace


def attach_all(recorder: Recorder, order: Order, trackings: tuple[Tracking, ...]) -> Order:
    """Attach tracking numbers, in the order given; returns the order before `recount`.

    The parcels are put into the recorder.
    """
    for index, tracking in enumerate(trackings):
        number = normalise_number(tracking.tracking_number)
        held = shipment_with(order, number)
        if held is not None:
            order = _update(recorder, order, held, tracking)
        else:
            place = index if tracking.position is None else tracking.position
            pointer = f"/trackings/{place}/tracking_number"
            check_number(tracking.tracking_number, pointer)
            order = _attach(recorder, order, number, tracking, pointer)
            if tracking.delivery is not None:
                order = _with_delivery(order, number, tracking.delivery)
    return order


def new_parcels_of(recorder: Recorder, order: Order, command: UpsertOrder) -> UpsertOrder | None:
    """What is left of a command that is older than the order: parcels that the order has not.

    A parcel is a fact, which newer content does not outdate. All that describes the order is left
    out, with a warning. A number that was taken off this order later is not attached again. None
    where the command brings no new parcel.
    """
    new = tuple(
        replace(each, position=index if each.position is None else each.position)
        for index, each in enumerate(command.trackings)
        if _is_new(order, command, each)
    )
    if not new:
        return None
    is_cut = len(new) < len(command.trackings)
    if is_cut or command.order is not None or command.order_analytics is not None:
        recorder.warn(
            WarningCode.DESCRIPTION_STALE,
            "/order" if command.order is not None else "",
            f"The order holds something newer; of this command only {len(new)} new parcels were "
            "taken.",
        )
    return replace(command, order=None, order_analytics=None, trackings=new, is_old=True)


def _is_new(order: Order, command: UpsertOrder, tracking: Tracking) -> bool:
    number = normalise_number(tracking.tracking_number)
    return shipment_with(order, number) is None and not is_voided_since(order, number, command)


def _with_delivery(order: Order, number: str, delivery: str) -> Order:
    held = next(each for each in order.shipments if each.number == number)
    return with_shipment(order, replace(held, delivery=delivery))


def shipment_with(order: Order, number: str) -> Shipment | None:
    """The order's shipment with a normalised number."""
    return next((each for each in order.shipments if each.number == number), None)


def attach_to(
    recorder: Recorder, order: Order, draft: Shipment, tracking: Tracking, pointer: str
) -> Order:
    """Attach a number that the order has not to this draft, and not to its lowest one."""
    number = normalise_number(tracking.tracking_number)
    alone = _attach(recorder, replace(order, shipments=(draft,)), number, tracking, pointer)
    (attached,) = alone.shipments
    return with_shipment(order, attached)


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
    _take_number(recorder, order, attached, pointer)
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
        share, fold = shares_of(parcel)[attached.shipment_id], fold_of(parcel, attached.shipment_id)
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


def _take_number(recorder: Recorder, order: Order, attached: Shipment, pointer: str) -> None:
    """Put a shipment on its number. Other shipments on the number keep it."""
    if attached.number is None or attached.tracking_placed_at is None:
        raise ValueError(f"shipment {attached.shipment_id} has no number to take")
    parcel = recorder.parcel(attached.number)
    if parcel.owners:
        parcel = _with_room(_with_hand_overs(recorder, parcel), attached, pointer, recorder.now)
    owner = Owner(
        order_id=order.order_id,
        shipment_id=attached.shipment_id,
        shop=order.shop,
        carrier=attached.carrier_reference,
        since=first_seen(attached.tracking_placed_at, order.placed_at, recorder.world.seen_before),
        placed_at=attached.tracking_placed_at,
        came_at=recorder.now,
    )
    if parcel.owners:
        recorder.put_parcel(_with_shared_fold(with_owner(parcel, owner), owner))
    else:
        recorder.put_parcel(replace(parcel, owners=(owner,), left_out=None))


def _with_shared_fold(parcel: Parcel, owner: Owner) -> Parcel:
    """The parcel with the folded scans, which are not kept, of one of the shop under way for it."""
    for window in windows_of(parcel):
        other = window.owner
        if window.until is None and other.shop == owner.shop and other.fold is not None:
            return with_owner(parcel, replace(owner, fold=other.fold))
    return parcel


def _with_room(parcel: Parcel, attached: Shipment, pointer: str, now: datetime) -> Parcel:
    """The parcel with room for one more: where it is full, without the one that ended first."""
    if len(parcel.owners) < OWNERS_MAX:
        return parcel
    ended_first = _ended_first(parcel)
    if ended_first is None:
        raise CommandRefused(
            Reason.TRACKING_NUMBER_SHARED,
            f"Tracking number {attached.tracking_number!r} is on {len(parcel.owners)} parcels that "
            "are under way, the most that it can be on; check that it is the number of one parcel.",
            pointer,
        )
    return leave(parcel, ended_first, now)


@lru_cache(maxsize=16)  # Asked for each of many orders that name a number which is full.
def _ended_first(parcel: Parcel) -> Uuid | None:
    """The shipment on a number whose window ended first; None if all are under way."""
    ended = [(each.until, each.owner.shipment_id) for each in windows_of(parcel) if each.until]
    return min(ended)[1] if ended else None


def _with_hand_overs(recorder: Recorder, parcel: Parcel) -> Parcel:
    """The parcel with the times that versions before did not keep, as its shipments have them."""
    if all(owner.placed_at for owner in parcel.owners):
        return parcel
    owners = tuple(
        with_hand_over(owner, shipment.tracking_placed_at)
        if (shipment := _shipment_of(recorder, owner))
        else owner
        for owner in parcel.owners
    )
    return replace(parcel, owners=owners)


def _shipment_of(recorder: Recorder, owner: Owner) -> Shipment | None:
    order = recorder.order(owner.order_id)
    if order is None:
        return None
    return next((s for s in order.shipments if s.shipment_id == owner.shipment_id), None)


def _update(recorder: Recorder, order: Order, held: Shipment, tracking: Tracking) -> Order:
    """Update the shipment that has this number: given members replace, absent ones stay."""
    changed = replace(
        held,
        tracking_url=tracking.tracking_url or held.tracking_url,
        tracking_placed_at=tracking.tracking_placed_at or held.tracking_placed_at,
        external_shipment_id=tracking.external_shipment_id or held.external_shipment_id,
        products=tracking.products or held.products,
    )
    if changed.tracking_placed_at != held.tracking_placed_at:
        correct_hand_over(recorder, order, changed)
    carrier = tracking.carrier_reference
    if carrier is None:
        return with_shipment(order, changed)
    return correct_carrier(recorder, order, changed, carrier)
