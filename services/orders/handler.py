"""One batch of the orders service: read all it touches, decide each item, write all that changed.

Inside the one transaction that the runtime begins and commits; a constant number of statements.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import cast

from asyncpg import Connection

from services.orders import campaign_store, placeholders, store, unmapped
from services.orders.campaign_books import NOTHING, BookCache, Locked, Wanted, codes_in, lock_books
from services.orders.domain.model.commands import ChangeCampaigns, Command, names
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.references import (
    Reference,
    canonical,
    direct_id,
)
from services.orders.domain.rules.implied_numbers import implied_numbers
from services.orders.expiry import SWEEP_ITEMS, Expiry
from services.orders.intake import read_records, read_retried, traced
from services.orders.messages import encode
from services.orders.messages.decode import (
    COMMANDS,
    READERS,
    TRACKING,
    alone,
    read_item,
)
from services.orders.messages.entries import DecodedItem, Entry, UndecodedItem
from services.orders.messages.states import Encoded, state_records
from services.orders.outcomes import (
    SERVICE,
    count_and_log,
    decided_records,
    note_ends,
    refused_outcomes,
    rejection_of,
)
from services.orders.parking_keys import (
    campaign_keys,
    hint_of,
    keys_of,
    waiting_keys,
)
from services.orders.unit_of_work import Decided, UnitOfWork, awaited_references
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.config.settings import Settings
from services.runtime.config.source_lists import allowed_sources_of
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.parking.gate import ParkingGate
from services.runtime.parking.queue import Queue
from services.runtime.retry import Contended
from services.runtime.twins import count_decoded
from services.runtime.waiting import store as waiting
from services.runtime.waiting.store import Waiting

_SHOP = attrgetter("shop")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The entries of a batch, the items that wait for what it may bring, and what was locked."""

    entries: Sequence[Entry]
    waits: Sequence[tuple[Waiting, Entry]]
    stored: store.Stored
    gate: ParkingGate
    campaigns: Locked


class OrdersBatch:
    """Applies batches and sweeps; holds only what is the same for all of them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._outbox = Outbox(settings.outbox_shards)
        self._queue = Queue(SERVICE, settings, metrics)
        self._expiry = Expiry(metrics, self._outbox, self._queue)
        self._books = BookCache()
        self._senders = allowed_sources_of(settings)
        self._seen_before = timedelta(days=settings.tracking_window_days)
        self._waits = {
            COMMANDS: timedelta(seconds=settings.command_wait_seconds),
            TRACKING: timedelta(seconds=settings.tracking_wait_seconds),
        }

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Decide every item of the batch and write what follows, stage by stage."""
        watch = _StopWatch(self._metrics, batch.trace)
        entries = [*read_retried(batch, self._senders), *read_records(batch, self._senders)]
        if batch.trace is not None:
            entries = traced(batch.trace, entries)
        count_decoded(READERS, self._metrics, SERVICE)
        watch.lap("decode")
        loaded = await self._read(connection, entries, batch)
        watch.lap("read")
        unit = UnitOfWork.open(
            batch.now,
            loaded.stored,
            loaded.waits,
            loaded.gate,
            seen_before=self._seen_before,
            campaigns=loaded.campaigns,
        )
        for entry in loaded.entries:
            unit.take(entry)
        watch.lap("decide")
        decided = await self._write(connection, loaded.stored, unit)
        refusals = await self._write_refusals(connection, unit, decided)
        watch.lap("write")
        encoded: Encoded | None = {} if self._settings.orders_state else None
        records = [
            *decided_records(unit, decided, self._settings.max_event_bytes, encoded),
            *(() if encoded is None else self._states(loaded.stored, unit, encoded)),
            *refused_outcomes(unit.refused, unit.now),
            *refusals,
        ]
        watch.lap("encode")
        await self._outbox.append(connection, records, caused_at=batch.caused_at, step=batch.step)
        await self._queue.save(connection, batch, unit.gate)
        if not batch.is_trial:
            count_and_log(self._metrics, decided, unit.refused)
            if batch.trace is not None:
                note_ends(batch.trace, decided, unit.refused)
            if unit.unknown_codes:
                unmapped.count(self._metrics, unit.unknown_codes)
        watch.lap("outbox")

    # Read.

    async def _read(
        self, connection: Connection, entries: Sequence[Entry], batch: Batch
    ) -> _Loaded:
        """Lock what the items name and what waits for it, then what the waiting items name."""
        named = _named(entries)
        if named.unnamed:
            named.numbers |= await _numbers_of(connection, named.references, named.unnamed)
        locked = await _lock(connection, named, is_final=False)
        if not locked.is_complete:
            more = _named([each for _, each in _read_waits(locked.waits, batch.now)])
            if more.unnamed:
                more.numbers |= await _numbers_of(connection, more.references, more.unnamed)
            named.add(more)
            locked = await _lock(connection, named, is_final=True)
        if named.unnamed:
            _check_all_locked(locked.stored, named.unnamed, named.numbers)
        waits = _read_waits(locked.waits, batch.now)
        if batch.trace is not None:
            of_waits = traced(batch.trace, [each for _, each in waits], are_waiting=True)
            waits = [(row, each) for (row, _), each in zip(waits, of_waits, strict=True)]
        stored = locked.stored
        if named.implying and (
            implied := _implied(stored, named.implying).difference(named.numbers)
        ):
            stored = await store.lock_more(connection, stored, implied)
            named.numbers |= implied
        decoded = [*entries, *(entry for _, entry in waits)]
        stored = await store.recall_repeats(connection, stored, _commands(decoded))
        gate = await self._queue.open_gate(
            connection,
            batch,
            lambda: keys_of(named.references, named.numbers, stored) | campaign_keys(decoded),
            is_any_parked=locked.is_any_parked,
        )
        campaigns = await self._lock_campaigns(connection, named, decoded, stored)
        return _Loaded(entries, waits, stored, gate, campaigns)

    async def _lock_campaigns(
        self,
        connection: Connection,
        named: _Named,
        decoded: Sequence[Entry],
        stored: store.Stored,
    ) -> Locked:
        """Lock and read the campaigns of the shops of commands, after all other locks.

        Reports name no shop, and change no choice.
        """
        shops = {*map(_SHOP, named.references), *map(_SHOP, named.changes)}
        if not shops:
            return NOTHING
        wanted = Wanted(
            shops,
            lambda those: codes_in(_commands(decoded), stored.orders.values(), those),
            named.changes,
        )
        return await lock_books(connection, self._books, wanted)

    # Write.

    async def _write(
        self, connection: Connection, stored: store.Stored, unit: UnitOfWork
    ) -> Sequence[Decided]:
        """Write what changed and what waits; returns the final decisions."""
        new_waits = unit.new_waits()
        changes = store.Changes(
            unit.changed_orders,
            unit.changed_parcels,
            unit.new_references,
            awaited_references(new_waits),
            unit.changed_names,
        )
        await store.save(connection, stored, changes)
        await self._write_campaigns(connection, stored, unit)
        await placeholders.save(connection, changes.awaited, unit.now)
        if unit.unknown_codes:
            await unmapped.save(connection, unit.unknown_codes, unit.now)
        await waiting.remove(connection, unit.ended_waiting)
        rows = [self._waiting_row(*each, unit.now) for each in new_waits]
        return unit.conclude(await waiting.save(connection, rows))

    async def _write_campaigns(
        self, connection: Connection, stored: store.Stored, unit: UnitOfWork
    ) -> None:
        """Write changed campaigns, and when campaigns matter for orders of shops with a book."""
        if (changes := unit.campaigns.changes) is not None:
            await campaign_store.save(connection, changes, unit.now)
        if unit.campaigns.books:
            times = campaign_store.changed_times(
                unit.campaigns.books, stored.orders, unit.changed_orders
            )
            await campaign_store.save_order_times(connection, times)

    def _states(
        self, stored: store.Stored, unit: UnitOfWork, encoded: Encoded
    ) -> Iterable[Outgoing]:
        """The state of each order that changed; `encoded` has contexts of their events."""
        most = self._settings.max_event_bytes
        before, after = stored.orders, unit.changed_orders
        return state_records(before, after, encoded, max_bytes=most, now=unit.now)

    async def _write_refusals(
        self, connection: Connection, unit: UnitOfWork, decided: Sequence[Decided]
    ) -> Sequence[Outgoing]:
        """Write the refused items; returns their records for the topics of refusals."""
        refusals = [*unit.refused, *filter(None, map(rejection_of, decided))]
        return await rejections.save(connection, refusals, source=encode.SOURCE, now=unit.now)

    def _waiting_row(self, key: str, asked: DecodedItem, now: datetime) -> Waiting:
        item = asked.item
        wait = self._waits.get(item.original.coordinates.topic, self._waits[TRACKING])
        return Waiting(item.item_id, key, alone(asked), item.index, now + wait)

    # Sweep.

    async def sweep(self, connection: Connection, batch: Batch) -> int:
        """Refuse what has waited too long in business time, and delete unneeded placeholders.

        Returns how many items and recorded names ended.
        """
        ended = await self._expiry.refuse(connection, batch)
        before = batch.now - self._waits[COMMANDS]
        return ended + await placeholders.sweep(connection, before, SWEEP_ITEMS)


@dataclass(slots=True)
class _Named:
    """What the items of a batch name, or seem to."""

    references: set[Reference]
    numbers: set[str]
    """Normalised."""
    unnamed: set[Uuid]
    """Shipments whose numbers are named, but stand only on the stored orders."""
    implying: list[Command]
    """Commands that are about other numbers of the stored orders (`implied_numbers`)."""
    changes: list[ChangeCampaigns]

    def add(self, more: _Named) -> None:
        """Add what waiting items name."""
        self.references |= more.references
        self.numbers |= more.numbers
        self.unnamed |= more.unnamed
        self.implying += more.implying


def _named(entries: Collection[Entry]) -> _Named:
    references: set[Reference] = set()
    numbers: set[str] = set()
    shipments: set[Uuid] = set()
    implying: list[Command] = []
    changes: list[ChangeCampaigns] = []
    for entry in entries:
        if isinstance(entry, DecodedItem):
            named = names(entry.command)
            references.update(map(canonical, named.references))
            numbers.update(named.numbers)
            if named.is_partial:
                if named.shipment:
                    shipments.add(named.shipment)
                else:
                    implying.append(entry.command)
            elif not named.references and not named.numbers:
                changes.append(cast("ChangeCampaigns", entry.command))
        elif isinstance(entry, UndecodedItem):
            hint = hint_of(entry)
            references.update(hint.references)
            numbers.update(hint.numbers)
    return _Named(references, numbers, shipments, implying, changes)


async def _numbers_of(
    connection: Connection, references: Collection[Reference], unnamed: Collection[Uuid]
) -> set[str]:
    """The stored numbers of shipments that commands do not name by number; nothing is locked."""
    orders = await store.named_orders(connection, references)
    stored = store.shipment_numbers(chain.from_iterable(orders.values()))
    return {number for shipment in unnamed if (number := stored.get(shipment))}


def _check_all_locked(
    stored: store.Stored, unnamed: Collection[Uuid], numbers: Collection[str]
) -> None:
    """Check that the numbers of unnamed shipments are still those that were locked.

    Raises:
        Contended: a number was attached meanwhile; the batch must be read again.
    """
    known = store.shipment_numbers(stored.orders.values())
    if {number for each in unnamed if (number := known.get(each))}.difference(numbers):
        raise Contended("a number was attached while the batch that changes it was read")


def _commands(entries: Iterable[Entry]) -> Iterator[Command]:
    """The commands of the items that could be read."""
    return (entry.command for entry in entries if isinstance(entry, DecodedItem))


def _implied(stored: store.Stored, commands: Iterable[Command]) -> set[str]:
    """The normalised numbers that commands do not name, but stand on the orders that they name."""
    found: set[str] = set()
    for command in commands:
        for reference in names(command).references:
            id_ = direct_id(reference) or stored.references.get(reference)
            for each in {id_, *stored.shared.get(reference, ())}:
                order = stored.orders.get(each) if each else None
                if order is not None and order.shop == reference.shop:
                    found |= implied_numbers(order, command)
    return found


def _lock(connection: Connection, named: _Named, *, is_final: bool) -> Awaitable[store.Locked]:
    awaited = waiting_keys(named.references, named.numbers)
    return store.lock(connection, named.references, named.numbers, awaited, is_final=is_final)


def _read_waits(rows: Sequence[Waiting], now: datetime) -> list[tuple[Waiting, Entry]]:
    """Waiting rows, each with the item read from it."""
    return [(row, read_item(row.original, row.index, now)) for row in rows]


class _StopWatch:
    """Times the stages of one batch."""

    def __init__(self, metrics: Metrics, trace: BatchTrace | None) -> None:
        self._metrics = metrics
        self._trace = trace
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The stage that ends now."""
        now = time.perf_counter()
        exemplar = None if self._trace is None else self._trace.lap(stage)
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(
            now - self._since, exemplar
        )
        self._since = now
