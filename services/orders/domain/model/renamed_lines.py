"""Renamed lines: goods in parcels keep the order line that they were matched to when it is renamed.

A shop may give a line another sku or title after it was packed. The parcel's list still has the
former name, which no line has any more; its goods then get the names that their line has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from services.orders.domain.model.matching import IDENTIFIERS, identity
from services.orders.domain.model.order import BundledProduct, Order, Product, Shipment
from services.orders.domain.value import replace

_Place: TypeAlias = tuple[int, int | None]
"""Position of a line, and of a part of its bundle; None for the line itself."""
_Index: TypeAlias = Mapping[tuple[str, str], Sequence[_Place]]


def with_new_names(order: Order, former: Sequence[Product], except_in: Collection[str]) -> Order:
    """The order with goods that no line has named as the line that they had in `former`.

    Parcels whose ids are in `except_in` stay as they are.

    Two lines are the same one if they agree in the first identifier that both have. Goods that
    fitted several lines, or whose line is gone, keep their name.
    """
    if not any(not each.is_known for shipment in order.shipments for each in shipment.not_ordered):
        return order
    ordered = order.placement.products
    before, after = _index(former), _index(ordered)
    shipments = tuple(
        each if each.shipment_id in except_in else _renamed(each, former, before, ordered, after)
        for each in order.shipments
    )
    return order if shipments == order.shipments else replace(order, shipments=shipments)


def _renamed(
    shipment: Shipment,
    former: Sequence[Product],
    before: _Index,
    ordered: Sequence[Product],
    after: _Index,
) -> Shipment:
    products = list(shipment.products or ())
    for each in shipment.not_ordered:
        had = _find(products[each.product], before) if not each.is_known else ()
        line = _successor(_at(former, had[0]), ordered, after) if len(had) == 1 else None
        if line is not None:
            names = {name: getattr(line, name) for name in IDENTIFIERS}
            products[each.product] = replace(products[each.product], **names)
    return replace(shipment, products=tuple(products)) if shipment.not_ordered else shipment


def _index(lines: Sequence[Product]) -> _Index:
    """The lines and parts of bundles that each identifier names."""
    found: dict[tuple[str, str], list[_Place]] = {}
    for place, product in _places(lines):
        for name in IDENTIFIERS:
            said = identity(name, getattr(product, name))
            if said is not None:
                found.setdefault((name, said), []).append(place)
    return found


def _places(lines: Sequence[Product]) -> Iterator[tuple[_Place, BundledProduct]]:
    for at, line in enumerate(lines):
        yield (at, None), line
        for part, product in enumerate(line.bundled_products):
            yield (at, part), product


def _at(lines: Sequence[Product], place: _Place) -> BundledProduct:
    line, part = place
    return lines[line] if part is None else lines[line].bundled_products[part]


def _find(product: BundledProduct, index: _Index) -> Sequence[_Place]:
    """Where a product is, by the first of its identifiers that is known there."""
    for name in IDENTIFIERS:
        said = identity(name, getattr(product, name))
        if said is not None and (found := index.get((name, said))):
            return found
    return ()


def _successor(
    line: BundledProduct, ordered: Sequence[Product], after: _Index
) -> BundledProduct | None:
    """The only line, or part, that is the same one as a former; None where there is none."""
    found = [_at(ordered, place) for place in _find(line, after)]
    same = [each for each in found if _is_same(line, each)]
    return same[0] if len(same) == 1 else None


def _is_same(line: BundledProduct, other: BundledProduct) -> bool:
    for name in IDENTIFIERS:
        one, another = (identity(name, getattr(each, name)) for each in (line, other))
        if one is not None and another is not None:
            return one == another
    return False
