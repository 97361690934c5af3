"""The docket of one batch: each item decided in its turn, on what the ones before it left."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from services.orders.domain.decide import decide
from services.orders.domain.model.decision import Decision, Outcome, World
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.published import Published
from services.orders.domain.model.reasons import SENTENCES, Reason
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.messages.decode import Asked, Entry, Unread
from services.orders.parking_keys import entrant_of, hint_of, names_of
from services.orders.store import Stored
from services.runtime.batch.items import Failure, ItemRef, Kind, ParkingCandidate
from services.runtime.messages.records import Coordinates
from services.runtime.parking.gate import ParkingGate
from services.runtime.rejections import Rejection
from services.runtime.waiting.store import Waiting

REPEATED = Decision(
    outcome=Outcome.NO_CHANGE, reason=Reason.DUPLICATE, detail=SENTENCES[Reason.DUPLICATE]
)


class Decided(Struct, frozen=True, gc=False):
    """An item and what it came to."""

    asked: Asked
    decision: Decision


@dataclass(slots=True)
class UnitOfWork:
    """Decides items in order and keeps what is to be written.

    The world is mutable here and nowhere else: decisions read it, `_enter` puts their results in.
    """

    now: datetime
    lanes: ParkingGate
    orders: dict[Uuid, Order] = field(default_factory=dict)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    references: dict[Reference, Uuid] = field(default_factory=dict)
    told: Mapping[Uuid, Published] = field(default_factory=dict)
    changed_orders: dict[Uuid, Order] = field(default_factory=dict)
    changed_parcels: dict[str, Parcel] = field(default_factory=dict)
    new_references: dict[Reference, Uuid] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)
    refused: list[Rejection] = field(default_factory=list)
    """Items that ended without a decision."""
    ended_waiting: list[Uuid] = field(default_factory=list)
    # Items by the key they wait for, oldest first; where each lies, by its id; and the keys of
    # those that wait in Postgres already.
    _waiting: dict[str, list[Asked]] = field(default_factory=dict)
    _places: dict[Uuid, Coordinates] = field(default_factory=dict)
    _kept: dict[Uuid, str] = field(default_factory=dict)
    _world: World = field(init=False)

    def __post_init__(self) -> None:
        self._world = World(
            orders=self.orders,
            parcels=self.parcels,
            references=self.references,
            published=self.told,
        )

    @classmethod
    def open(
        cls,
        now: datetime,
        stored: Stored,
        kept: Sequence[tuple[Waiting, Entry]],
        lanes: ParkingGate,
    ) -> UnitOfWork:
        """A docket on what was locked; `kept` are items that wait, oldest first."""
        orders = {id_: order for id_, order in stored.orders.items() if order}
        references = {
            Reference(order.shop, ReferenceKind.ORDER_NUMBER, order.order_number): id_
            for id_, order in orders.items()
        }
        references |= {name: id_ for name, id_ in stored.references.items() if id_}
        docket = cls(now, lanes, orders, dict(stored.parcels), references, stored.published)
        for row, entry in kept:
            if isinstance(entry, Asked):
                docket._await(row.waits_for, entry)
                docket._kept[entry.item.item_id] = row.waits_for
            else:
                docket._give_up(row, entry)
        return docket

    def take(self, entry: Entry) -> None:
        """The next item of the batch: decided, refused or parked."""
        match entry:
            case Asked():
                self.hear(entry)
            case Unread():
                slot = ItemRef(entry.original.coordinates, entry.index)
                self.lanes.begin(slot)
                self.lanes.fail(self._unread_entrant(entry), entry.failure)
            case Rejection():
                self._refuse(entry)

    def hear(self, asked: Asked) -> None:
        """Decide an item, then whatever waited for what it made appear."""
        self.lanes.begin(_slot(asked))
        due = deque([asked])
        while due:
            current = due.popleft()
            decision = self._decide_or_park(current)
            if decision is None:
                continue
            self._enter(current, decision)
            for key in decision.appeared if self._waiting else ():
                due.extend(self._called(key))

    def _decide_or_park(self, asked: Asked) -> Decision | None:
        """None for an item that cannot be decided, or not yet: nothing of it was entered."""
        if self.lanes.admits(_slot(asked), lambda: self._entrant(asked)):
            try:
                return self._decide(asked)
            except Exception as error:  # noqa: BLE001 - a bug is parked with its traceback
                self.lanes.fail(self._entrant(asked), Failure.of(Kind.DECISION, error))
        if asked.item.item_id in self._kept and not self._waits_already(asked):
            self.ended_waiting.append(asked.item.item_id)
            del self._kept[asked.item.item_id]
        return None

    def _entrant(self, asked: Asked) -> ParkingCandidate:
        return entrant_of(asked, self.references, self.parcels)

    def _unread_entrant(self, unread: Unread, *more: str) -> ParkingCandidate:
        hint = hint_of(unread)
        names = names_of(hint.references, hint.numbers, self.references, self.parcels)
        type_ = unread.envelope.type
        return ParkingCandidate(unread.original, unread.index, None, type_, names.union(more))

    def _refuse(self, rejection: Rejection) -> None:
        slot = ItemRef(rejection.original.coordinates, rejection.index)
        self.lanes.begin(slot)
        if self.lanes.refuses(slot, rejection):
            self.refused.append(rejection)

    def _give_up(self, row: Waiting, entry: Rejection | Unread) -> None:
        """What waited and can be read no more ends, or is parked; it must hold nobody up."""
        self.ended_waiting.append(row.item_id)
        if isinstance(entry, Rejection):
            self.refused.append(entry)
        else:
            self.lanes.fail(self._unread_entrant(entry, row.waits_for), entry.failure)

    def _await(self, key: str, asked: Asked) -> None:
        self._waiting.setdefault(key, []).append(asked)
        self._places[asked.item.item_id] = asked.item.original.coordinates

    def _called(self, key: str) -> list[Asked]:
        items = self._waiting.pop(key, [])
        for asked in items:
            del self._places[asked.item.item_id]
        return items

    def _decide(self, asked: Asked) -> Decision:
        if self._waits_already(asked):
            return REPEATED
        return decide(self._world, asked.command, self.now)

    def _waits_already(self, asked: Asked) -> bool:
        """Whether the same item, sent before, is waiting: one of them is enough."""
        return asked.item.item_id in self._places

    def _enter(self, asked: Asked, decision: Decision) -> None:
        for order in decision.orders:
            self.orders[order.order_id] = self.changed_orders[order.order_id] = order
        for parcel in decision.parcels:
            self.parcels[parcel.number] = self.changed_parcels[parcel.number] = parcel
        for reference, order_id in decision.references:
            if self.references.get(reference) != order_id:
                self.references[reference] = self.new_references[reference] = order_id
        self.decided.append(Decided(asked, decision))
        reason = decision.reason.value if decision.reason else None
        self.lanes.settle(_slot(asked), decision.outcome.value, reason)
        self._settle_waiting(asked, decision)

    def _settle_waiting(self, asked: Asked, decision: Decision) -> None:
        id_ = asked.item.item_id
        if self._waits_already(asked):  # This one repeats it; the one that waits goes on waiting.
            return
        key = decision.waits_for if decision.outcome is Outcome.WAITING else None
        if key:
            self._await(key, asked)
        if id_ in self._kept and self._kept[id_] != key:
            self.ended_waiting.append(id_)
            del self._kept[id_]

    def newly_waiting(self) -> list[tuple[str, Asked]]:
        """Items that wait from now on, with the key each waits for."""
        return [
            (key, asked)
            for key, items in self._waiting.items()
            for asked in items
            if asked.item.item_id not in self._kept
        ]

    def repeat_waiting(self, kept: Collection[Uuid]) -> None:
        """Those of `newly_waiting` that were not kept wait already, for something else: an item
        is known by its sender's id, so this one repeats it and ends here.
        """
        repeated = {asked.item.item_id for _, asked in self.newly_waiting()}.difference(kept)
        self.decided = [
            replace(each, decision=REPEATED)
            if each.decision.outcome is Outcome.WAITING and each.asked.item.item_id in repeated
            else each
            for each in self.decided
        ]


def _slot(asked: Asked) -> ItemRef:
    return ItemRef(asked.item.original.coordinates, asked.item.index)
