"""Decision: the result of a command, the `World` it is decided on and the `Event`s it makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from msgspec import field

from services.orders.domain.model.campaigns import (
    Book,
    CampaignChoice,
    CampaignsEvent,
    Credit,
    Entry,
    EntryName,
    Review,
)
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order, OrderStatus
from services.orders.domain.model.parcel import SCANS_MAX, Parcel
from services.orders.domain.model.published import Published, PublishedOfShop
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.references import Reference
from services.orders.domain.model.shared_names import Bearers
from services.orders.domain.model.warnings import FactWarning
from services.orders.domain.model.windows import SEEN_BEFORE
from services.orders.domain.tracking.catalogue import Flag, Phase
from services.orders.domain.tracking.naming import NO_MAPS, CodeMaps
from services.orders.domain.tracking.scan import Direction, Eta, Location, Pickup, Proof
from services.orders.domain.tracking.unknown_code import UnknownCode
from services.orders.domain.value import Value


class Outcome(StrEnum):
    """The end of an item; only `WAITING` is not final."""

    APPLIED = "applied"
    NO_CHANGE = "no_change"
    REJECTED = "rejected"
    WAITING = "waiting"


class Topic(StrEnum):
    """Topics of events, by their logical names."""

    ORDERS = "orders.events"
    SHIPMENTS = "shipments.events"
    STATE = "orders.state"
    """No events: the newest snapshot of each order."""


class EventType(StrEnum):
    """Types of events (CloudEvents `ce_type`)."""

    ORDER_PLACED = "order.placed"
    ORDER_UPDATED = "order.updated"
    ORDER_PARTIALLY_FULFILLED = "order.partially_fulfilled"
    ORDER_FULFILLED = "order.fulfilled"
    ORDER_PARTIALLY_DELIVERED = "order.partially_delivered"
    ORDER_DELIVERED = "order.delivered"
    ORDER_EXPECTED_SHIPMENTS_CHANGED = "order.expected_shipments_changed"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_ANALYTICS_UPDATED = "order.analytics_updated"
    ORDER_CAMPAIGN_SELECTED = "order.campaign_selected"
    ORDER_ATTRIBUTED = "order.attributed"
    ORDER_UNATTRIBUTED = "order.unattributed"
    ORDER_SNAPSHOT = "order.snapshot"
    SHIPMENT_FULFILLED = "shipment.fulfilled"
    SHIPMENT_UPDATED = "shipment.updated"
    SHIPMENT_RELEASED = "shipment.released"
    SHIPMENT_SCANNED = "shipment.scanned"


class World(Value, frozen=True, kw_only=True):
    """What was read for a batch, with the changes of its earlier items: read-only views.

    Must contain, as far as they exist: the orders that the command's references name, its parcels,
    and the orders of those parcels' owners. `references` maps order_number, external_id and
    order_name references to orders; a uuid is looked up in `orders` itself. A name that several
    orders have or had is in `shared` as well, and all of these orders are in `orders`.
    """

    orders: Mapping[Uuid, Order]
    parcels: Mapping[str, Parcel]
    """By normalised number."""
    references: Mapping[Reference, Uuid]
    shared: Mapping[Reference, Bearers] = field(default_factory=dict)
    published: Mapping[Uuid, Published] = field(default_factory=dict)
    """After a restore: what was published of orders since the time they were restored to."""
    scans_max: int = SCANS_MAX
    """Most scans kept of one tracking number."""
    seen_before: timedelta = SEEN_BEFORE
    """How long before its hand-over a shipment sees the scans of its number: see `windows.py`."""
    code_maps: CodeMaps = NO_MAPS
    """What names the scans whose senders name them otherwise than the catalogue does."""
    books: Mapping[str, Book] = field(default_factory=dict)
    """By shop: of the shops of the command and of the orders; none of a shop that never sent a
    campaign, discount or test. With all discounts whose codes `campaigns.attribute.codes_of` finds
    in the orders and in the command."""
    entries: Mapping[EntryName, Entry] = field(default_factory=dict)
    """As a whole, those that a command of a campaign names (`commands.named_entries`)."""
    published_of_shops: Mapping[str, PublishedOfShop] = field(default_factory=dict)
    """After a restore, by shop: what was published of its campaigns since."""


class OrderEventData(Value, frozen=True, kw_only=True):
    """The data of an order event (`event_data`)."""

    status: OrderStatus
    previous_status: OrderStatus | None = None
    """None for a new order."""
    changed_fields: tuple[str, ...] = ()
    """Names of the order's public fields that differ now, in alphabetical order."""
    shipment_ids: tuple[Uuid, ...] = ()
    """Shipments that this decision attached, released, added or removed, in order of ordinal.

    Of an event of delivery: the shipment whose delivery changed, none where a command did.
    """
    reason: str | None = None
    """The shop's reason for a cancellation."""
    notify: bool = False
    """Whether to notify the customer (docs/scan-rules.md, rule 16)."""


class CampaignSelectedData(OrderEventData, frozen=True, kw_only=True):
    """The data of `order.campaign_selected`."""

    campaign: CampaignChoice
    previous_campaign: CampaignChoice | None = None


class AttributionData(OrderEventData, frozen=True, kw_only=True):
    """The data of `order.attributed` and `order.unattributed`."""

    attribution_version: int
    credit: Credit | None = None
    former_credit: Credit | None = None


class LastSequences(Value, frozen=True, kw_only=True):
    """The numbers of the last events that a snapshot has in it, by topic; 0 where it has none."""

    orders: int
    shipments: int
    claims: int


class SnapshotData(OrderEventData, frozen=True, kw_only=True):
    """The data of a snapshot (`event_data`)."""

    last_sequences: LastSequences


class ShipmentEventData(Value, frozen=True, kw_only=True):
    """The data of a shipment event (`event_data`)."""

    carrier_reference: str | None
    tracking_number: str | None
    tracking_url: str | None
    direction: Direction
    phase: Phase
    """The phase the event's name stands for; the shipment's own is `shipment_phase`."""
    shipment_phase: Phase
    previous_phase: Phase | None
    flag: Flag
    previous_flag: Flag | None
    eta: Eta | None
    previous_eta: Eta | None
    leg: int
    updated_at: datetime
    recorded_at: datetime
    occurred_at: datetime
    changed_fields: tuple[str, ...] = ()
    """Only on `shipment.updated`."""
    notify: bool = False
    """Whether to notify the customer (docs/scan-rules.md, rules 16 to 17b)."""
    scan_id: str | None = None
    carrier_code: str | None = None
    carrier_text: str | None = None
    location: Location | None = None
    reason: str | None = None
    attempt: int | None = None
    pickup: Pickup | None = None
    proof: Proof | None = None
    tz_known: bool = True
    timezone: str | None = None
    """The zone of the scan: a name, an offset or `UTC`; None where none was said or found."""
    released_by: str | None = None
    """Only on `shipment.released`: see the contract."""
    reason_code: str | None = None
    """The family of the reason of a scan."""
    action_required: bool = False
    """Whether the addressee or the shop has to act, after the event."""
    previous_action_required: bool = False
    """And before it."""
    carrier_status: str | None = None
    """What the sender of a scan calls it, where that is no name of the catalogue."""


class Event(Value, frozen=True, kw_only=True):
    """One fact, numbered. Its context is built from the `Order` of the same decision."""

    topic: Topic
    type: EventType
    event_name: str
    event_group: str | None
    event_id: Uuid
    order_id: Uuid
    shop: str
    shipment_id: Uuid | None
    sequence: int
    """Number of the event among the order's on its topic, from 1, without gaps."""
    order_version: int
    """Number of the event among the order's on all topics, from 1, without gaps."""
    occurred_at: datetime
    occurred_on: date | None = None
    """The day as the carrier wrote it, where a scan has only a day for its time."""
    triggered_at: datetime
    causation_id: str
    data: OrderEventData | ShipmentEventData


References: TypeAlias = tuple[tuple[Reference, Uuid], ...]


class Decision(Value, frozen=True, kw_only=True):
    """What to write and publish for one item.

    `orders` and `parcels` are the changed values, also on `no_change`, where the list of applied
    items changes. Apply them to the world before the next item is decided.
    """

    outcome: Outcome
    reason: Reason | None = None
    detail: str | None = None
    """A sentence with the fact and the way out, on a refusal."""
    pointer: str | None = None
    """JSON pointer to the member of the command's body that a refusal is about."""
    order_id: Uuid | None = None
    orders: tuple[Order, ...] = ()
    parcels: tuple[Parcel, ...] = ()
    events: tuple[Event, ...] = ()
    """In the order in which they happened; numbers per order and topic are ascending."""
    references: References = ()
    """New references to store (order_number, external_id, order_name; a uuid needs no storing).

    An order name may be that of another order as well: the order is one more bearer of it."""
    waits_for: str | None = None
    """On `waiting`: the key whose appearance should bring the item back."""
    appeared: tuple[str, ...] = ()
    """Keys that exist from now on: waiting items with one of them are to be decided again."""
    warnings: tuple[FactWarning, ...] = ()
    """What was doubtful, whatever the outcome: found when the item was read, then by rules."""
    unknown_codes: tuple[UnknownCode, ...] = ()
    """Of new scans with an event: the codes that no code map has."""
    books: tuple[Book, ...] = ()
    """Changed books. Apply them to the world, and store them without discounts and `recalled`."""
    entries: tuple[Entry, ...] = ()
    """Changed campaigns, discounts and tests, as a whole. Apply them to the world, and store."""
    campaign_events: tuple[CampaignsEvent, ...] = ()
    reviews: tuple[Review, ...] = ()
    """What to review once the change is stored."""
    older_items: tuple[tuple[Uuid, int], ...] = ()
    """Items whose versions are not kept any more: the id of the entry (`ids.entry_id_of`) and the
    digest, to be stored apart."""
