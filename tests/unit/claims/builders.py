"""Builders of orders, parcels, claims and commands with default members."""

from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

from services.claims.domain.claim import Claim, ClaimedShipment, ClaimItem, ClaimReason, Status
from services.claims.domain.commands import OpenClaim, OrderReference, UpdateClaim, WithdrawClaim
from services.claims.domain.decision import OrderClaims
from services.claims.domain.goods import selection_hash
from services.claims.domain.held_goods import held_by_key
from services.claims.domain.ids import order_id
from services.claims.domain.named_goods import match_products
from services.claims.domain.order_copy import OrderCopy, Product, Shipment

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
SHOP = "demo-shop"
MUG = Product(sku="MUG-BLUE", variant_id="v-1", title="Blue mug", quantity=3)
TEE = Product(sku="TEE-M", title="T-shirt", quantity=2)


def an_id(text: object) -> str:
    return str(uuid5(NAMESPACE_OID, str(text)))


def a_shipment(number: int = 1, **changes) -> Shipment:
    members = {
        "shipment_id": an_id(f"shipment {number}"),
        "tracking_number": f"1Z-00{number}",
        "carrier_reference": "ups",
        "phase": "delivered",
        "delivered_at": NOON,
    }
    return Shipment(**{**members, **changes})


def a_draft(number: int = 1) -> Shipment:
    return a_shipment(number, tracking_number=None, phase="order_created", delivered_at=None)


def an_order(*shipments: Shipment, **changes) -> OrderCopy:
    members = {
        "order_id": order_id(SHOP, "1001"),
        "shop": SHOP,
        "order_number": "1001",
        "external_id": "gid-1",
        "version": 4,
        "status": "fulfilled",
        "products": (MUG, TEE),
        "shipments": shipments or (a_shipment(),),
    }
    return OrderCopy(**{**members, **changes})


def a_state(*claims: Claim, order: OrderCopy | None = None, sequence: int = 0) -> OrderClaims:
    by_id = {claim.claim_id: claim for claim in claims}
    return OrderClaims(order=order or an_order(), claims=by_id, sequence=sequence)


def items(**quantities: int) -> tuple[ClaimItem, ...]:
    """`items(MUG_BLUE=1)`: skus with _ for -, and how many of each."""
    return tuple(
        ClaimItem(sku=sku.replace("_", "-"), quantity=count) for sku, count in quantities.items()
    )


def an_opening(name: object = "open", **changes) -> OpenClaim:
    members = {
        "item_id": an_id(name),
        "order": OrderReference(SHOP, "order_number", "1001"),
        "tracking_number": "1Z-001",
        "reason": ClaimReason.DAMAGE,
    }
    return OpenClaim(**{**members, **changes})


def an_update(name: object = "update", **changes) -> UpdateClaim:
    members = {"item_id": an_id(name), "shop": SHOP, "claim_id": an_id("claim")}
    return UpdateClaim(**{**members, **changes})


def a_withdrawal(name: object = "withdraw", **changes) -> WithdrawClaim:
    members = {"item_id": an_id(name), "shop": SHOP, "claim_id": an_id("claim")}
    return WithdrawClaim(**{**members, **changes})


def a_claim(name: object = "claim", **changes) -> Claim:
    """A claim on two of the order's three mugs; granted if its status is accepted."""
    selected = changes.pop("selected_items", items(MUG_BLUE=2))
    parcel = a_shipment()
    members = {
        "claim_id": an_id(name),
        "order_id": order_id(SHOP, "1001"),
        "order_number": "1001",
        "shop": SHOP,
        "shipment": ClaimedShipment(
            shipment_id=parcel.shipment_id, tracking_number="1Z-001", phase="delivered"
        ),
        "reason": ClaimReason.DAMAGE,
        "selected_items": selected,
        "items_hash": selection_hash(selected),
        "holds": held_by_key(match_products(selected, an_order(), parcel)),
        "is_granted": changes.get("status") is Status.ACCEPTED,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Claim(**{**members, **changes})
