"""The narrow changes: `order.update`, `shipment.update` and `order.cancel`."""

from __future__ import annotations

from services.orders.domain.events.conclude import conclude
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import CancelOrder, UpdateOrder, UpdateShipment
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order, OrderStatus, Shipment, with_shipment
from services.orders.domain.model.reasons import CommandRefused, NotYet, Reason
from services.orders.domain.model.references import number_key
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.rules.acceptance import (
    accept,
    check_not_repeated,
    check_not_stale,
    require,
)
from services.orders.domain.rules.address import merge_address
from services.orders.domain.rules.attach_trackings import shipment_with
from services.orders.domain.rules.check_number import check_number
from services.orders.domain.rules.correct_owner import correct_carrier
from services.orders.domain.rules.parcel_contents import pack
from services.orders.domain.rules.place_order import check_still_open
from services.orders.domain.rules.replace_number import named_by_external_id
from services.orders.domain.rules.shipment_count import check_expected, recount
from services.orders.domain.value import replace


def update_order(recorder: Recorder, command: UpdateOrder) -> Uuid:
    """Change the address, the expected number of shipments, or both."""
    held = require(recorder, command.reference)
    check_not_stale(held, command)
    expected = command.expected_number_of_shipments
    pointer = "/expected_number_of_shipments"
    check_expected(expected, pointer)
    order = held
    check_still_open(held, expected, pointer)
    if expected is not None:
        order = replace(order, expected_asked=expected)
    if command.address is not None:
        address = merge_address(held.placement.address, command.address, command.address_nulls)
        order = replace(order, placement=replace(held.placement, address=address))
    order = recount(order)
    if expected is not None:
        order = pack(recorder, held, order, {}, pointer)
    return conclude(recorder, held, accept(order, command))


def update_shipment(recorder: Recorder, command: UpdateShipment) -> Uuid:
    """Change carrier, URL and contents of one parcel. Absent skips, an empty list empties."""
    held = require(recorder, command.reference)
    check_not_stale(held, command)
    found, shipment = _find(recorder, held, command)
    url, products = command.tracking_url, command.products
    changed = replace(
        shipment,
        tracking_url=shipment.tracking_url if url is None else url,
        products=shipment.products if products is None else products,
    )
    order = with_shipment(found, changed)
    if command.carrier_reference is not None:
        carrier = command.carrier_reference
        order = correct_carrier(recorder, order, changed, carrier)
    if products is not None:
        order = pack(recorder, held, order, {shipment.shipment_id: "/products"}, "/products")
    elif found is not held:
        order = pack(recorder, held, order, {}, "/tracking_number")
    return conclude(recorder, held, accept(order, command))


def _find(recorder: Recorder, held: Order, command: UpdateShipment) -> tuple[Order, Shipment]:
    """The shipment that the command names, and the order with its number replaced, if it is."""
    if command.external_shipment_id is not None:
        return named_by_external_id(recorder, held, command)
    return held, _named(held, command)


def _named(order: Order, command: UpdateShipment) -> Shipment:
    """The one shipment that every name in the command fits."""
    by_id = _by_id(order, command.shipment_id) if command.shipment_id is not None else None
    if command.tracking_number is None:
        if by_id is None:
            raise CommandRefused(
                Reason.SHIPMENT_NOT_NAMED,
                "The command names no shipment: add shipment_id or tracking_number.",
            )
        return by_id
    number = normalise_number(command.tracking_number)
    by_number = shipment_with(order, number)
    if by_number is None:
        check_number(command.tracking_number, "/tracking_number")
        raise NotYet(Reason.SHIPMENT_NOT_FOUND, number_key(number))
    if by_id is not None and by_id.shipment_id != by_number.shipment_id:
        raise CommandRefused(
            Reason.SHIPMENT_AMBIGUOUS,
            f"{command.tracking_number!r} is on shipment {by_number.shipment_id}, not on "
            f"{by_id.shipment_id}; correct the one that is wrong.",
            "/shipment_id",
        )
    return by_number


def _by_id(order: Order, shipment_id: Uuid) -> Shipment:
    for shipment in order.shipments:
        if shipment.shipment_id == shipment_id:
            return shipment
    raise CommandRefused(
        Reason.SHIPMENT_NOT_FOUND,
        f"Order {order.order_number!r} has no shipment {shipment_id}; name one of its shipment ids "
        "or tracking numbers.",
        "/shipment_id",
    )


def cancel(recorder: Recorder, command: CancelOrder) -> Uuid:
    """Cancel an order, whatever of it is sent already. Drafts are archived; twice is once.

    A cancellation is a fact: no content of the order is too new for it.
    """
    held = require(recorder, command.reference)
    check_not_repeated(held, command)
    if held.status is OrderStatus.CANCELLED:
        return conclude(recorder, held, accept(held, command))
    cancelled = replace(
        held,
        status=OrderStatus.CANCELLED,
        cancelled_at=command.cancelled_at or recorder.now,
        cancel_reason=command.reason,
    )
    return conclude(recorder, held, accept(recount(cancelled), command))
