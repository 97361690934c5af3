"""Implied numbers: those that a decision looks at, though only the stored order names them."""

from __future__ import annotations

from services.orders.domain.model.commands import Command, VoidShipment
from services.orders.domain.model.order import Order


def implied_numbers(order: Order, command: Command) -> set[str]:
    """Normalised numbers of an order whose rows the decision changes, beside those of `names`."""
    if not isinstance(command, VoidShipment):
        return set()
    return {
        each.number
        for each in order.shipments
        if each.number is not None
        and (
            each.shipment_id == command.shipment_id
            or (each.external_shipment_id or "") == command.external_shipment_id
        )
    }
