"""A world that decisions are applied to, and short ways to write commands and scans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from services.orders.domain.campaigns.attribute import codes_of, has_contact
from services.orders.domain.campaigns.choose import fulfilled_at_of
from services.orders.domain.decide import decide
from services.orders.domain.model.campaigns import (
    Book,
    CampaignsEvent,
    Entry,
    EntryName,
    Review,
)
from services.orders.domain.model.commands import (
    AdvanceCampaign,
    CancelOrder,
    ChangeCampaigns,
    Command,
    PlacementFields,
    PlaceOrder,
    ReportTracking,
    ReviewOrder,
    Tracking,
    UpdateOrder,
    UpdateShipment,
    UpsertAnalytics,
    UpsertOrder,
    VoidShipment,
    named_entries,
    names,
)
from services.orders.domain.model.decision import Decision, Event, Outcome, Topic, World
from services.orders.domain.model.ids import NAMESPACE, order_id_of, scan_key
from services.orders.domain.model.order import Address, Order, Product, Shipment
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.model.shared_names import Bearers, with_bearer
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.rules.implied_numbers import implied_numbers
from services.orders.domain.tracking.naming import NO_MAPS, CodeMaps
from services.orders.domain.tracking.scan import Precision, Scan
from services.orders.domain.value import replace

NOON = datetime(2024, 1, 5, 12, tzinfo=UTC)
SHOP = "shop"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class Desk:
    """Orders, parcels and references, and every event published so far. Checks each decision."""

    orders: dict[str, Order] = field(default_factory=dict)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    references: dict[Reference, str] = field(default_factory=dict)
    shared: dict[Reference, Bearers] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    now: datetime = NOON
    code_maps: CodeMaps = NO_MAPS
    books: dict[str, Book] = field(default_factory=dict)
    entries: dict[EntryName, Entry] = field(default_factory=dict)
    older_items: set[tuple[str, int]] = field(default_factory=set)
    campaign_events: list[CampaignsEvent] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    """Reviews that are still to be done."""

    def send(self, command: Command) -> Decision:
        """Decide a command on exactly what it names, check the decision, and apply it."""
        decision = decide(self.seen_by(command), command, self.now)
        check_decision(self, decision)
        self.apply(decision)
        return decision

    def apply(self, decision: Decision) -> None:
        """Take what a decision changed."""
        self.orders |= {order.order_id: order for order in decision.orders}
        self.parcels |= {parcel.number: parcel for parcel in decision.parcels}
        for reference, order_id in decision.references:
            held = self.references.setdefault(reference, order_id)
            bearers = with_bearer(self.shared.get(reference, (held,)), order_id)
            if len(bearers) > 1:
                self.shared[reference] = bearers
        self.events.extend(decision.events)
        self._apply_campaigns(decision)

    def _apply_campaigns(self, decision: Decision) -> None:
        for book in decision.books:
            held = self.books.get(book.shop, Book(shop=book.shop))
            others = {each.name: each for each in (*held.discounts, *book.discounts)}
            self.books[book.shop] = replace(book, discounts=tuple(others.values()), recalled=())
        self.entries |= {entry.name: entry for entry in decision.entries}
        self.older_items.update(decision.older_items)
        self.campaign_events.extend(decision.campaign_events)
        self.reviews.extend(decision.reviews)

    def review(self) -> None:
        """Review orders until no review is left, as the service does in the background."""
        while self.reviews:
            due = self.reviews.pop(0)
            for order in list(self.orders.values()):
                if order.shop == due.shop and _is_concerned(order, due):
                    asked = item(causation_id=due.causation_id)
                    self.send(ReviewOrder(**asked, shop=order.shop, order_id=order.order_id))

    def copy(self) -> Desk:
        """A desk that goes its own way from here; the values themselves never change."""
        return Desk(
            dict(self.orders),
            dict(self.parcels),
            dict(self.references),
            dict(self.shared),
            list(self.events),
            self.now,
            self.code_maps,
            dict(self.books),
            dict(self.entries),
            set(self.older_items),
            list(self.campaign_events),
            list(self.reviews),
        )

    def seen_by(self, command: Command) -> World:
        """Only what the batch would have locked and read for this command."""
        named = names(command)
        shipments = (each for order in self.orders.values() for each in order.shipments)
        stored = {each.shipment_id: each.number for each in shipments}
        numbers = (*named.numbers, stored.get(named.shipment or ""))
        references = {r: self.references[r] for r in named.references if r in self.references}
        shared = {r: self.shared[r] for r in references if r in self.shared}
        wanted = {*references.values(), *(each for ids in shared.values() for each in ids)}
        for reference in named.references:
            if reference.kind is ReferenceKind.UUID and _is_uuid(reference.value):
                wanted.add(str(UUID(reference.value)))
            if reference.kind is ReferenceKind.ORDER_NUMBER:
                wanted.add(order_id_of(reference.shop, reference.value))
        for order_id in wanted.intersection(self.orders):
            numbers = (*numbers, *implied_numbers(self.orders[order_id], command))
        parcels = {number: self.parcels[number] for number in numbers if number in self.parcels}
        wanted |= {owner.order_id for parcel in parcels.values() for owner in parcel.owners}
        orders = {order_id: self.orders[order_id] for order_id in wanted if order_id in self.orders}
        return World(
            orders=orders,
            parcels=parcels,
            references=references,
            shared=shared,
            code_maps=self.code_maps,
            books=self._books_seen_by(command, orders.values()),
            entries=self._entries_seen_by(command),
        )

    def _books_seen_by(self, command: Command, orders: Iterable[Order]) -> dict[str, Book]:
        shops = {order.shop for order in orders}
        if not isinstance(command, ReportTracking):
            shops.add(command.shop)
        codes = codes_of(command).union(*map(codes_of, orders))
        recalled = tuple(n for _, n in self.older_items if n == command.item_digest)
        return {
            shop: replace(
                book,
                discounts=tuple(each for each in book.discounts if each.code in codes),
                recalled=recalled,
            )
            for shop, book in self.books.items()
            if shop in shops
        }

    def _entries_seen_by(self, command: Command) -> dict[EntryName, Entry]:
        if not isinstance(command, ChangeCampaigns | AdvanceCampaign):
            return {}
        named = named_entries(command)
        return {name: self.entries[name] for name in named if name in self.entries}

    def order(self, number: str = "1", shop: str = SHOP) -> Order:
        """An order that exists."""
        return self.orders[order_id_of(shop, number)]

    def shipment(self, ordinal: int = 1, number: str = "1") -> Shipment:
        """An order's n-th shipment."""
        return next(s for s in self.order(number).shipments if s.ordinal == ordinal)


def _is_concerned(order: Order, review: Review) -> bool:
    if review.only_contacts and not has_contact(order):
        return False
    return max(order.placed_at, fulfilled_at_of(order) or order.placed_at) >= review.since


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


BESIDE = (("delivery_state",), ("campaign",), ("attribution",))
"""What changes beside the one thing that a command changes of an order."""


def check_decision(desk: Desk, decision: Decision) -> None:
    """What must hold of every decision whatsoever."""
    refused = decision.outcome in (Outcome.REJECTED, Outcome.WAITING)
    if refused:
        assert decision.reason is not None
        assert not decision.orders
        assert not decision.events
        assert not decision.references
        assert not decision.books
        assert not decision.entries
        assert not decision.reviews
    if decision.outcome is Outcome.REJECTED:
        assert not decision.parcels
        assert decision.detail
    assert (decision.waits_for is not None) == (decision.outcome is Outcome.WAITING)
    if decision.outcome is Outcome.NO_CHANGE:
        assert not decision.events
        assert not decision.campaign_events
        assert decision.reason is not None
    check_campaign_numbers(desk, decision)
    check_numbers(desk, decision)
    for order in decision.orders:
        check_order(order)


def check_campaign_numbers(desk: Desk, decision: Decision) -> None:
    """Events of campaigns are numbered by shop, without gaps, and the book has the last number."""
    earlier = {event.event_id for event in desk.campaign_events}
    assert not earlier & {event.event_id for event in decision.campaign_events}
    for book in decision.books:
        held = desk.books.get(book.shop, Book(shop=book.shop))
        numbers = [event.sequence for event in decision.campaign_events]
        assert numbers == list(range(held.sequence + 1, book.sequence + 1))


def check_numbers(desk: Desk, decision: Decision) -> None:
    """Events are numbered without gaps, and every one is a step of its order's version."""
    earlier = {event.event_id for event in desk.events}
    assert len({event.event_id for event in decision.events}) == len(decision.events)
    assert not earlier & {event.event_id for event in decision.events}
    after = {order.order_id: order for order in decision.orders}
    for order_id, order in after.items():
        before = desk.orders.get(order_id)
        mine = [event for event in decision.events if event.order_id == order_id]
        counts = {Topic.ORDERS: 0, Topic.SHIPMENTS: 0}
        version = 0
        if before is not None:
            counts = {
                Topic.ORDERS: before.order_sequence,
                Topic.SHIPMENTS: before.shipment_sequence,
            }
            version = before.version
        for event in mine:
            counts[event.topic] += 1
            version += 1
            assert event.sequence == counts[event.topic]
            assert event.order_version == version
        assert order.order_sequence == counts[Topic.ORDERS]
        assert order.shipment_sequence == counts[Topic.SHIPMENTS]
        assert order.version == version
        of_order = [event for event in mine if event.topic is Topic.ORDERS]
        assert len([e for e in of_order if e.data.changed_fields not in BESIDE]) <= 1
    assert {event.order_id for event in decision.events} <= set(after)


def check_order(order: Order) -> None:
    """What must hold of every order whatsoever."""
    handed_over = len(order.fulfilled)
    ordinals = [shipment.ordinal for shipment in order.shipments]
    assert order.version == order.order_sequence + order.shipment_sequence
    assert order.expected_number_of_shipments == max(order.expected_asked, handed_over)
    assert len(order.shipments) == order.expected_number_of_shipments <= 100
    assert ordinals == sorted(set(ordinals))
    assert len({shipment.shipment_id for shipment in order.shipments}) == len(ordinals)
    numbers = [shipment.number for shipment in order.fulfilled]
    assert len(set(numbers)) == len(numbers)
    assert len(set(order.applied)) == len(order.applied)
    cancelled = order.status == "cancelled"
    assert all(s.archived == (cancelled and s.is_draft) for s in order.shipments)
    if not cancelled:
        partly = "partially_fulfilled" if handed_over else "placed"
        assert order.status == ("fulfilled" if handed_over >= len(order.shipments) else partly)


_counter = iter(range(10**9))


def item(**given: Any) -> dict[str, Any]:
    """What every command has; each call is another item."""
    number = next(_counter)
    return {
        "item_id": str(uuid5(NAMESPACE, f"item/{number}")),
        "causation_id": f"message-{number}",
    } | given


def ref(value: str = "1", kind: str = "order_number", shop: str = SHOP) -> Reference:
    """A reference to an order, by its number unless said otherwise."""
    return Reference(shop, ReferenceKind(kind), value)


def fields(number: str = "1", **given: Any) -> PlacementFields:
    """What a shop says of an order."""
    said: dict[str, Any] = {"address": Address(zip_code="10115"), "order_placed_at": NOON}
    return PlacementFields(order_number=number, **(said | given))


def place(
    number: str = "1", *, shop: str = SHOP, sent: dict[str, Any] | None = None, **given: Any
) -> PlaceOrder:
    """`order.place`."""
    return PlaceOrder(**(sent or item()), shop=shop, order=fields(number, **given))


def upsert(
    reference: Reference | None = None,
    order: PlacementFields | None = None,
    trackings: tuple[Tracking, ...] = (),
    **given: Any,
) -> UpsertOrder:
    """`order.upsert`."""
    reference = reference or ref()
    return UpsertOrder(
        **(item() | given),
        shop=reference.shop,
        reference=reference,
        order=order,
        trackings=trackings,
    )


def attach(*numbers: str, to: str = "1", carrier: str | None = None, **given: Any) -> UpsertOrder:
    """`order.upsert` with tracking numbers only."""
    said = tuple(Tracking(tracking_number=n, carrier_reference=carrier, **given) for n in numbers)
    return upsert(ref(to), trackings=said)


def update(reference: Reference | None = None, **given: Any) -> UpdateOrder:
    """`order.update`."""
    reference = reference or ref()
    return UpdateOrder(**(item() | given), shop=reference.shop, reference=reference)


def cancel(reference: Reference | None = None, **given: Any) -> CancelOrder:
    """`order.cancel`."""
    reference = reference or ref()
    return CancelOrder(**(item() | given), shop=reference.shop, reference=reference)


def update_shipment(reference: Reference | None = None, **given: Any) -> UpdateShipment:
    """`shipment.update`."""
    reference = reference or ref()
    return UpdateShipment(**(item() | given), shop=reference.shop, reference=reference)


def void(reference: Reference | None = None, **given: Any) -> VoidShipment:
    """`shipment.void`."""
    reference = reference or ref()
    return VoidShipment(**(item() | given), shop=reference.shop, reference=reference)


def attribute(reference: Reference | None = None, **given: Any) -> UpsertAnalytics:
    """`order.analytics.upsert`."""
    reference = reference or ref()
    return UpsertAnalytics(**(item() | given), shop=reference.shop, reference=reference)


def scan(
    name: str,
    at: datetime = NOON,
    *,
    number: str = "N1",
    carrier: str | None = "dhl",
    code: str | None = None,
    scan_id: str | None = None,
    retracts: str | None = None,
    precision: Precision = Precision.SECOND,
    recorded_at: datetime = NOON,
    **given: Any,
) -> Scan:
    """A scan, with its identity made as the messages make it."""
    key = scan_key(
        number=normalise_number(number),
        carrier=carrier,
        scan_id=scan_id,
        name=name,
        code=code,
        occurred_at=at,
        retracts=retracts,
    )
    return Scan(
        key=key,
        event_name=name,
        occurred_at=at,
        recorded_at=recorded_at,
        carrier=carrier,
        code=code,
        scan_id=scan_id,
        retracts=retracts,
        precision=precision,
        **given,
    )


def report(*scans: Scan, number: str = "N1", carrier: str | None = "dhl") -> ReportTracking:
    """`tracking.reported`."""
    return ReportTracking(**item(), tracking_number=number, carrier_reference=carrier, scans=scans)


def product(sku: str, quantity: int = 1, **given: Any) -> Product:
    """A product line."""
    return Product(sku=sku, quantity=quantity, **given)


def event_types(decision: Decision) -> list[str]:
    """The types of a decision's events, in order."""
    return [event.type.value for event in decision.events]
