"""Implied numbers: those that a decision looks at, though only the stored order names them."""

from __future__ import annotations

from services.orders.domain.model.commands import (
    Command,
    UpdateShipment,
    UpsertOrder,
    VoidShipment,
)
from services.orders.domain.model.order import Order


def implied_numbers(order: Order, command: Command) -> set[str]:
    """Normalised numbers of an order whose rows the decision changes, beside those of `names`."""
    external: set[str | None] = set()
    shipment_id = None
    match command:
        case VoidShipment() | UpdateShipment():
            shipment_id = command.shipment_id
            external = {command.external_shipment_id}
        case UpsertOrder():
            external = {each.external_shipment_id for each in command.trackings}
        case _:
            return set()
    external.discard(None)
    return {
        each.number
        for each in order.shipments
        if each.number is not None
        and (each.external_shipment_id in external or each.shipment_id == shipment_id)
    }
