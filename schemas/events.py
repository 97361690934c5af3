"""The events that are published: order, shipment and claim events, by their type.

Readers' models: unknown words and members never fail. `schemas.context` holds the snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from .attribution import CampaignChoice, Credit
from .claims import ClaimEventData
from .context import CLAIM, EVENT, NUMBER, ORDER, SHIPMENT, WHEN, Context, Eta
from .model import ContractModel, about
from .values import WholeNumber


class Event(ContractModel):
    """What every event says; the names are Karla's where Karla has one."""

    source: Annotated[str, about("orders, shipments or claims", "shipments")]
    ref: Annotated[
        str,
        about(
            "orders/{event_name}, shipments/{phase}/{event_name} or claims/{action}",
            "shipments/in_transit/PICKED_UP_BY_CARRIER",
        ),
    ]
    event_name: Annotated[str, about("What happened", "PICKED_UP_BY_CARRIER")]
    event_group: Annotated[
        str | None, about("Bucket for notifications; none: notify nobody", "shipment_in_transit")
    ] = None
    version: Annotated[WholeNumber, about("Version of this form", 1)] = 1
    triggered_at: Annotated[AwareDatetime, about("When it was decided", WHEN)]
    shop_slug: Annotated[str, about("The shop", "demo-shop")]
    event_id: Annotated[UUID, about("Id of the event; a repeat carries it again", EVENT)]
    order_id: Annotated[UUID, about("The order", ORDER)]
    sequence: Annotated[
        WholeNumber, about("Number among the order's events on this topic, from 1", 2)
    ]
    order_version: Annotated[
        WholeNumber | None,
        about("The order's version, one step per event of orders and shipments", 3),
    ] = None
    context_truncated: Annotated[bool, about("The snapshot was cut to fit", example=False)] = False
    context: Annotated[
        Context, about("The order after what caused the event", {"shipments": [], "claims": []})
    ] = Field(default_factory=Context)


class OrderEventData(ContractModel):
    """What changed on the order."""

    event_id: Annotated[UUID, about("Id of the event", EVENT)]
    event_name: Annotated[str, about("What happened", "ORDER_FULFILLED")]
    event_group: Annotated[str | None, about("Bucket", "shipment_pre_transit")] = None
    status: Annotated[str, about("Status after it", "fulfilled")]
    previous_status: Annotated[str | None, about("Status before it", "placed")] = None
    changed_fields: Annotated[list[str], about("Members that changed", ["address"])] = Field(
        default_factory=list
    )
    shipment_ids: Annotated[list[UUID], about("Parcels it touches", [SHIPMENT])] = Field(
        default_factory=list
    )
    reason: Annotated[str | None, about("Why, for a cancellation", "customer request")] = None
    notify: Annotated[
        bool,
        about(
            "True: write to the customer; False: old, not true any more, or no group", example=True
        ),
    ] = False


class CampaignSelectedData(OrderEventData):
    """Which campaign the order's page shows from now on."""

    campaign: Annotated[
        CampaignChoice,
        about(
            "The choice after it",
            {"stage": "placement", "at": WHEN, "rule": "only_match", "campaign_id": "spring"},
        ),
    ]
    previous_campaign: Annotated[
        CampaignChoice | None,
        about("And before it", {"stage": "placement", "at": WHEN, "rule": "no_match"}),
    ] = None


class AttributionData(OrderEventData):
    """Which campaign is credited with the order from now on, and which was before.

    To keep sums by campaign, subtract `former_credit` and add `credit`, once for each
    `attribution_version` of an order.
    """

    attribution_version: Annotated[WholeNumber, about("Steps with every change, from 1", 2)]
    credit: Annotated[
        Credit | None,
        about(
            "After it; absent: no campaign",
            {
                "campaign_id": "spring",
                "method": "api",
                "confidence": "high",
                "revenue": "29.90",
                "currency": "EUR",
            },
        ),
    ] = None
    former_credit: Annotated[
        Credit | None,
        about(
            "Before it; absent: none",
            {
                "campaign_id": "winter",
                "method": "discount",
                "confidence": "medium",
                "revenue": "29.90",
                "currency": "EUR",
            },
        ),
    ] = None


class LastSequences(ContractModel):
    """The numbers of the last events that a snapshot has in it, by the `source` of the events."""

    orders: Annotated[WholeNumber, about("On orders.events; 0: none", 5)] = 0
    shipments: Annotated[WholeNumber, about("On shipments.events; 0: none", 7)] = 0
    claims: Annotated[WholeNumber, about("On claims.events; 0: none", 1)] = 0


class OrderSnapshotData(OrderEventData):
    """What a snapshot says beside the order itself."""

    last_sequences: Annotated[
        LastSequences | None,
        about(
            "Events up to these numbers are in it; absent in snapshots of earlier versions",
            {"orders": 5, "shipments": 7, "claims": 1},
        ),
    ] = None


class ShipmentEventData(ContractModel):
    """What happened to the parcel, and what it changed."""

    event_id: Annotated[UUID, about("Id of the event", EVENT)]
    event_name: Annotated[str, about("Name in the catalogue", "PICKED_UP_BY_CARRIER")]
    event_group: Annotated[str | None, about("Bucket", "shipment_in_transit")] = None
    shipment_id: Annotated[UUID, about("The parcel", SHIPMENT)]
    tracking_number: Annotated[str | None, about("The carrier's number", NUMBER)] = None
    carrier_reference: Annotated[str | None, about("Carrier key", "ups")] = None
    tracking_url: Annotated[str | None, about("Page", f"https://carrier.example/t/{NUMBER}")] = None
    direction: Annotated[str | None, about("Which way", "merchant_customer")] = None
    updated_at: Annotated[AwareDatetime | None, about("When the parcel changed", WHEN)] = None
    occurred_at: Annotated[AwareDatetime | None, about("When it happened", WHEN)] = None
    occurred_on: Annotated[
        date | None, about("Day of occurred_at, where only a day is known", "2026-03-02")
    ] = None
    timezone: Annotated[
        str | None,
        about("Zone of occurred_at at the place: IANA name, offset or UTC", "Europe/Berlin"),
    ] = None
    recorded_at: Annotated[AwareDatetime | None, about("When we took it in", WHEN)] = None
    tz_known: Annotated[
        bool,
        about("False: the carrier named no time zone, occurred_at was read as UTC", example=True),
    ] = True
    scan_id: Annotated[str | None, about("The scan behind it", "sc-1")] = None
    leg: Annotated[WholeNumber | None, about("1, or more if the parcel set out again", 1)] = None
    location: Annotated[dict[str, Any] | None, about("Where", {"city": "Leipzig"})] = None
    carrier_code: Annotated[str | None, about("The carrier's code", "PU")] = None
    carrier_text: Annotated[str | None, about("The carrier's words", "Picked up")] = None
    reason: Annotated[
        str | None, about("Why, for a failure; the shop's words for a void", "consignee_not_home")
    ] = None
    attempt: Annotated[WholeNumber | None, about("Delivery attempt", 1)] = None
    pickup: Annotated[dict[str, Any] | None, about("Where it waits", {"type": "shop"})] = None
    proof: Annotated[dict[str, Any] | None, about("Proof", {"signed_by": "A. Example"})] = None
    phase: Annotated[str | None, about("Phase the event stands for", "in_transit")] = None
    shipment_phase: Annotated[str | None, about("The parcel's phase after it", "in_transit")] = None
    previous_phase: Annotated[str | None, about("And before it", "order_processed")] = None
    flag: Annotated[str | None, about("Its flag after it", "normal")] = None
    previous_flag: Annotated[str | None, about("And before it", "normal")] = None
    eta: Annotated[Eta | None, about("Expected arrival after it", {"to": "2026-03-04"})] = None
    previous_eta: Annotated[Eta | None, about("And before it", {"to": "2026-03-05"})] = None
    changed_fields: Annotated[list[str], about("Members that changed", ["products"])] = Field(
        default_factory=list
    )
    notify: Annotated[
        bool,
        about(
            "True: write to the customer; False: old, not true any more, or notified before",
            example=True,
        ),
    ] = True
    released_by: Annotated[
        str | None,
        about("Of shipment.released: void or replace; move in events of earlier versions", "void"),
    ] = None
    reason_code: Annotated[
        str | None,
        about("Reason of this scan, of a list; absent: none is known", "consignee_not_home"),
    ] = None
    action_required: Annotated[
        bool, about("The addressee or the shop has to act, after it; absent: false", example=True)
    ] = False
    previous_action_required: Annotated[
        bool, about("And before it; absent: false", example=False)
    ] = False
    carrier_status: Annotated[
        str | None,
        about(
            "The sender's own name of this scan, such as a status; absent: none", "AttemptFail_002"
        ),
    ] = None


class OrderEvent(Event):
    """An event of the order itself."""

    event_data: Annotated[
        OrderEventData,
        about(
            "What changed",
            {"event_id": EVENT, "event_name": "ORDER_FULFILLED", "status": "fulfilled"},
        ),
    ]


class CampaignSelected(Event):
    """`order.campaign_selected`."""

    event_data: Annotated[
        CampaignSelectedData,
        about(
            "Which campaign",
            {
                "event_id": EVENT,
                "event_name": "ORDER_CAMPAIGN_SELECTED",
                "status": "placed",
                "campaign": {"stage": "placement", "at": WHEN, "rule": "no_match"},
            },
        ),
    ]


class OrderAttributed(Event):
    """`order.attributed` and `order.unattributed`."""

    event_data: Annotated[
        AttributionData,
        about(
            "Which credit",
            {
                "event_id": EVENT,
                "event_name": "ORDER_ATTRIBUTED",
                "status": "placed",
                "attribution_version": 1,
            },
        ),
    ]


class OrderSnapshot(Event):
    """The present state of an order; no fact."""

    event_data: Annotated[
        OrderSnapshotData,
        about(
            "How far it reaches",
            {"event_id": EVENT, "event_name": "ORDER_SNAPSHOT", "status": "fulfilled"},
        ),
    ]


class ShipmentEvent(Event):
    """An event of one parcel."""

    event_data: Annotated[
        ShipmentEventData,
        about(
            "What happened",
            {"event_id": EVENT, "event_name": "PICKED_UP_BY_CARRIER", "shipment_id": SHIPMENT},
        ),
    ]


class ClaimEvent(Event):
    """An event of one claim."""

    event_data: Annotated[
        ClaimEventData,
        about(
            "The claim",
            {"claim_id": CLAIM, "event_name": "created", "reason": "damage", "status": "pending"},
        ),
    ]


ORDER_SNAPSHOT = "order.snapshot"
"""Not a fact but the present state: it takes no number, and no notification is sent for it."""

ORDER_EVENTS: Mapping[str, type[ContractModel]] = {
    "order.placed": OrderEvent,
    "order.updated": OrderEvent,
    "order.partially_fulfilled": OrderEvent,
    "order.fulfilled": OrderEvent,
    "order.partially_delivered": OrderEvent,
    "order.delivered": OrderEvent,
    "order.expected_shipments_changed": OrderEvent,
    "order.cancelled": OrderEvent,
    "order.analytics_updated": OrderEvent,
    "order.campaign_selected": CampaignSelected,
    "order.attributed": OrderAttributed,
    "order.unattributed": OrderAttributed,
    ORDER_SNAPSHOT: OrderSnapshot,
}
SHIPMENT_EVENTS: Mapping[str, type[ContractModel]] = {
    "shipment.fulfilled": ShipmentEvent,
    "shipment.updated": ShipmentEvent,
    "shipment.released": ShipmentEvent,
    "shipment.scanned": ShipmentEvent,
}
CLAIM_EVENTS: Mapping[str, type[ContractModel]] = {
    "claim.created": ClaimEvent,
    "claim.updated": ClaimEvent,
    "claim.withdrawn": ClaimEvent,
}
