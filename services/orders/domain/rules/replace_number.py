"""Replace a number: a shipment that the shop knows by its `external_shipment_id` gets another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import Tracking, UpdateShipment, UpsertOrder
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.reasons import CommandRefused, Reason
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.model.warnings import WarningCode
from services.orders.domain.rules.attach_trackings import attach_to, shipment_with
from services.orders.domain.rules.check_number import check_number
from services.orders.domain.rules.named_shipments import (
    Names,
    ambiguous,
    named_shipments,
    not_found,
)
from services.orders.domain.rules.void_shipment import take_number_off

_Listed: TypeAlias = dict[str, tuple[Tracking, str]]
"""Trackings by normalised number, in the order of the command, each with its JSON pointer."""


def replace_numbers(recorder: Recorder, order: Order, command: UpsertOrder) -> Order:
    """Replace numbers that a command leaves out under an `external_shipment_id`.

    A delivery may have several numbers under one id. Those of the order that the command does not
    list are replaced, one by one and in their order, by those it lists that the order has not. What
    is new beyond that is another parcel, which `attach_all` attaches. Without a new number nothing
    is removed. A delivered parcel keeps its number. A command that is older than the order replaces
    none.
    """
    for each in command.trackings:
        if each.external_shipment_id is not None:
            break
    else:
        return order
    if command.is_old:
        return order
    for external, listed in _by_external_id(command.trackings).items():
        absent = [each for each in order.shipments if _is_absent(each, external, listed)]
        new = [each for number, each in listed.items() if shipment_with(order, number) is None]
        for shipment, (tracking, pointer) in zip(absent, new, strict=False):
            place = f"{pointer}/tracking_number"
            order = _replaced(recorder, order, shipment, tracking, place)
            recorder.warn(
                WarningCode.NUMBER_REPLACED,
                place,
                f"It replaces {shipment.tracking_number!r}, which the command leaves out under "
                f"external_shipment_id {external!r}; list all numbers of a delivery in one "
                "command if both are parcels.",
            )
    return order


def named_by_external_id(
    recorder: Recorder, order: Order, command: UpdateShipment
) -> tuple[Order, Shipment]:
    """The shipment with the command's `external_shipment_id`, and the order with it.

    A tracking number that the order has not is the shipment's new one.
    """
    found = named_shipments(
        order, names := Names(command.shipment_id, None, command.external_shipment_id)
    )
    if not found:
        raise not_found(order, names)
    text = command.tracking_number
    number = None if text is None else normalise_number(text)
    named = [each for each in found if number is None or each.number == number]
    if len(named) == 1:
        return order, named[0]
    if text is None or number is None:
        raise ambiguous(order, names, found)
    _check_new(order, number, text)
    if len(found) > 1:
        raise ambiguous(order, names, found)
    tracking = Tracking(
        tracking_number=text,
        carrier_reference=command.carrier_reference,
        tracking_url=command.tracking_url,
        external_shipment_id=command.external_shipment_id,
    )
    _check_not_delivered(found[0])
    order = _replaced(recorder, order, found[0], tracking, "/tracking_number")
    return order, next(each for each in order.shipments if each.ordinal == found[0].ordinal)


def _by_external_id(trackings: Sequence[Tracking]) -> dict[str, _Listed]:
    found: dict[str, _Listed] = {}
    for index, tracking in enumerate(trackings):
        if tracking.external_shipment_id is not None:
            listed = found.setdefault(tracking.external_shipment_id, {})
            number = normalise_number(tracking.tracking_number)
            listed.setdefault(number, (tracking, tracking.pointer(index)))
    return found


def _is_absent(shipment: Shipment, external: str, listed: _Listed) -> bool:
    """Whether a shipment of the delivery has a number that may be replaced."""
    if shipment.external_shipment_id != external or shipment.number is None:
        return False
    return shipment.number not in listed and shipment.tracking.delivered_at is None


def _replaced(
    recorder: Recorder, order: Order, shipment: Shipment, tracking: Tracking, pointer: str
) -> Order:
    """The order with another number on a shipment, which keeps its id, contents and carrier."""
    check_number(tracking.tracking_number, pointer)
    order = take_number_off(recorder, order, shipment)
    draft = Shipment(
        shipment_id=shipment.shipment_id,
        ordinal=shipment.ordinal,
        carrier_reference=shipment.carrier_reference,
        delivery=shipment.delivery,
        products=shipment.products,
    )
    return attach_to(recorder, order, draft, tracking, pointer)


def _check_new(order: Order, number: str, text: str) -> None:
    other = shipment_with(order, number)
    if other is not None:
        raise CommandRefused(
            Reason.NUMBER_ON_ORDER,
            f"{text!r} is on shipment {other.shipment_id} of the order already; take it off there "
            "first, or name that parcel.",
            "/tracking_number",
        )
    check_number(text, "/tracking_number")


def _check_not_delivered(shipment: Shipment) -> None:
    at = shipment.tracking.delivered_at
    if at is not None:
        raise CommandRefused(
            Reason.SHIPMENT_DELIVERED,
            f"Tracking number {shipment.tracking_number!r} was delivered at {at.isoformat()} and "
            "is not replaced; attach another parcel's number by order.upsert.",
            "/tracking_number",
        )
