"""Fill the sub-statuses that a version before did not store (docs/decisions/0169)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order, Shipment, with_shipment
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.windows import shares_in, windows_of
from services.orders.domain.tracking.naming import CodeMaps, named
from services.orders.domain.tracking.replay import replay
from services.orders.domain.value import replace


def fill_sub_statuses(
    parcel: Parcel, orders: Mapping[Uuid, Order | None], maps: CodeMaps, now: datetime
) -> dict[Uuid, Order]:
    """The orders on a number whose shipments lack a sub-status, with what their scans give.

    `orders` are those of the owners. Reason and action are filled with it: a version before may
    have known neither. Nothing else changes: a shipment whose state the present rules and maps
    would compute otherwise is left to `orderflow carriers remap` or its next scan.
    """
    changed: dict[Uuid, Order] = {}
    windows = windows_of(parcel)
    shares = shares_in(windows, [named(scan, maps) for scan in parcel.scans])
    for window in windows:
        owner = window.owner
        order = changed.get(owner.order_id) or orders.get(owner.order_id)
        shipment = _lacking(order, owner.shipment_id, parcel.number)
        if order is None or shipment is None:
            continue
        state = replay(shares[owner.shipment_id], now, fold=owner.fold).state
        filled = replace(shipment.tracking, sub_status=state.sub_status, why=state.why)
        if filled == state and state.sub_status is not None:
            changed[owner.order_id] = with_shipment(order, replace(shipment, tracking=filled))
    return changed


def _lacking(order: Order | None, shipment_id: Uuid, number: str) -> Shipment | None:
    """The shipment, if it is on the number and has no sub-status."""
    for shipment in order.shipments if order is not None else ():
        if shipment.shipment_id == shipment_id and shipment.number == number:
            return shipment if shipment.tracking.sub_status is None else None
    return None
