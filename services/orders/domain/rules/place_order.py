"""Place an order, and change its placement fields (`order.place`, `order.upsert`)."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from services.orders.domain.events.conclude import conclude
from services.orders.domain.events.order_events import changed_fields
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import (
    PlacementFields,
    PlaceOrder,
    UpsertOrder,
)
from services.orders.domain.model.contents import has_contents
from services.orders.domain.model.ids import Uuid, order_id_of
from services.orders.domain.model.order import Address, Order, OrderStatus, Placement
from services.orders.domain.model.reasons import CommandRefused, Reason, Unchanged
from services.orders.domain.model.references import Reference, ReferenceKind, direct_id
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.rules.acceptance import (
    accept,
    check_not_repeated,
    check_not_stale,
    find,
    find_alone,
    is_stale,
    require,
)
from services.orders.domain.rules.address import merge_address
from services.orders.domain.rules.analytics import merge_analytics
from services.orders.domain.rules.attach_trackings import attach_all, new_parcels_of
from services.orders.domain.rules.contacts import warn_of_late_contact, with_contacts
from services.orders.domain.rules.erased import check_not_erased
from services.orders.domain.rules.parcel_contents import pack
from services.orders.domain.rules.repeats import remember
from services.orders.domain.rules.replace_number import replace_numbers
from services.orders.domain.rules.shared_names import is_bearer, warn_of_shared_name
from services.orders.domain.rules.shipment_count import check_expected, recount
from services.orders.domain.tracking.catalogue import PRE_TRANSIT_GROUP
from services.orders.domain.tracking.notifications import is_fresh
from services.orders.domain.value import fields, replace

_MERGED = tuple(
    each.name for each in fields(Placement) if each.name not in ("order_number", "address")
)

_read_merged = attrgetter(*_MERGED)

_EXPECTED = "/order/expected_number_of_shipments"


def place(recorder: Recorder, command: PlaceOrder) -> Uuid:
    """Create an order (`order.place`). The same again is no difference, another one is refused."""
    said = command.order
    held = find(recorder, Reference(command.shop, ReferenceKind.ORDER_NUMBER, said.order_number))
    if held is not None:
        check_not_stale(held, command)
    check_references(recorder, command.shop, said)
    check_expected(said.expected_number_of_shipments, _EXPECTED)
    if held is None:
        placed = _new_order(recorder, command.shop, said)
        if said.order_name is not None:
            warn_of_shared_name(recorder, None, placed, "/order/order_name")
        placed = merge_analytics(placed, command, said.order_analytics, said.analytics_nulls)
        placed = with_contacts(recorder, None, placed, said)
        warn_of_late_contact(recorder, placed, said.order_analytics, "/order/order_analytics")
        return conclude(recorder, None, accept(recount(placed), command))
    changed = _merged(held, said)
    changed = merge_analytics(changed, command, said.order_analytics, said.analytics_nulls)
    if changed_fields(held, recount(changed)):
        raise CommandRefused(
            Reason.ORDER_EXISTS,
            f"Order {said.order_number!r} exists and differs; send order.upsert to change it.",
            "/order/order_number",
        )
    return conclude(recorder, held, accept(held, command))


def upsert(recorder: Recorder, command: UpsertOrder) -> Uuid:
    """Create or change an order, trackings and attribution with it (`order.upsert`)."""
    held = order = _held(recorder, command)
    if held is not None:
        check_not_repeated(held, command)
        if is_stale(command, held.source_version, held.updated_at):
            order = _with_old_contacts(recorder, held, command)
            rest = new_parcels_of(recorder, held, command)
            if rest is None:
                return _end_old(recorder, held, order, command)
            command = rest
    said = command.order
    if said is not None:
        check_consistent(recorder, command, said, held)
        check_expected(said.expected_number_of_shipments, _EXPECTED)
        check_still_open(held, said.expected_number_of_shipments, _EXPECTED)
        said = _with_reference(said, command.reference)
    order = _described(recorder, command, order, said)
    if command.trackings:
        order = replace_numbers(recorder, order, command)
        order = attach_all(recorder, order, command.trackings)
    if command.order_analytics is not None:
        order = merge_analytics(order, command, command.order_analytics, command.analytics_nulls)
        warn_of_late_contact(recorder, order, command.order_analytics, "/order_analytics")
    elif said is not None and said.order_analytics is not None:
        order = merge_analytics(order, command, said.order_analytics, said.analytics_nulls)
        warn_of_late_contact(recorder, order, said.order_analytics, "/order/order_analytics")
    order = recount(order)
    if has_contents(order):
        order = _packed(recorder, held, order, command)
    return conclude(recorder, held, accept(order, command))


def _described(
    recorder: Recorder, command: UpsertOrder, held: Order | None, said: PlacementFields | None
) -> Order:
    """The order as the command describes it, a new one where there is none.

    Raises:
        NotYet: there is none, and the command does not describe one.
    """
    if said is None:
        return held if held is not None else require(recorder, command.reference)
    order = _merged(held, said) if held is not None else _new_order(recorder, command.shop, said)
    if order.placement.order_name is not None:
        is_inside = command.order is not None and command.order.order_name is not None
        warn_of_shared_name(recorder, held, order, "/order/order_name" if is_inside else "/id")
    if said.segments is not None or said.referral is not None:
        order = with_contacts(recorder, held, order, said)
    return order


def _with_old_contacts(recorder: Recorder, held: Order, command: UpsertOrder) -> Order:
    said = command.order
    return held if said is None else with_contacts(recorder, held, held, said)


def _end_old(recorder: Recorder, held: Order, order: Order, command: UpsertOrder) -> Uuid:
    """End a command that is older than the order and brings no parcel; its contacts are kept.

    Raises:
        Unchanged: nothing changes that an event says.
    """
    if order is not held:
        conclude(recorder, held, remember(order, command))
    if not recorder.events and not recorder.is_applied:
        raise Unchanged(Reason.STALE)
    return held.order_id


def _packed(recorder: Recorder, held: Order | None, order: Order, command: UpsertOrder) -> Order:
    """The order with its parcels' contents matched again."""
    pointers: dict[str, str] = {}
    if any(each.products for each in command.trackings):
        ids = {each.number: each.shipment_id for each in order.shipments if each.number}
        pointers = {
            ids[normalise_number(each.tracking_number)]: f"{each.pointer(index)}/products"
            for index, each in enumerate(command.trackings)
            if each.products
        }
    other = "/trackings" if command.trackings else "/order/products"
    return pack(recorder, held, order, pointers, other)


def _held(recorder: Recorder, command: UpsertOrder) -> Order | None:
    """The order that the command is about: by its reference, else by the number inside.

    Beside a number, an order name only describes the order.
    """
    said, reference = command.order, command.reference
    if said is None:
        return find_alone(recorder, reference)
    number = Reference(command.shop, ReferenceKind.ORDER_NUMBER, said.order_number)
    if reference.kind is ReferenceKind.ORDER_NAME:
        return find(recorder, number)
    held = find(recorder, reference)
    return find(recorder, number) if held is None and number != reference else held


def check_consistent(
    recorder: Recorder, command: UpsertOrder, said: PlacementFields, held: Order | None
) -> None:
    """Refuse a command whose references name two orders."""
    reference = command.reference
    own_id = order_id_of(command.shop, said.order_number)
    if held is not None and held.order_id != own_id:
        raise _conflict(
            f"{reference.kind} {reference.value!r} is order {held.order_number!r}, but the "
            f"command's order_number is {said.order_number!r}",
            "/order/order_number",
        )
    is_number = reference.kind is ReferenceKind.ORDER_NUMBER
    may_name = (
        reference.value == said.order_number
        if is_number
        else _may_name(recorder, reference, said, own_id)
    )
    if not may_name:
        raise _conflict(
            f"{reference.kind} {reference.value!r} does not name the order in the command "
            f"({said.order_number!r})",
            "/id",
        )
    check_references(recorder, command.shop, said)


def _may_name(
    recorder: Recorder, reference: Reference, said: PlacementFields, own_id: Uuid
) -> bool:
    """Whether a reference, no order number, can be one of the order that the command describes.

    An id that names an order names that one: this was checked before.
    """
    value = reference.value
    match reference.kind:
        case ReferenceKind.EXTERNAL_ID:
            return said.external_id in (None, value) or find(recorder, reference) is not None
        case ReferenceKind.ORDER_NAME:
            return said.order_name in (None, value) or is_bearer(recorder, reference, own_id)
        case _:
            return direct_id(reference) == own_id or find(recorder, reference) is not None


def check_references(recorder: Recorder, shop: str, said: PlacementFields) -> None:
    """Refuse an external id that another order has."""
    if said.external_id is None:
        return
    other = find(recorder, Reference(shop, ReferenceKind.EXTERNAL_ID, said.external_id))
    if other is not None and other.order_id != order_id_of(shop, said.order_number):
        raise _conflict(
            f"external_id {said.external_id!r} belongs to order {other.order_number!r} already",
            "/order/external_id",
        )


def _conflict(fact: str, pointer: str) -> CommandRefused:
    detail = f"{fact}; correct the one that is wrong."
    return CommandRefused(Reason.REFERENCE_CONFLICT, detail, pointer)


def _with_reference(said: PlacementFields, reference: Reference) -> PlacementFields:
    """A reference that the order inside leaves out counts as said."""
    if reference.kind is ReferenceKind.EXTERNAL_ID and said.external_id is None:
        return replace(said, external_id=reference.value)
    if reference.kind is ReferenceKind.ORDER_NAME and said.order_name is None:
        return replace(said, order_name=reference.value)
    return said


def _new_order(recorder: Recorder, shop: str, said: PlacementFields) -> Order:
    order_id = order_id_of(shop, said.order_number)
    if recorder.world.published:
        number = Reference(shop, ReferenceKind.ORDER_NUMBER, said.order_number)
        check_not_erased(recorder, number)
    placed_at = said.order_placed_at or recorder.now
    expected = said.expected_number_of_shipments
    expected = 1 if expected is None else expected
    may_be_old = said.is_placed_at_unread or not is_fresh(placed_at, recorder.now)
    return Order(
        order_id=order_id,
        shop=shop,
        placement=Placement(
            **{"order_placed_at": placed_at} | _said(said, Address()),
            order_number=said.order_number,
        ),
        status=OrderStatus.PLACED,
        is_imported=may_be_old
        and not (recorder.world.published and _has_notified(recorder, order_id)),
        version=0,
        order_sequence=0,
        shipment_sequence=0,
        expected_number_of_shipments=expected,
        expected_asked=expected,
    )


def _has_notified(recorder: Recorder, order_id: Uuid) -> bool:
    """Whether a customer was notified of the order when it came, before a restore."""
    if order_id not in recorder.world.published:
        return False
    return recorder.world.published[order_id].has_notified_of_order(PRE_TRANSIT_GROUP)


def _merged(order: Order, said: PlacementFields) -> Order:
    expected = said.expected_number_of_shipments
    expected = order.expected_asked if expected is None else expected
    return replace(order, placement=merge_placement(order.placement, said), expected_asked=expected)


def check_still_open(order: Order | None, expected: int | None, pointer: str) -> None:
    """Refuse to expect more shipments of a cancelled order; None was not said."""
    if order is None or expected is None or order.status is not OrderStatus.CANCELLED:
        return
    if expected > order.expected_number_of_shipments:
        raise CommandRefused(
            Reason.ORDER_CANCELLED,
            f"Order {order.order_number!r} is cancelled and cannot expect {expected} shipments; "
            "place a new order.",
            pointer,
        )


def merge_placement(held: Placement, said: PlacementFields) -> Placement:
    """What is said replaces; what is not said stays. Lists replace as a whole."""
    return replace(held, **_said(said, held.address))


def _said(said: PlacementFields, held: Address) -> dict[str, Any]:
    """Fields of a placement that are said, by name; the address merged with the held one."""
    values = zip(_MERGED, _read_merged(said), strict=True)
    given = {name: value for name, value in values if value is not None}
    if said.address is not None:
        given["address"] = merge_address(held, said.address, said.address_nulls)
    return given
