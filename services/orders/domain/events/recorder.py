"""Ledger: what one decision has changed so far, over the world it was given.

It is the only mutable value of the domain, and lives no longer than one `decide`. Events are
numbered here, so that every event takes exactly one step; orders get their counts at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.orders.domain.model.commands import CommandItem
from services.orders.domain.model.decision import (
    Decision,
    Event,
    EventType,
    OrderFact,
    Outcome,
    ShipmentFact,
    Topic,
    World,
)
from services.orders.domain.model.ids import Uuid, digest_of, event_id_of
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.published import raised
from services.orders.domain.model.reasons import SENTENCES, Reason
from services.orders.domain.model.references import Reference
from services.orders.domain.value import replace

_NAMES = {kind: kind.value.replace(".", "_").upper() for kind in EventType}


@dataclass(slots=True)
class Recorder:
    """The changes of one decision."""

    world: World
    item: CommandItem
    now: datetime
    orders: dict[Uuid, Order] = field(default_factory=dict)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    references: list[tuple[Reference, Uuid]] = field(default_factory=list)
    appeared: list[str] = field(default_factory=list)
    _counts: dict[Uuid, dict[Topic, int]] = field(default_factory=dict)
    _versions: dict[Uuid, int] = field(default_factory=dict)
    _tells_again: bool = False

    def order(self, order_id: Uuid) -> Order | None:
        """The order as it stands within this decision."""
        return self.orders.get(order_id) or self.world.orders.get(order_id)

    def parcel(self, number: str) -> Parcel:
        """The parcel as it stands within this decision; an unknown number has nothing yet."""
        known = self.parcels.get(number) or self.world.parcels.get(number)
        return known or Parcel(number=number)

    def put(self, order: Order) -> None:
        """Keep a changed order."""
        self.orders[order.order_id] = order

    def put_parcel(self, parcel: Parcel) -> None:
        """Keep a changed parcel."""
        self.parcels[parcel.number] = parcel

    def tell_order(
        self,
        order_id: Uuid,
        kind: EventType,
        fact: OrderFact,
        *,
        occurred_at: datetime,
        group: str | None = None,
    ) -> None:
        """Add an event of an order that was put before; numbers it."""
        order = self.orders[order_id]
        event_id = event_id_of(order_id, None, kind, self.item.item_id)
        if self._was_told(order, event_id):
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
                causation_id=self.item.causation_id,
                data=fact,
            )
        )

    def tell_shipment(
        self,
        order_id: Uuid,
        shipment: Shipment,
        kind: EventType,
        fact: ShipmentFact,
        *,
        name: str,
        group: str | None,
        cause: str | None = None,
    ) -> None:
        """Add an event of a shipment of an order that was put before; numbers it.

        `cause` is the identity of the scan behind it, None when the command itself is.
        """
        order = self.orders[order_id]
        told_by = cause or self.item.item_id
        event_id = event_id_of(order_id, shipment.shipment_id, kind, told_by)
        if self._was_told(order, event_id):
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
                shipment_id=shipment.shipment_id,
                sequence=sequence,
                order_version=version,
                occurred_at=fact.occurred_at,
                triggered_at=self.now,
                causation_id=self.item.causation_id,
                data=fact,
            )
        )

    def _step(self, order: Order, topic: Topic) -> tuple[int, int]:
        """The next number on a topic, and of the order's version."""
        self._begin_counting(order)
        self._counts[order.order_id][topic] += 1
        self._versions[order.order_id] += 1
        return self._counts[order.order_id][topic], self._versions[order.order_id]

    def _begin_counting(self, order: Order) -> None:
        if order.order_id in self._counts:
            return
        since = raised(order, self.world.told.get(order.order_id))
        self._versions[order.order_id] = since.version
        self._counts[order.order_id] = {
            Topic.ORDERS: since.order_sequence,
            Topic.SHIPMENTS: since.shipment_sequence,
        }

    def _was_told(self, order: Order, event_id: Uuid) -> bool:
        """Whether the fact was told before the orders were restored: then only the state steps."""
        told = self.world.told.get(order.order_id)
        if told is None or digest_of(event_id) not in told.events:
            return False
        self._begin_counting(order)
        self._versions[order.order_id] += 1
        self._tells_again = True
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
        """Close it: applied if there is an event to tell, or one that was told; else no change."""
        is_applied = bool(self.events) or self._tells_again
        return Decision(
            outcome=Outcome.APPLIED if is_applied else Outcome.NO_CHANGE,
            reason=None if is_applied else Reason.NO_DIFFERENCE,
            detail=None if is_applied else SENTENCES[Reason.NO_DIFFERENCE],
            order_id=order_id,
            orders=tuple(self._counted(order) for order in self.orders.values()),
            parcels=tuple(self.parcels.values()),
            events=tuple(self.events),
            references=tuple(self.references),
            appeared=tuple(dict.fromkeys(self.appeared)),
        )
