"""The commands a shop publishes on `orders.commands`, by their type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator

from .enums import IdType
from .model import ContractModel, about, refused
from .orders import (
    LINES_MAX,
    Address,
    OrderAnalytics,
    OrderPlacement,
    OrderTracking,
    Product,
)
from .repair import FACT
from .values import (
    CarrierReference,
    Line,
    Name,
    ReferenceOrNone,
    ShipmentCount,
    ShopSlug,
    SourceVersion,
    Timestamp,
    TrackingNumber,
    Url,
)

BULK_ITEMS_MAX = 1_000
TRACKINGS_MAX = 200


class Versioned(ContractModel):
    """How old the sender's knowledge is; what is older than the order's is not applied."""

    source_version: Annotated[
        SourceVersion | None, about("The sender's own rising version of the order", 3)
    ] = None
    updated_at: Annotated[
        Timestamp | None, about("When the sender's order last changed", "2026-03-01T09:30:05Z")
    ] = None


class Command(Versioned):
    """What every command says."""

    shop_slug: Annotated[ShopSlug, about("The shop", "demo-shop")]


class NamesOrder(ContractModel):
    """How a message names an order."""

    id: Annotated[Name, FACT, about("The order, by the kind of id below", "1001")]
    id_type: Annotated[IdType, FACT, about("What kind of id it is", "order_number")] = (
        IdType.ORDER_NUMBER
    )


class Fulfillment(NamesOrder):
    """Create, change or fulfil one order; the part a bulk item shares with `order.upsert`."""

    order: Annotated[
        OrderPlacement | None,
        FACT,
        about(
            "The order; absent: it must exist",
            {"order_number": "1001", "address": {"zip_code": "10115"}},
        ),
    ] = None
    trackings: Annotated[
        list[OrderTracking],
        FACT,
        Field(max_length=TRACKINGS_MAX),
        about("Parcels to attach", [{"tracking_number": "1Z999AA10123456784"}]),
    ] = Field(default_factory=list)
    order_analytics: Annotated[
        OrderAnalytics | None,
        about("What led to it; goes before the one inside `order`", {"campaign_code": "SPRING"}),
    ] = None


class OrderPlace(Command):
    """`order.place`: take a new order."""

    order: Annotated[
        OrderPlacement,
        about("The order", {"order_number": "1001", "address": {"zip_code": "10115"}}),
    ]


class OrderUpsert(Command, Fulfillment):
    """`order.upsert`: create or change an order and attach its parcels. The recommended command."""


class BulkFulfillment(Versioned, Fulfillment):
    """One item of `orders.fulfill_bulk`; checked and answered alone."""


class OrderUpdate(Command, NamesOrder):
    """`order.update`: change the address or the number of parcels to expect."""

    address: Annotated[
        Address | None,
        FACT,
        about("What changes of it: the place as one, else member by member", {"zip_code": "10117"}),
    ] = None
    expected_number_of_shipments: Annotated[
        ShipmentCount | None,
        FACT,
        about("New number, at most 100; absent: unchanged", 2, unit="parcels"),
    ] = None


class OrderCancel(Command, NamesOrder):
    """`order.cancel`: parcels not yet handed over will not come; the others go on."""

    reason: Annotated[Line | None, about("Why, in the shop's words", "customer request")] = None
    cancelled_at: Annotated[
        Timestamp | None, about("When; now if absent", "2026-03-01T12:00:00Z")
    ] = None


class ShipmentUpdate(Command, NamesOrder):
    """`shipment.update`: change one parcel. Absent skips a member, [] empties, a list replaces."""

    shipment_id: Annotated[
        UUID | None, FACT, about("The parcel", "5b0e2c1e-9c0f-5d3a-8a51-0f6f2b1f8d11")
    ] = None
    tracking_number: Annotated[
        TrackingNumber | None, FACT, about("The parcel, by its number", "1Z999AA10123456784")
    ] = None
    external_shipment_id: Annotated[
        ReferenceOrNone | None,
        FACT,
        about("The parcel, by the shop's id of it; tracking_number is then its new one", "ful-1"),
    ] = None
    carrier_reference: Annotated[
        CarrierReference | None, FACT, about("Its carrier from now on", "ups")
    ] = None
    tracking_url: Annotated[
        Url | None, about("The carrier's page", "https://carrier.example/t/1Z999AA10123456784")
    ] = None
    products: Annotated[
        list[Product] | None,
        FACT,
        Field(max_length=LINES_MAX),
        about("What is in it, instead of what was", [{"sku": "MUG-BLUE", "quantity": 1}]),
    ] = None

    @model_validator(mode="after")
    def _names_a_parcel(self) -> ShipmentUpdate:
        if (self.shipment_id, self.tracking_number, self.external_shipment_id) == (None,) * 3:
            raise refused(
                "name the parcel: shipment_id, tracking_number or external_shipment_id is needed"
            )
        return self


class ShipmentVoid(Command, NamesOrder):
    """`shipment.void`: take a tracking number off one order. Its shipment is a draft again."""

    shipment_id: Annotated[
        UUID | None, FACT, about("The parcel", "5b0e2c1e-9c0f-5d3a-8a51-0f6f2b1f8d11")
    ] = None
    tracking_number: Annotated[
        TrackingNumber | None, FACT, about("The parcel, by its number", "1Z999AA10123456784")
    ] = None
    external_shipment_id: Annotated[
        ReferenceOrNone | None, FACT, about("The parcel, by the shop's id of it", "ful-1")
    ] = None
    reason: Annotated[Line | None, about("Why, in the shop's words", "label misprinted")] = None
    force: Annotated[
        bool,
        FACT,
        about("True: also where the parcel was delivered; needs a reason", example=False),
    ] = False

    @model_validator(mode="after")
    def _names_a_parcel(self) -> ShipmentVoid:
        if (self.shipment_id, self.tracking_number, self.external_shipment_id) == (None,) * 3:
            raise refused(
                "name the parcel: shipment_id, tracking_number or external_shipment_id is needed"
            )
        return self


class OrdersFulfillBulk(Command):
    """`orders.fulfill_bulk`: many orders in one message, each item with its own outcome."""

    items: Annotated[
        list[Any],
        FACT,
        Field(min_length=1, max_length=BULK_ITEMS_MAX),
        about(
            "One BulkFulfillment each; one that is malformed never sinks the others",
            [{"id": "1001", "trackings": [{"tracking_number": "1Z999AA10123456784"}]}],
        ),
    ]


class OrderAnalyticsUpsert(Command, NamesOrder):
    """`order.analytics.upsert`: attach or change what led to the order. Null removes a key."""

    order_analytics: Annotated[
        OrderAnalytics, about("What led to it", {"campaign_code": "SPRING", "medium": "email"})
    ]
    replace: Annotated[
        bool,
        about("True: instead of all that is held; else keys not sent stay", example=False),
    ] = False


ORDER_PLACE = "order.place"
ORDER_UPSERT = "order.upsert"
ORDER_UPDATE = "order.update"
ORDER_CANCEL = "order.cancel"
SHIPMENT_UPDATE = "shipment.update"
SHIPMENT_VOID = "shipment.void"
ORDERS_FULFILL_BULK = "orders.fulfill_bulk"
ORDER_ANALYTICS_UPSERT = "order.analytics.upsert"

MODELS: Mapping[str, type[ContractModel]] = {
    ORDER_PLACE: OrderPlace,
    ORDER_UPSERT: OrderUpsert,
    ORDER_UPDATE: OrderUpdate,
    ORDER_CANCEL: OrderCancel,
    SHIPMENT_UPDATE: ShipmentUpdate,
    SHIPMENT_VOID: ShipmentVoid,
    ORDERS_FULFILL_BULK: OrdersFulfillBulk,
    ORDER_ANALYTICS_UPSERT: OrderAnalyticsUpsert,
}
