"""OrderCopy: what the claims service needs of an order, from the events of the orders service."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from services.claims.domain.ids import Uuid
from services.claims.domain.tracking_number import normalise_number

DELIVERED = "delivered"
NOT_SEEN = 0
"""The version of an order that a command named and of which no event was read yet."""


class Product(Struct, frozen=True, kw_only=True):
    """A line of an order or of a parcel."""

    sku: str | None = None
    variant_id: str | None = None
    title: str | None = None
    line_id: str | None = None
    quantity: int = 1
    parts: tuple[Product, ...] = ()
    """What is in one bundle, with the quantities of one; () for a product that is no bundle."""


class Shipment(Struct, frozen=True, kw_only=True):
    """A parcel, or a draft of one while it has no tracking number."""

    shipment_id: Uuid
    tracking_number: str | None = None
    carrier_reference: str | None = None
    phase: str | None = None
    delivered_at: datetime | None = None
    products: tuple[Product, ...] | None = None
    """None: all products of the order. (): no product is known to be in the parcel."""
    lines: tuple[Product, ...] | None = None
    """The lines of the order that are in the parcel, with the quantities in it; None: not said."""
    shares_with: Uuid | None = None
    """The parcel whose lines are the contents of both together."""
    given_up: str | None = None
    """The event by which the carrier gave the parcel up."""

    @property
    def is_shipped(self) -> bool:
        """Whether the parcel has a tracking number."""
        return self.tracking_number is not None

    @property
    def is_delivered(self) -> bool:
        """Whether the carrier reported the parcel as delivered."""
        return self.phase == DELIVERED or self.delivered_at is not None


class OrderCopy(Struct, frozen=True, kw_only=True):
    """An order as in the event with order version `version`."""

    order_id: Uuid
    shop: str = ""
    order_number: str = ""
    external_id: str | None = None
    order_name: str | None = None
    version: int = NOT_SEEN
    status: str | None = None
    products: tuple[Product, ...] = ()
    shipments: tuple[Shipment, ...] = ()

    @property
    def is_seen(self) -> bool:
        """Whether at least one event of the order was read."""
        return self.version > NOT_SEEN

    def shipment(self, shipment_id: Uuid | None, tracking_number: str | None) -> Shipment | None:
        """The first parcel with the given id and number (None matches any), or None."""
        number = normalise_number(tracking_number) if tracking_number else None
        for shipment in self.shipments:
            same_id = shipment_id is None or shipment.shipment_id == shipment_id
            same_number = number is None or (
                shipment.tracking_number is not None
                and number == normalise_number(shipment.tracking_number)
            )
            if same_id and same_number:
                return shipment
        return None


def newest_copies(copies: Iterable[OrderCopy]) -> dict[Uuid, OrderCopy]:
    """For each order the copy with the greatest version; the order of `copies` does not matter."""
    found: dict[Uuid, OrderCopy] = {}
    for copy in copies:
        known = found.get(copy.order_id)
        if known is None or copy.version > known.version:
            found[copy.order_id] = copy
    return found
