"""Recorder: what one decision has changed so far, on top of the world it was given.

The recorder is the only mutable value of the domain and lives no longer than one `decide`. It
numbers events, so that every event takes exactly one number on its topic and one order version.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from services.orders.domain.model.campaigns import Book, CampaignsEvent, Entry, Review
from services.orders.domain.model.commands import CommandItem
from services.orders.domain.model.decision import (
    Decision,
    Event,
    EventType,
    OrderEventData,
    Outcome,
    ShipmentEventData,
    Topic,
    World,
)
from services.orders.domain.model.ids import Uuid, event_id_of
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.published import raised
from services.orders.domain.model.reasons import SENTENCES, Reason
from services.orders.domain.model.references import Reference
from services.orders.domain.model.warnings import FactWarning, KeptWarning, WarningCode, keep
from services.orders.domain.tracking.state import DRAFT
from services.orders.domain.tracking.unknown_code import UnknownCode
from services.orders.domain.value import Value, replace

OTHER_SHOP = "orderflow/shared-number"
"""Begins the cause of an event that the command of another shop on the same number caused."""
_SAME_CAMPAIGN = (
    "At its time the campaign, discount or test already is as the command wants it; nothing "
    "changed."
)


class CampaignChanges(Value, frozen=True, kw_only=True):
    """What the decision of a command of campaigns changed; members as in `Decision`."""

    books: tuple[Book, ...]
    entries: tuple[Entry, ...]
    events: tuple[CampaignsEvent, ...] = ()
    reviews: tuple[Review, ...] = ()
    older_items: tuple[tuple[Uuid, int], ...] = ()
    is_applied: bool = False
    """Whether it is applied though it has no event: the event was published before a restore."""


_NAMES = {kind: kind.value.replace(".", "_").upper() for kind in EventType}


@dataclass(slots=True)
class Recorder:
    """The changes of one decision."""

    world: World
    item: CommandItem
    now: datetime
    sender: str | None = None
    """The shop that sent the item; None for a report, which may be of shipments of any shop."""
    orders: dict[Uuid, Order] = field(default_factory=dict)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    references: list[tuple[Reference, Uuid]] = field(default_factory=list)
    appeared: list[str] = field(default_factory=list)
    notified: frozenset[Uuid] = frozenset()
    """Shipments whose attached number notifies."""
    warnings: tuple[FactWarning, ...] = ()
    """What rules found doubtful; what was found when the item was read is in the item."""
    unknown_codes: tuple[UnknownCode, ...] = ()
    """Of new scans with an event: the codes that no code map has."""
    campaigns: CampaignChanges | None = None
    """Of a command of campaigns; it changes no order."""
    is_applied: bool = False
    """Whether it is applied though no event says so: it repeats a published one, or has none."""
    _counts: dict[Uuid, dict[Topic, int]] = field(default_factory=dict)
    _versions: dict[Uuid, int] = field(default_factory=dict)

    def order(self, order_id: Uuid) -> Order | None:
        """The order, with the changes of this decision."""
        return self.orders.get(order_id) or self.world.orders.get(order_id)

    def parcel(self, number: str) -> Parcel:
        """The parcel, with the changes of this decision; empty for an unknown number."""
        known = self.parcels.get(number) or self.world.parcels.get(number)
        return known or Parcel(number=number)

    def put(self, order: Order) -> None:
        """Keep a changed order."""
        self.orders[order.order_id] = order

    def put_parcel(self, parcel: Parcel) -> None:
        """Keep a changed parcel."""
        self.parcels[parcel.number] = parcel

    def warn(self, code: WarningCode, pointer: str, detail: str) -> None:
        """Add a warning; it never changes the outcome. See `FactWarning` for the arguments."""
        self.warnings += (FactWarning(code=code, pointer=pointer, detail=detail),)

    def with_warnings(self, decision: Decision) -> Decision:
        """The decision with all warnings; the order that it changes keeps them, for operators."""
        found = self.item.warnings + self.warnings
        kept = [
            KeptWarning(warning=each, causation_id=self.item.causation_id, at=self.now)
            for each in found
        ]
        orders = tuple(
            replace(order, warnings=keep(order.warnings, kept))
            if order.order_id == decision.order_id
            else order
            for order in decision.orders
        )
        return replace(decision, warnings=found, orders=orders)

    def emit_order(
        self,
        order_id: Uuid,
        kind: EventType,
        fact: OrderEventData,
        *,
        occurred_at: datetime,
        group: str | None = None,
        cause: str | None = None,
    ) -> None:
        """Add an event of an order that was put before; `cause` unless the command itself did."""
        order = self.orders[order_id]
        event_id = event_id_of(order_id, None, kind, cause or self.item.item_id)
        if self._was_published(order, event_id):
            return
        sequence, version = self._step(order, Topic.ORDERS)
        self.events.append(
            Event(
                topic=Topic.ORDERS,
                type=kind,
                event_name=_NAMES[kind],
                event_group=group,
                event_id=event_id,
                order_id=order_id,
                shop=order.shop,
                shipment_id=None,
                sequence=sequence,
                order_version=version,
                occurred_at=occurred_at,
                triggered_at=self.now,
                causation_id=self.item.causation_id
                if self.sender == order.shop or self.sender is None
                else self._hidden_cause(),
                data=fact,
            )
        )

    def emit_shipment(
        self,
        order_id: Uuid,
        before: Shipment | None,
        after: Shipment,
        kind: EventType,
        *,
        name: str,
        group: str | None,
        occurred_at: datetime,
        occurred_on: date | None = None,
        cause: str | None = None,
        shown: Shipment | None = None,
        **more: Any,
    ) -> None:
        """Add an event of a shipment of an order that was put before.

        `before` is None for a new shipment. `cause` is the key of the scan that caused the event,
        None where the command itself did. `shown` is the shipment whose number, carrier and URL
        the event has, unless it is `after`. `more` are members of `ShipmentEventData` beside those
        that `before` and `after` give.
        """
        order = self.orders[order_id]
        event_id = event_id_of(order_id, after.shipment_id, kind, cause or self.item.item_id)
        if self._was_published(order, event_id):
            return
        sequence, version = self._step(order, Topic.SHIPMENTS)
        self.events.append(
            Event(
                topic=Topic.SHIPMENTS,
                type=kind,
                event_name=name,
                event_group=group,
                event_id=event_id,
                order_id=order_id,
                shop=order.shop,
                shipment_id=after.shipment_id,
                sequence=sequence,
                order_version=version,
                occurred_at=occurred_at,
                occurred_on=occurred_on,
                triggered_at=self.now,
                causation_id=self.item.causation_id
                if self.sender == order.shop or self.sender is None
                else self._hidden_cause(),
                data=self._fact(before, after, shown or after, occurred_at=occurred_at, more=more),
            )
        )

    def _hidden_cause(self) -> str:
        """The cause of an event that the command of another shop caused: never its id.

        A shop that takes a number off its order changes what others on the number see; the id of
        its command may hold names of the shop.
        """
        return f"{OTHER_SHOP}/{self.item.item_id}"

    def _fact(
        self,
        before: Shipment | None,
        after: Shipment,
        shown: Shipment,
        *,
        occurred_at: datetime,
        more: dict[str, Any],
    ) -> ShipmentEventData:
        previous, tracking = before.tracking if before is not None else DRAFT, after.tracking
        given: dict[str, Any] = {
            "carrier_reference": shown.carrier,
            "phase": tracking.phase,
            "recorded_at": self.now,
        }
        if previous.why is not None and previous.why.action_required:
            given["previous_action_required"] = True
        if tracking.why is not None and tracking.why.action_required:
            given["action_required"] = True
        return ShipmentEventData(
            tracking_number=shown.tracking_number,
            tracking_url=shown.tracking_url,
            direction=shown.tracking.direction,
            shipment_phase=tracking.phase,
            previous_phase=previous.phase,
            flag=tracking.flag,
            previous_flag=previous.flag,
            eta=tracking.eta,
            previous_eta=previous.eta,
            leg=tracking.leg,
            updated_at=self.now,
            occurred_at=occurred_at,
            **given | more,
        )

    def _step(self, order: Order, topic: Topic) -> tuple[int, int]:
        """Take the next sequence number on a topic, and the next order version."""
        order_id = order.order_id
        if order_id not in self._counts:
            self._begin_counting(order)
        counts = self._counts[order_id]
        sequence = counts[topic] = counts[topic] + 1
        version = self._versions[order_id] = self._versions[order_id] + 1
        return sequence, version

    def _begin_counting(self, order: Order) -> None:
        published = self.world.published.get(order.order_id)
        since = raised(order, published) if published else order
        self._versions[order.order_id] = since.version
        self._counts[order.order_id] = {
            Topic.ORDERS: since.order_sequence,
            Topic.SHIPMENTS: since.shipment_sequence,
        }

    def _was_published(self, order: Order, event_id: Uuid) -> bool:
        """Whether the event was published before a restore; then only the order version steps."""
        published = self.world.published.get(order.order_id)
        if published is None or not published.has(event_id):
            return False
        if order.order_id not in self._counts:
            self._begin_counting(order)
        self._versions[order.order_id] += 1
        self.is_applied = True
        return True

    def _counted(self, order: Order) -> Order:
        counts = self._counts.get(order.order_id)
        if counts is None:
            return order
        return replace(
            order,
            version=self._versions[order.order_id],
            order_sequence=counts[Topic.ORDERS],
            shipment_sequence=counts[Topic.SHIPMENTS],
        )

    def decision(self, order_id: Uuid | None) -> Decision:
        """The finished decision: applied if it has events, or `is_applied`."""
        if self.campaigns is not None:
            return self._decision_of_campaigns(self.campaigns)
        is_applied = bool(self.events) or self.is_applied
        return Decision(
            outcome=Outcome.APPLIED if is_applied else Outcome.NO_CHANGE,
            reason=None if is_applied else Reason.NO_DIFFERENCE,
            detail=None if is_applied else SENTENCES[Reason.NO_DIFFERENCE],
            order_id=order_id,
            orders=tuple([self._counted(order) for order in self.orders.values()]),
            parcels=tuple(self.parcels.values()),
            events=tuple(self.events),
            references=tuple(self.references),
            appeared=tuple(dict.fromkeys(self.appeared)),
            unknown_codes=self.unknown_codes,
        )

    @staticmethod
    def _decision_of_campaigns(changed: CampaignChanges) -> Decision:
        is_applied = bool(changed.events) or changed.is_applied
        return Decision(
            outcome=Outcome.APPLIED if is_applied else Outcome.NO_CHANGE,
            reason=None if is_applied else Reason.NO_DIFFERENCE,
            detail=None if is_applied else _SAME_CAMPAIGN,
            books=changed.books,
            entries=changed.entries,
            campaign_events=changed.events,
            reviews=changed.reviews,
            older_items=changed.older_items,
        )
