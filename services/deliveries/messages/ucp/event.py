"""What of an event the order of the Universal Commerce Protocol is made of.

Times stay the text that they are on Kafka. Members that are not read may have any form.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct


class Eta(Struct, gc=False):
    """When a parcel is expected: days or times."""

    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None


class Packed(Struct, gc=False):
    """Pieces of a line of the order in a parcel; with `part`, of one part of a bundle."""

    line: int
    quantity: int
    part: int | None = None


class Parcel(Struct, gc=False):
    """A parcel of `context.shipments`."""

    shipment_id: str
    draft: bool = False
    tracking_number: str | None = None
    carrier_reference: str | None = None
    tracking_url: str | None = None
    phase: str = ""
    eta: Eta | None = None
    first_scan_at: str | None = None
    delivered_at: str | None = None
    tracking_placed_at: str | None = None
    given_up: str | None = None
    lines: list[Packed] | None = None
    products: list[Any] | None = None


class Image(Struct, gc=False):
    """A picture of a product."""

    src: str | None = None


class Part(Struct, gc=False):
    """One part of a bundle; `quantity` is that of one bundle."""

    quantity: int = 1


class Line(Struct, gc=False):
    """A line of the order."""

    line_id: str | None = None
    variant_id: str | None = None
    product_id: str | None = None
    sku: str | None = None
    title: str | None = None
    quantity: int = 1
    price: Decimal | None = None
    images: list[Image] | None = None
    bundled_products: list[Part] | None = None


class Counts(Struct, gc=False):
    """Where the pieces of a line or part are."""

    ordered: int = 0
    remaining: int = 0
    shipped: int = 0
    delivered: int = 0
    returned: int = 0


class PartCounts(Counts, gc=False, kw_only=True):
    """Where the pieces of one part of a bundle are."""

    part: int


class LineCounts(Counts, gc=False, kw_only=True):
    """Where the pieces of a line are; of a bundle whole bundles."""

    line: int
    parts: Sequence[PartCounts] = ()


class Address(Struct, gc=False):
    """Where the order goes."""

    address_line_2: str | None = None
    street: str | None = None
    address_line_1: str | None = None
    city: str | None = None
    zip_code: str | None = None
    province: str | None = None
    province_code: str | None = None
    country: str | None = None
    country_code: str | None = None
    phone: str | None = None


class Customer(Struct, gc=False):
    """Who ordered."""

    first_name: str | None = None
    last_name: str | None = None


class Order(Struct, gc=False):
    """`context.order`."""

    order_number: str
    external_id: str | None = None
    order_name: str | None = None
    status: str = ""
    cancelled_at: str | None = None
    promised_delivery_date: str | None = None
    total_order_price: Decimal | None = None
    shipping_price: Decimal | None = None
    sub_total_price: Decimal | None = None
    discount_price: Decimal | None = None
    currency: str | None = None
    products: list[Line] = []
    address: Address | None = None
    order_analytics: dict[str, Any] | None = None
    ledger: list[LineCounts] | None = None


class Claim(Struct, gc=False):
    """A claim of `context.claims`."""

    claim_id: str
    status: str | None = None
    reason: str | None = None
    created_at: str | None = None


class Context(Struct, gc=False):
    """The order after what caused the event."""

    order: Order | None = None
    customer: Customer | None = None
    shipments: list[Parcel] = []
    claims: list[Claim] = []


class Data(Struct, gc=False):
    """`event_data` of an event of a parcel; of other events without `shipment_id`."""

    event_name: str = ""
    shipment_id: str | None = None
    tracking_number: str | None = None
    carrier_reference: str | None = None
    tracking_url: str | None = None
    occurred_at: str | None = None
    phase: str | None = None
    shipment_phase: str | None = None
    previous_phase: str | None = None


class OrderEvent(Struct, gc=False):
    """An event with the order that it carries."""

    source: str
    event_id: str
    order_id: str
    triggered_at: str
    event_data: Data
    context: Context = msgspec.field(default_factory=Context)
    context_truncated: bool = False

    @property
    def order(self) -> Order | None:
        """The whole order; None where the event carries none, or only a part of it."""
        return None if self.context_truncated else self.context.order


_EVENT = msgspec.json.Decoder(OrderEvent)


def read_order_event(value: bytes) -> OrderEvent | None:
    """The event in the bytes of a record; None where it is not as the contract has it."""
    try:
        return _EVENT.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
