"""Contents: match what a command says is in parcels, and warn of what was not ordered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.contents import has_contents, match_contents
from services.orders.domain.model.goods import NotOrdered
from services.orders.domain.model.matching import IDENTIFIERS
from services.orders.domain.model.order import BundledProduct, Order, Product, Shipment
from services.orders.domain.model.renamed_lines import with_new_names
from services.orders.domain.model.warnings import WarningCode


def pack(
    recorder: Recorder, before: Order | None, order: Order, pointers: Mapping[str, str], other: str
) -> Order:
    """Match the contents of the order's parcels, and warn of goods that no order line has.

    A parcel holds what its shop says: goods that were never ordered, or more than was ordered, are
    kept and marked. `pointers` are JSON pointers to the lists in the command, by the id of the
    parcel; `other` is the pointer for a parcel that the command does not name.
    """
    if not has_contents(order):
        return order
    matched = match_contents(order)
    if before is not None and before.placement.products != order.placement.products:
        matched = _renamed(matched, before.placement.products, pointers)
    former = {} if before is None else {each.shipment_id: each for each in before.shipments}
    for shipment in matched.shipments:
        pointer = pointers.get(shipment.shipment_id)
        if pointer is not None:
            for each in shipment.not_ordered:
                _warn(recorder, shipment, each, f"{pointer}/{each.product}")
        elif _pieces(shipment) > _pieces(former.get(shipment.shipment_id)):
            _warn(recorder, shipment, shipment.not_ordered[0], other)
    return matched


def _renamed(matched: Order, former: Sequence[Product], said: Collection[str]) -> Order:
    """The order with goods under their lines' new names; lists in this command stay as said."""
    renamed = with_new_names(matched, former, said)
    return matched if renamed is matched else match_contents(renamed)


def _pieces(shipment: Shipment | None) -> int:
    return 0 if shipment is None else sum(each.quantity for each in shipment.not_ordered)


def _warn(recorder: Recorder, shipment: Shipment, found: NotOrdered, pointer: str) -> None:
    name = name_of((shipment.products or ())[found.product])
    if found.is_known:
        recorder.warn(
            WarningCode.QUANTITY_ABOVE_ORDERED,
            pointer,
            f"The parcels of the order hold {found.quantity} more of {name} than was ordered; the "
            "parcel keeps them, marked as not ordered.",
        )
    else:
        recorder.warn(
            WarningCode.PRODUCT_NOT_ORDERED,
            pointer,
            f"The parcel holds {found.quantity} of {name}, which the order does not have; the "
            "parcel keeps them, marked as not ordered.",
        )


def name_of(product: BundledProduct) -> str:
    """The product in words, by the first identifier it has."""
    for identifier in IDENTIFIERS:
        said = getattr(product, identifier)
        if said is not None:
            return f"{identifier} {said!r}"
    return "a product without line_id, variant_id, sku or title"
