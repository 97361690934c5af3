"""Opening a claim: what must be known first, what is not allowed, and what is a duplicate."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from msgspec.structs import replace

from services.claims.domain import goods, held_goods, limits
from services.claims.domain.claim import Claim, ClaimedShipment, ClaimReason, Status, StatusChange
from services.claims.domain.commands import OpenClaim
from services.claims.domain.decision import Action, ClaimEvent, Decision, OrderClaims, Outcome
from services.claims.domain.ids import Uuid, claim_id, digest
from services.claims.domain.named_goods import match_products
from services.claims.domain.order_copy import OrderCopy, Shipment
from services.claims.domain.reasons import NoChangeReason, NotYet, RejectionReason, RuleBroken
from services.claims.domain.references import order_key


def decide_opening(state: OrderClaims, command: OpenClaim, now: datetime) -> Decision:
    """Decide a `claim.open` on a known order.

    Raises:
        NotYet: the order, the parcel, its number or its delivery is not known yet.
        RuleBroken: the claim is not allowed.
    """
    if repeat := find_repeat(state, command):
        return repeat
    order = state.order
    _check_order(order, command)
    shipment = _shipment(order, command)
    selection = goods.selection_hash(command.selected_items)
    duplicate = find_open_duplicate(state, command.reason, shipment, selection)
    if duplicate:
        return _duplicate(duplicate.claim_id, claim=duplicate.with_applied(command.item_id))
    limits.check_evidence(command.evidence, command.selected_items)
    limits.check_size(command.description, command.selected_items, command.evidence)
    claimed = _claimed_goods(state, shipment, command)
    return _opened(state, command, shipment, claimed, now)


def find_repeat(state: OrderClaims, command: OpenClaim) -> Decision | None:
    """The decision of a command that was applied to the order before, None of another one."""
    identity = claim_id(state.order.order_id, command.item_id)
    for known in state.claims.values():  # Whether still open or not.
        if known.claim_id == identity or known.has_applied(command.item_id):
            return _duplicate(known.claim_id)
    return _repeat(state.order) if state.has_applied(command.item_id) else None


def find_open_duplicate(
    state: OrderClaims,
    reason: ClaimReason,
    shipment: Shipment | ClaimedShipment | None,
    items_hash: str,
) -> Claim | None:
    """The open claim for the same reason and items of the same parcel, if there is one."""
    shipment_id = shipment.shipment_id if shipment else None
    for claim in state.claims.values():
        same_parcel = (claim.shipment.shipment_id if claim.shipment else None) == shipment_id
        same_problem = claim.reason is reason and claim.items_hash == items_hash
        if claim.is_open and same_parcel and same_problem:
            return claim
    return None


def check_available(wanted: Counter[str], state: OrderClaims, shipment: Shipment) -> None:
    """Check that the wanted quantities can still be claimed.

    Raises:
        RuleBroken: more of a product is wanted than is left.
    """
    products = goods.contents(state.order, shipment)
    left = held_goods.left_to_claim(state.order, shipment, state.claims.values())
    shipped = goods.pieces(products)
    for key, count in wanted.items():
        found, taken = goods.take(key, count, products, left)
        if found < count:
            raise RuleBroken(
                RejectionReason.QUANTITY_ABOVE_SHIPPED,
                "/selected_items",
                wanted=count,
                item=key.split("/", 1)[1],
                left=found,
                shipped=goods.take(key, count, products, shipped)[0],
            )
        left -= taken


def _duplicate(known: Uuid, claim: Claim | None = None) -> Decision:
    detail = f"claim {known} was opened for this already"
    return Decision(
        outcome=Outcome.NO_CHANGE,
        reason=NoChangeReason.DUPLICATE,
        detail=detail,
        claim=claim,
        claim_id=known,
    )


def _repeat(order: OrderCopy) -> Decision:
    """An opening that was answered with a claim that no longer names it."""
    detail = f"already applied to a claim of order {order.order_id}"
    return Decision(outcome=Outcome.NO_CHANGE, reason=NoChangeReason.DUPLICATE, detail=detail)


def _check_order(order: OrderCopy, command: OpenClaim) -> None:
    reference = command.order
    facts = {"shop": reference.shop, "kind": reference.kind, "value": reference.value}
    if not order.is_seen:
        raise NotYet(order_key(order.order_id), RejectionReason.ORDER_NOT_FOUND, "/id", **facts)
    if order.shop != reference.shop:  # Named by UUID, but an order of another shop.
        raise RuleBroken(RejectionReason.ORDER_NOT_FOUND, "/id", **facts)


def _shipment(order: OrderCopy, command: OpenClaim) -> Shipment | None:
    """The parcel the claim is about; None for a support claim that names none."""
    pointer = "/shipment_id" if command.shipment_id else "/tracking_number"
    named = command.shipment_id or command.tracking_number
    if named is None:
        if command.reason is ClaimReason.SUPPORT and not command.selected_items:
            return None
        raise RuleBroken(RejectionReason.SHIPMENT_NOT_NAMED, "/shipment_id")
    later = order_key(order.order_id)
    shipment = order.shipment(command.shipment_id, command.tracking_number)
    if shipment is None:
        names = " and ".join(n for n in (command.shipment_id, command.tracking_number) if n)
        facts = {"order": order.order_number, "shipment": names}
        raise NotYet(later, RejectionReason.SHIPMENT_NOT_FOUND, pointer, **facts)
    _check_phase(shipment, command, later, pointer)
    return shipment


def _check_phase(shipment: Shipment, command: OpenClaim, later: str, pointer: str) -> None:
    about_goods = command.reason is not ClaimReason.SUPPORT or bool(command.selected_items)
    if about_goods and not shipment.is_shipped:
        raise NotYet(later, RejectionReason.NOT_SHIPPED, pointer, shipment=shipment.shipment_id)
    is_ended = shipment.is_delivered or shipment.given_up is not None
    if command.reason is ClaimReason.INVESTIGATION and not is_ended:
        facts = {"shipment": shipment.shipment_id, "phase": shipment.phase}
        raise NotYet(later, RejectionReason.NOT_DELIVERED, "/reason", **facts)


def _claimed_goods(
    state: OrderClaims, shipment: Shipment | None, command: OpenClaim
) -> Counter[str]:
    """The goods the claim holds: the selected items, or all that is left of the whole parcel.

    A support claim moves neither goods nor money, so it holds nothing; its items must have been in
    the parcel.
    """
    if shipment is None:
        return Counter()
    if command.reason is ClaimReason.SUPPORT:
        _check_shipped(state.order, shipment, command)
        return Counter()
    wanted = match_products(command.selected_items, state.order, shipment)
    if wanted:
        check_available(wanted, state, shipment)
        return wanted
    return _whole_parcel(state, shipment, command)


def _check_shipped(order: OrderCopy, shipment: Shipment, command: OpenClaim) -> None:
    """Check that the items were in the parcel, ordered or not."""
    try:
        wanted = match_products(command.selected_items, order, shipment)
        check_available(wanted, OrderClaims(order=order), shipment)
    except RuleBroken:
        if not shipment.products:
            raise
        as_listed = replace(shipment, lines=None, shares_with=None)
        wanted = match_products(command.selected_items, order, as_listed)
        listed = replace(order, products=())  # What was ordered sets no bound here.
        check_available(wanted, OrderClaims(order=listed), as_listed)


def _whole_parcel(state: OrderClaims, shipment: Shipment, command: OpenClaim) -> Counter[str]:
    if command.reason is ClaimReason.PARTIAL_DAMAGE:
        raise RuleBroken(RejectionReason.ITEMS_NOT_SELECTED, "/selected_items")
    products = goods.contents(state.order, shipment)
    left = held_goods.left_to_claim(state.order, shipment, state.claims.values())
    is_known = bool(products) or shipment.lines is not None
    if is_known and not left.total():
        raise RuleBroken(
            RejectionReason.NOTHING_LEFT_TO_CLAIM, "/selected_items", shipment=shipment.shipment_id
        )
    return goods.everything(products, left)


def _opened(
    state: OrderClaims,
    command: OpenClaim,
    shipment: Shipment | None,
    claimed: Counter[str],
    now: datetime,
) -> Decision:
    order = state.order
    claim = Claim(
        claim_id=claim_id(order.order_id, command.item_id),
        order_id=order.order_id,
        order_number=order.order_number,
        shop=order.shop,
        shipment=_claimed_shipment(shipment),
        reason=command.reason,
        resolution_preference=command.resolution_preference,
        description=command.description,
        selected_items=command.selected_items,
        items_hash=goods.selection_hash(command.selected_items),
        holds=held_goods.hold(claimed, order, shipment, state.claims.values()),
        evidence=command.evidence,
        dropoff_permission=command.dropoff_permission,
        history=(StatusChange(status=Status.PENDING, at=now),),
        created_at=now,
        updated_at=now,
        applied=(digest(command.item_id),),
    )
    event = ClaimEvent(
        action=Action.CREATED,
        claim=claim,
        sequence=state.sequence + 1,
        order_version=order.version,
    )
    return Decision(outcome=Outcome.APPLIED, claim=claim, event=event)


def _claimed_shipment(shipment: Shipment | None) -> ClaimedShipment | None:
    if shipment is None:
        return None
    return ClaimedShipment(
        shipment_id=shipment.shipment_id,
        tracking_number=shipment.tracking_number,
        carrier_reference=shipment.carrier_reference,
        phase=shipment.phase,
    )
