"""Contents: what is in the parcels, held against what was ordered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.orders.domain.model.order import BundledProduct, Order, Product, Shipment
from services.orders.domain.model.reasons import CommandRefused, Reason

_IDENTIFIERS = ("line_id", "variant_id", "sku", "title")
"""What a parcel's product is matched by: the first of them that an order line shares."""


def check_contents(order: Order, pointer: str | None = None) -> None:
    """Refuse parcels that hold more than was ordered, or something that was not.

    Only explicit lists count: a parcel without one holds "all products", which says nothing of
    quantities. An order without products has nothing to be held against.
    """
    packed = list(_packed(order))
    if not packed or not order.placement.products:
        return
    remaining = [(line, quantity) for line, quantity in _lines(order.placement.products)]
    left = [quantity for _, quantity in remaining]
    lines = [line for line, _ in remaining]
    claims = [(_matches(lines, product, pointer), product) for product in packed]
    # Products that fit one line first: one that fits several takes what they leave.
    for matches, product in sorted(claims, key=lambda claim: len(claim[0])):
        _take(left, matches, product, pointer)


def _lines(products: Iterable[Product]) -> Iterable[tuple[BundledProduct, int]]:
    """Order lines with their quantities; products of a bundle may be packed separately."""
    for product in products:
        yield product, product.quantity
        for part in product.bundled_products:
            yield part, part.quantity * product.quantity


def _packed(order: Order) -> Iterable[Product]:
    """Every product in a parcel with an explicit list.

    A delivery with several numbers repeats its whole list on each (Shopware does): the same list
    under one `external_shipment_id` counts once.
    """
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for shipment in order.shipments:
        if not shipment.products:
            continue
        if shipment.external_shipment_id is not None:
            delivery = (shipment.external_shipment_id, _listed(shipment))
            if delivery in seen:
                continue
            seen.add(delivery)
        yield from shipment.products


def _listed(shipment: Shipment) -> tuple[str, ...]:
    return tuple(repr(product) for product in shipment.products or ())


def _matches(
    lines: Sequence[BundledProduct], product: Product, pointer: str | None
) -> tuple[int, ...]:
    for identifier in _IDENTIFIERS:
        said = getattr(product, identifier)
        found = tuple(
            index
            for index, line in enumerate(lines)
            if said is not None and getattr(line, identifier) == said
        )
        if found:
            return found
    raise CommandRefused(
        Reason.PRODUCT_UNKNOWN,
        f"The parcel holds {name_of(product)}, which the order does not have.",
        pointer,
    )


def _take(left: list[int], matches: tuple[int, ...], product: Product, pointer: str | None) -> None:
    wanted = max(0, product.quantity)
    for index in matches:
        taken = min(wanted, left[index])
        left[index] -= taken
        wanted -= taken
    if wanted > 0:
        raise CommandRefused(
            Reason.QUANTITY_ABOVE_ORDERED,
            f"The parcels would hold {wanted} more of {name_of(product)} than was ordered.",
            pointer,
        )


def name_of(product: BundledProduct) -> str:
    """The product in words, by the first identifier it has."""
    for identifier in _IDENTIFIERS:
        said = getattr(product, identifier)
        if said is not None:
            return f"{identifier} {said!r}"
    return "a product without line_id, variant_id, sku or title"
