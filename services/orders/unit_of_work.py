"""The unit of work of one batch: its items are decided in order, each on the results before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec import Struct

from services.orders.campaign_books import NOTHING, Locked
from services.orders.campaign_store import Changes
from services.orders.domain.decide import after_wait, decide
from services.orders.domain.model.campaigns import (
    Book,
    EntryName,
    Review,
)
from services.orders.domain.model.campaigns import (
    Entry as CampaignEntry,
)
from services.orders.domain.model.commands import names
from services.orders.domain.model.decision import Decision, Outcome, World
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.published import Published
from services.orders.domain.model.reasons import Reason
from services.orders.domain.model.references import (
    Reference,
    ReferenceKind,
    canonical,
    direct_id,
    reference_key,
)
from services.orders.domain.model.shared_names import SHARED_KINDS, Bearers, with_bearer
from services.orders.domain.model.windows import SEEN_BEFORE
from services.orders.domain.tracking.naming import CodeMaps
from services.orders.domain.tracking.unknown_code import UnknownCode
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.orders.messages.entries import DecodedItem, Entry, UndecodedItem
from services.orders.parking_keys import asked_candidate, unread_candidate
from services.orders.store import Stored
from services.runtime.batch.items import Failure, FailureKind, ItemRef, ParkingCandidate
from services.runtime.parking.gate import ParkingGate
from services.runtime.rejections import Rejection
from services.runtime.waiting.store import Waiting

REPEATED = Decision(
    outcome=Outcome.NO_CHANGE,
    reason=Reason.DUPLICATE,
    detail="The same item was sent before, and waits; its outcome follows.",
)


class Decided(Struct, frozen=True, gc=False):
    """An item and its decision."""

    asked: DecodedItem
    decision: Decision


@dataclass(slots=True)
class CampaignsInWork:
    """The campaigns of the shops of a batch, and what its items changed of them."""

    before: Mapping[str, Book]
    books: dict[str, Book]
    entries: dict[EntryName, CampaignEntry]
    changed_entries: dict[EntryName, CampaignEntry] = field(default_factory=dict)
    reviews: list[Review] = field(default_factory=list)
    older: list[tuple[Uuid, int]] = field(default_factory=list)
    causation_ids: dict[str, str] = field(default_factory=dict)
    """By shop: the last command that changed its book."""

    @classmethod
    def of(cls, locked: Locked) -> CampaignsInWork:
        """The campaigns as they were locked."""
        return cls(locked.books, dict(locked.books), dict(locked.entries))

    def enter(self, causation_id: str, decision: Decision) -> None:
        """Take what a decision changed."""
        for book in decision.books:
            self.books[book.shop] = book
            self.causation_ids[book.shop] = causation_id
        for entry in decision.entries:
            self.entries[entry.name] = self.changed_entries[entry.name] = entry
        self.reviews += decision.reviews
        self.older += decision.older_items

    @property
    def changes(self) -> Changes | None:
        """What is to be written; None where nothing changed."""
        if not self.causation_ids:
            return None
        books = {shop: self.books[shop] for shop in self.causation_ids}
        entries = list(self.changed_entries.values())
        return Changes(self.before, books, entries, self.reviews, self.older, self.causation_ids)


@dataclass(slots=True)
class UnitOfWork:
    """Decides items in order and keeps what is to be written.

    The world is mutable only here: decisions read it, `_enter` puts their results in.
    """

    now: datetime
    gate: ParkingGate
    orders: dict[Uuid, Order] = field(default_factory=dict)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    references: dict[Reference, Uuid] = field(default_factory=dict)
    shared: dict[Reference, Bearers] = field(default_factory=dict)
    published: Mapping[Uuid, Published] = field(default_factory=dict)
    seen_before: timedelta = SEEN_BEFORE
    locked_campaigns: Locked = NOTHING
    code_maps: CodeMaps = CODE_MAPS
    changed_orders: dict[Uuid, Order] = field(default_factory=dict)
    changed_parcels: dict[str, Parcel] = field(default_factory=dict)
    new_references: dict[Reference, Uuid] = field(default_factory=dict)
    changed_names: dict[Reference, Bearers] = field(default_factory=dict)
    """Shared names that got a further bearer."""
    refused: list[Rejection] = field(default_factory=list)
    """Items that ended without a decision."""
    unknown_codes: tuple[UnknownCode, ...] = ()
    """Of new scans: the codes that no code map has."""
    ended_waiting: list[Uuid] = field(default_factory=list)
    """Items whose waiting rows are to be removed."""
    campaigns: CampaignsInWork = field(init=False)
    _decided: list[Decided] = field(default_factory=list)
    # Waiting items by the key they wait for, oldest first, and the ids of these items.
    _waiting: dict[str, list[DecodedItem]] = field(default_factory=dict)
    _waiting_ids: set[Uuid] = field(default_factory=set)
    # The key that each item waits for in Postgres, by the item's id.
    _stored_waits: dict[Uuid, str] = field(default_factory=dict)
    _world: World = field(init=False)

    def __post_init__(self) -> None:
        self.campaigns = CampaignsInWork.of(self.locked_campaigns)
        self._world = World(
            orders=self.orders,
            parcels=self.parcels,
            references=self.references,
            shared=self.shared,
            published=self.published,
            seen_before=self.seen_before,
            code_maps=self.code_maps,
            books=self.campaigns.books,
            entries=self.campaigns.entries,
            published_of_shops=self.locked_campaigns.published,
        )

    @classmethod
    def open(
        cls,
        now: datetime,
        stored: Stored,
        waits: Sequence[tuple[Waiting, Entry]],
        gate: ParkingGate,
        *,
        seen_before: timedelta = SEEN_BEFORE,
        campaigns: Locked = NOTHING,
    ) -> UnitOfWork:
        """A unit of work on what was locked; `waits` are the rows that wait, oldest first."""
        orders = {id_: order for id_, order in stored.orders.items() if order}
        references = {
            Reference(order.shop, ReferenceKind.ORDER_NUMBER, order.order_number): id_
            for id_, order in orders.items()
        }
        references |= {name: id_ for name, id_ in stored.references.items() if id_}
        parcels, shared = dict(stored.parcels), dict(stored.shared)
        locked = (orders, parcels, references, shared, stored.published)
        unit = cls(now, gate, *locked, seen_before, campaigns)
        for row, entry in waits:
            if isinstance(entry, DecodedItem):
                unit._await(row.waits_for, entry)
                unit._stored_waits[entry.item.item_id] = row.waits_for
            else:
                unit._end_unreadable_wait(row, entry)
        return unit

    def take(self, entry: Entry) -> None:
        """Decide, refuse or park the next item of the batch."""
        match entry:
            case DecodedItem():
                self._take_asked(entry)
            case UndecodedItem():
                candidate = unread_candidate(entry, self._world)
                self.gate.park(candidate, entry.failure)
            case Rejection():
                if self.gate.refuse(entry):
                    self.refused.append(entry)

    def _take_asked(self, asked: DecodedItem) -> None:
        """Decide an item, then the items that waited for what it made appear, and so on."""
        waker = _ref(asked)
        due = deque(self._decide_or_park(asked, waker))
        while due:
            woken = due.popleft()
            due.extend(self._decide_or_park(woken, _ref(woken), waker))

    def _decide_or_park(
        self, asked: DecodedItem, ref: ItemRef, waker: ItemRef | None = None
    ) -> Iterable[DecodedItem]:
        """Decide an item, unless it is parked; returns the waiting items that it wakes."""
        with self.gate.turn(ref, lambda: self._candidate(asked), waker) as turn:
            if not turn.blocked:
                try:
                    decision = self._decide(asked)
                    if waker is not None:
                        decision = after_wait(self._world, asked.command, decision)
                except Exception as error:  # noqa: BLE001 - a bug is parked with its traceback
                    turn.fail(Failure.of(FailureKind.DECISION, error))
                else:
                    self._enter(asked, decision)
                    turn.done(decision.outcome, decision.reason)
                    return self._woken_by(decision) if self._waiting else ()
        self._stop_stored_wait(asked)
        return ()

    def _candidate(self, asked: DecodedItem) -> ParkingCandidate:
        return asked_candidate(asked, self._world)

    def _end_unreadable_wait(self, row: Waiting, entry: Rejection | UndecodedItem) -> None:
        """An item that waited and can no longer be read is refused or parked; it waits no more."""
        self.ended_waiting.append(row.item_id)
        if isinstance(entry, Rejection):
            self.refused.append(entry)
        else:
            candidate = unread_candidate(entry, self._world, row.waits_for)
            self.gate.park(candidate, entry.failure)

    def _await(self, key: str, asked: DecodedItem) -> None:
        self._waiting.setdefault(key, []).append(asked)
        self._waiting_ids.add(asked.item.item_id)

    def _woken_by(self, decision: Decision) -> list[DecodedItem]:
        """The items that waited for a key that the decision made appear; they wait no more."""
        changed = {order.order_id for order in decision.orders}
        woken: list[DecodedItem] = []
        for key in decision.appeared:
            for asked in self._waiting.pop(key, ()):
                if self._is_about(asked, changed):
                    woken.append(asked)
                else:
                    self._waiting.setdefault(key, []).append(asked)
        self._waiting_ids.difference_update(asked.item.item_id for asked in woken)
        return woken

    def _is_about(self, asked: DecodedItem, changed: Collection[Uuid]) -> bool:
        """Whether a waiting item is about one of the changed orders, or names no order.

        If not, it waits for a number of its own order, and the number came to another one. Its own
        order may not even be read.
        """
        references = list(map(canonical, names(asked.command).references))
        if not references:
            return True
        named = {direct_id(each) or self.references.get(each) for each in references}
        shared = (self.shared.get(each, ()) for each in references)
        return not named.union(*shared).isdisjoint(changed)

    def _stop_stored_wait(self, asked: DecodedItem) -> None:
        """Remove a parked item from the waiting rows; it is in the queue now."""
        id_ = asked.item.item_id
        if id_ in self._stored_waits and id_ not in self._waiting_ids:
            self.ended_waiting.append(id_)
            del self._stored_waits[id_]

    def _decide(self, asked: DecodedItem) -> Decision:
        if asked.item.item_id in self._waiting_ids:  # The same item, sent before, is waiting.
            return REPEATED
        return decide(self._world, asked.command, self.now)

    def _enter(self, asked: DecodedItem, decision: Decision) -> None:
        for order in decision.orders:
            self.orders[order.order_id] = self.changed_orders[order.order_id] = order
        for parcel in decision.parcels:
            self.parcels[parcel.number] = self.changed_parcels[parcel.number] = parcel
        if decision.unknown_codes:
            self.unknown_codes += decision.unknown_codes
        if decision.books:
            self.campaigns.enter(asked.command.causation_id, decision)
        for reference, order_id in decision.references:
            held = self.references.get(reference)
            if held is None or (held != order_id and reference.kind not in SHARED_KINDS):
                self.references[reference] = self.new_references[reference] = order_id
            elif held != order_id:
                self._share(reference, held, order_id)
        self._decided.append(Decided(asked, decision))
        self._enter_wait(asked, decision)

    def _share(self, name: Reference, held: Uuid, order_id: Uuid) -> None:
        """Enter an order as a further bearer of a name."""
        bearers = self.shared.get(name, (held,))
        if (more := with_bearer(bearers, order_id)) != bearers:
            self.shared[name] = self.changed_names[name] = more

    def _enter_wait(self, asked: DecodedItem, decision: Decision) -> None:
        id_ = asked.item.item_id
        if id_ in self._waiting_ids:  # A repeat: the item that was sent before goes on waiting.
            return
        key = decision.waits_for if decision.outcome is Outcome.WAITING else None
        if key:
            self._await(key, asked)
        if id_ in self._stored_waits and self._stored_waits[id_] != key:
            self.ended_waiting.append(id_)
            del self._stored_waits[id_]

    def new_waits(self) -> list[tuple[str, DecodedItem]]:
        """Items that wait and have no waiting row yet, each with the key it waits for."""
        return [
            (key, asked)
            for key, items in self._waiting.items()
            for asked in items
            if asked.item.item_id not in self._stored_waits
        ]

    def conclude(self, stored: Collection[Uuid]) -> Sequence[Decided]:
        """Every decided item with its final decision, in order; call it once new waits are stored.

        `stored` are the ids of those of `new_waits` that got a row. The others have a row for
        another key: the same item, by its sender's id, was sent before. So they are repeats.
        """
        repeats = {asked.item.item_id for _, asked in self.new_waits()}.difference(stored)
        if not repeats:
            return self._decided
        return [
            Decided(each.asked, REPEATED)
            if each.decision.outcome is Outcome.WAITING and each.asked.item.item_id in repeats
            else each
            for each in self._decided
        ]


def awaited_references(waits: Iterable[tuple[str, DecodedItem]]) -> list[Reference]:
    """The references that new waits need a row for: items wait for what nothing stands for yet."""
    return [
        reference
        for key, asked in waits
        for reference in map(canonical, names(asked.command).references)
        if reference_key(reference) == key
    ]


def _ref(asked: DecodedItem) -> ItemRef:
    return ItemRef(asked.item.original.coordinates, asked.item.index)
