"""Void a shipment (`shipment.void`): take its tracking number off the order."""

from __future__ import annotations

from services.orders.domain.events.conclude import conclude
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import VoidShipment
from services.orders.domain.model.contents import match_contents
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.leaving import leave
from services.orders.domain.model.order import Order, Shipment, with_shipment
from services.orders.domain.model.reasons import CommandRefused, NotYet, Reason, Unchanged
from services.orders.domain.model.references import number_key
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.model.voided import VoidedNumber, with_voided
from services.orders.domain.model.windows import shares_of
from services.orders.domain.rules.acceptance import accept, check_not_stale, require
from services.orders.domain.rules.attach_trackings import shipment_with
from services.orders.domain.rules.check_number import check_number
from services.orders.domain.rules.named_shipments import (
    Names,
    ambiguous,
    named_shipments,
    not_found,
)
from services.orders.domain.rules.notices_of_numbers import keep_notices
from services.orders.domain.rules.shipment_count import recount
from services.orders.domain.tracking.state import DRAFT
from services.orders.domain.value import replace


def void(recorder: Recorder, command: VoidShipment) -> Uuid:
    """Take a tracking number off an order: its shipment is a draft again, or gone.

    Raises:
        Unchanged: the number was voided before.
    """
    held = require(recorder, command.reference)
    check_not_stale(held, command)
    shipment = _named(held, command)
    _check_not_delivered(shipment, command)
    order = take_number_off(recorder, held, shipment)
    return conclude(recorder, held, accept(match_contents(recount(order)), command))


def take_number_off(recorder: Recorder, order: Order, shipment: Shipment) -> Order:
    """The order with a shipment that has lost its number, before `recount`.

    The number's row loses the shipment as owner; its scans, and other owners, stay. The order
    keeps the notices that it gave of the number, for when the number comes back.
    """
    number = shipment.number
    if number is None:
        raise ValueError(f"shipment {shipment.shipment_id} is a draft: it has no number to lose")
    parcel = recorder.parcel(number)
    scans = shares_of(parcel).get(shipment.shipment_id, ())
    recorder.put_parcel(leave(parcel, shipment.shipment_id, recorder.now))
    order = keep_notices(order, shipment, scans, recorder.now)
    bare = Shipment(shipment_id=shipment.shipment_id, ordinal=shipment.ordinal, tracking=DRAFT)
    voided = VoidedNumber(
        number=number,
        shipment_id=shipment.shipment_id,
        external_shipment_id=shipment.external_shipment_id,
        voided_at=recorder.now,
        source_version=recorder.item.source_version,
        updated_at=recorder.item.updated_at,
    )
    return replace(
        with_shipment(order, bare),
        reassignments=order.reassignments + 1,
        voided=with_voided(order.voided, voided),
    )


def _named(order: Order, command: VoidShipment) -> Shipment:
    """The one shipment with a number that every name in the command fits."""
    text = command.tracking_number
    number = None if text is None else normalise_number(text)
    names = Names(command.shipment_id, number, command.external_shipment_id)
    if not names.are_given:
        raise CommandRefused(
            Reason.SHIPMENT_NOT_NAMED,
            "The command names no shipment: add shipment_id, tracking_number or "
            "external_shipment_id.",
        )
    found = named_shipments(order, names)
    if len(found) == 1:
        if found[0].number is not None:
            return found[0]
        _check_not_voided(order, names)
        raise CommandRefused(
            Reason.SHIPMENT_IS_DRAFT,
            f"Shipment {found[0].shipment_id} has no tracking number, so there is nothing to take "
            "off; lower expected_number_of_shipments if the parcel is not needed.",
            "/shipment_id",
        )
    if found:
        raise ambiguous(order, names, found)
    _check_not_voided(order, names)
    if number is not None and text is not None and shipment_with(order, number) is None:
        check_number(text, "/tracking_number")
        raise NotYet(Reason.SHIPMENT_NOT_FOUND, number_key(number))
    raise not_found(order, names)


def _check_not_voided(order: Order, names: Names) -> None:
    """Raises Unchanged where every name is that of a number that was taken off."""
    for each in reversed(order.voided):
        if names.fit(each.shipment_id, each.number, each.external_shipment_id):
            at = each.voided_at.isoformat()
            raise Unchanged(
                Reason.ALREADY_VOIDED,
                f"Its tracking number was taken off the order at {at}; nothing changed.",
            )


def _check_not_delivered(shipment: Shipment, command: VoidShipment) -> None:
    at = shipment.tracking.delivered_at
    if at is None:
        return
    if not command.is_forced:
        raise CommandRefused(
            Reason.SHIPMENT_DELIVERED,
            f"Tracking number {shipment.tracking_number!r} was delivered at {at.isoformat()}; "
            "send shipment.void with force and a reason if it must go all the same.",
            "/force",
        )
    if not command.reason:
        raise CommandRefused(
            Reason.FORCE_NEEDS_REASON,
            f"Tracking number {shipment.tracking_number!r} was delivered at {at.isoformat()}, "
            "so it is taken off only with a reason; say why in reason.",
            "/reason",
        )
