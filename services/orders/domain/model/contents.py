"""Contents: what is in the parcels of an order, as its lines.

Lists that the shop sent are matched to the order's lines when they change (`match_contents`), and
kept on the parcels.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.orders.domain.model.goods import NotOrdered, PackedLine
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.matching import Match, match
from services.orders.domain.model.order import Order, Product, Shipment
from services.orders.domain.value import replace


def match_contents(order: Order) -> Order:
    """Match the contents of all parcels to the order's lines again.

    The parcels are matched together. A parcel that is gone (lost, or going back) is matched by
    itself: its goods may be sent a second time. A delivery with several numbers repeats its list
    on each of them (Shopware does): the same list under one `external_shipment_id` is matched
    once, and the others refer to the parcel that has it. The result does not depend on the order
    in which the parcels came.
    """
    listed = sorted((each for each in order.shipments if each.products), key=_by_number)
    changed = {each.shipment_id: _with_lines(each, None) for each in order.shipments}
    ordered = order.placement.products
    if listed and ordered:
        heads = _heads(listed)
        own = [each for each in listed if each.shipment_id not in heads]
        together = [each for each in own if not each.is_gone]
        groups = [together, *([each] for each in own if each.is_gone)]
        for group in groups:
            for each in _matched(ordered, group):
                changed[each.shipment_id] = each
        for each in listed:
            if each.shipment_id in heads:
                changed[each.shipment_id] = _with_lines(each, (), head=heads[each.shipment_id])
    shipments = tuple([changed[each.shipment_id] for each in order.shipments])
    return order if shipments == order.shipments else replace(order, shipments=shipments)


def has_contents(order: Order) -> bool:
    """Whether a parcel has a list of its contents, or was matched while it had one."""
    for each in order.shipments:  # noqa: SIM110 - `any` makes a generator for every command
        if each.products or each.lines is not None:
            return True
    return False


def with_matches(order: Order) -> Order:
    """The order with its lists matched, also where a version that knew no lines stored them."""
    for each in order.shipments:
        if each.products and each.lines is None:
            return match_contents(order)
    return order


def _by_number(shipment: Shipment) -> tuple[bool, str, int]:
    """Ordinals follow the arrival of numbers; numbers do not."""
    return shipment.is_draft, shipment.number or "", shipment.ordinal


def _heads(listed: Iterable[Shipment]) -> dict[Uuid, Uuid]:
    """The parcels that repeat a delivery's list, each with the parcel that has it first."""
    first: dict[object, Uuid] = {}
    heads: dict[Uuid, Uuid] = {}
    for each in listed:
        delivery = each.external_shipment_id or each.delivery
        if delivery is None:
            continue
        head = first.setdefault((delivery, each.products), each.shipment_id)
        if head != each.shipment_id:
            heads[each.shipment_id] = head
    return heads


def _matched(ordered: tuple[Product, ...], shipments: list[Shipment]) -> Iterable[Shipment]:
    """The parcels with lines, matched together."""
    wanted = [product for each in shipments for product in each.products or ()]
    matches = iter(match(ordered, wanted))
    for each in shipments:
        found = [next(matches) for _ in each.products or ()]
        yield _with_lines(each, _added(found), _not_ordered(found))


def _with_lines(
    shipment: Shipment,
    lines: tuple[PackedLine, ...] | None,
    not_ordered: tuple[NotOrdered, ...] = (),
    head: Uuid | None = None,
) -> Shipment:
    if (shipment.lines, shipment.not_ordered, shipment.shares_with) == (lines, not_ordered, head):
        return shipment
    return replace(shipment, lines=lines, not_ordered=not_ordered, shares_with=head)


def _added(matches: Iterable[Match]) -> tuple[PackedLine, ...]:
    """The lines of all products of a parcel, each line and part once, in the order's order."""
    counts: dict[tuple[int, int], int] = {}
    for each in matches:
        for packed in each.lines:
            place = (packed.line, -1 if packed.part is None else packed.part)
            counts[place] = counts.get(place, 0) + packed.quantity
    return tuple(
        PackedLine(line=line, part=None if part < 0 else part, quantity=counts[line, part])
        for line, part in sorted(counts)
    )


def _not_ordered(matches: Iterable[Match]) -> tuple[NotOrdered, ...]:
    return tuple(
        NotOrdered(product=place, quantity=each.left, is_known=each.is_known)
        for place, each in enumerate(matches)
        if each.left
    )
