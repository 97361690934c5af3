"""One batch of the orders service: read all it touches, decide each item, write all that changed.

Inside the one transaction that the runtime begins and commits; a constant number of statements.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from asyncpg import Connection

from services.orders import store
from services.orders.docket import Decided, Docket
from services.orders.domain.commands import (
    Reference,
    ReferenceKind,
    canonical,
    names,
    number_key,
    reference_key,
)
from services.orders.domain.decision import Outcome
from services.orders.domain.reasons import SENTENCES, Reason
from services.orders.messages import context, outgoing
from services.orders.messages.incoming import (
    COMMANDS,
    TRACKING,
    Asked,
    Entry,
    alone,
    is_of_many,
    read,
    read_item,
)
from services.orders.telling import SERVICE, tell
from services.runtime import rejections, waiting
from services.runtime.consumer import Batch
from services.runtime.outbox import Outbox, Outgoing
from services.runtime.queries import load
from services.runtime.records import FieldError, Item
from services.runtime.rejections import Rejection
from services.runtime.retrying import Contended
from services.runtime.settings import Settings
from services.runtime.telemetry import Metrics
from services.runtime.waiting import Waiting

SWEEP_ITEMS = 500
# What the events of one item may weigh together: their snapshots are cut to stay below it.
DECISION_MAX_BYTES = 16 * 1024 * 1024
SQL = load(Path(__file__).parent / "sql" / "sweep.sql")


@dataclass(frozen=True, slots=True)
class _Agenda:
    """What a batch asks, what already waits for it, and what was locked for both."""

    asked: Sequence[Asked]
    kept: Sequence[tuple[str, Asked]]
    stored: store.Stored


class OrdersBatch:
    """Applies batches and sweeps; holds only what is the same for all of them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._outbox = Outbox(settings.outbox_shards)
        self._waits = {
            COMMANDS: timedelta(seconds=settings.command_wait_seconds),
            TRACKING: timedelta(seconds=settings.tracking_wait_seconds),
        }

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Decide every item of the batch and write what follows."""
        watch = _StopWatch(self._metrics)
        entries = [entry for record in batch.records for entry in read(record, batch.now)]
        watch.lap("decode")
        agenda = await self._read(connection, entries, batch.now)
        watch.lap("read")
        docket = Docket.open(batch.now, agenda.stored, agenda.kept)
        for asked in agenda.asked:
            docket.hear(asked)
        watch.lap("decide")
        refused = [entry for entry in entries if isinstance(entry, Rejection)]
        await self._write(connection, batch, agenda.stored, docket, refused)
        watch.lap("write")

    # Read.

    async def _read(
        self, connection: Connection, entries: Sequence[Entry], now: datetime
    ) -> _Agenda:
        """Lock what the items name, and what waits for it: two looks at the waiting, one after
        the locks, so that an item that began to wait in between is never missed.
        """
        asked = [entry for entry in entries if isinstance(entry, Asked)]
        references, numbers = _named(asked)
        first = await waiting.take(connection, _keys(references))
        called = _kept(first, now)
        more_references, more_numbers = _named([each for _, each in called])
        references, numbers = references | more_references, numbers | more_numbers
        keys = [*_keys(references), *map(number_key, numbers)]
        second = await waiting.take(connection, keys)
        stored = await store.lock(connection, references, numbers)
        last = await waiting.take(connection, keys)
        if {row.item_id for row in last} != {row.item_id for row in second}:
            raise Contended("an item began to wait for this batch while it was read")
        return _Agenda(asked, _kept(last, now), stored)

    # Write.

    async def _write(
        self,
        connection: Connection,
        batch: Batch,
        stored: store.Stored,
        docket: Docket,
        refused: Sequence[Rejection],
    ) -> None:
        awaited = docket.newly_waiting()
        changes = store.Changes(
            docket.changed_orders,
            docket.changed_parcels,
            docket.new_references,
            _awaited_references(awaited),
        )
        await store.save(connection, stored, changes)
        await waiting.remove(connection, docket.ended_waiting)
        rows = [self._waiting_row(*each, docket.now) for each in awaited]
        docket.repeat_waiting(await waiting.save(connection, rows))
        refusals = [*refused, *filter(None, map(_rejection, docket.decided))]
        told = await rejections.save(connection, refusals, source=outgoing.SOURCE, now=docket.now)
        records = [*self._records(docket), *_refused_outcomes(refused, docket.now), *told]
        await self._outbox.append(connection, records, caused_at=batch.caused_at)
        tell(self._metrics, docket.decided, refused)

    def _waiting_row(self, key: str, asked: Asked, now: datetime) -> Waiting:
        item = asked.item
        wait = self._waits.get(item.original.coordinates.topic, self._waits[TRACKING])
        return Waiting(item.item_id, key, alone(asked), item.index, now + wait)

    def _records(self, docket: Docket) -> Iterator[Outgoing]:
        """Events in the order they were decided, each item's outcome after its events."""
        for decided in docket.decided:
            item, decision = decided.asked.item, decided.decision
            # A whole history reported at once makes hundreds of events, each with the order.
            most = DECISION_MAX_BYTES // max(1, len(decision.events))
            snapshots = {
                order.order_id: context.encode(order, min(self._settings.max_event_bytes, most))
                for order in (decision.orders if decision.events else ())
            }
            for event in decision.events:
                yield outgoing.event_record(
                    event, snapshots[event.order_id], item.envelope.traceparent
                )
            if _has_outcome(decided):
                order = docket.orders.get(decision.order_id) if decision.order_id else None
                yield outgoing.outcome_record(
                    item, decided.asked.command, decision, order, docket.now
                )

    # Sweep.

    async def sweep(self, connection: Connection, now: datetime) -> int:
        """Refuse what has waited too long in business time; returns how many items ended."""
        rows = await waiting.lock_expired(connection, now, SWEEP_ITEMS)
        if not rows:
            return 0
        expired = [(row, read_item(row.original, row.index, now)) for row in rows]
        refusals = [_expiry(row, entry) for row, entry in expired]
        await waiting.remove(connection, [row.item_id for row in rows])
        numbers = [row.waits_for.removeprefix(number_key("")) for row in rows]
        await connection.execute(SQL["delete_unowned_parcels"], numbers)
        told = await rejections.save(connection, refusals, source=outgoing.SOURCE, now=now)
        outcomes = _refused_outcomes(refusals, now)
        await self._outbox.append(connection, [*outcomes, *told])
        tell(self._metrics, (), refusals)
        return len(rows)


def _named(asked: Collection[Asked]) -> tuple[set[Reference], set[str]]:
    """All references and normalised numbers that the items name."""
    all_names = [names(each.command) for each in asked]
    references = {canonical(reference) for named in all_names for reference in named.references}
    return references, {number for named in all_names for number in named.numbers}


def _keys(references: Collection[Reference]) -> list[str]:
    """What items may wait for by these references; an order's number gives away its uuid too."""
    by_id = {
        Reference(reference.shop, ReferenceKind.UUID, str(id_))
        for reference in references
        if (id_ := store.direct_id(reference))
    }
    return [reference_key(each) for each in {*references, *by_id}]


def _kept(rows: Sequence[Waiting], now: datetime) -> list[tuple[str, Asked]]:
    """Waiting rows as items again; they were readable when they came, and are still."""
    kept = []
    for row in rows:
        entry = read_item(row.original, row.index, now)
        if isinstance(entry, Rejection):
            raise TypeError(f"waiting item {row.item_id} can no longer be read: {entry.detail}")
        kept.append((row.waits_for, entry))
    return kept


def _awaited_references(awaited: Sequence[tuple[str, Asked]]) -> list[Reference]:
    """The references that newly waiting commands need an anchor for."""
    return [
        reference
        for key, asked in awaited
        for reference in map(canonical, names(asked.command).references)
        if reference_key(reference) == key
    ]


def _has_outcome(decided: Decided) -> bool:
    """Commands are answered, each once and when it is final; scans and claim copies are not."""
    is_command = decided.asked.item.original.coordinates.topic == COMMANDS
    return is_command and decided.decision.outcome is not Outcome.WAITING


def _rejection(decided: Decided) -> Rejection | None:
    """A refusal by a rule as a record for the sender; None for any other outcome."""
    decision, item = decided.decision, decided.asked.item
    if decision.outcome is not Outcome.REJECTED or decision.reason is None:
        return None
    detail = decision.detail or SENTENCES[decision.reason]
    pointer = _bulk_pointer(item) + (decision.pointer or "")
    return Rejection(
        item.original,
        item.index,
        item.envelope,
        decision.reason.value,
        detail,
        (FieldError(pointer, detail),),
        is_of_many(item),
    )


def _bulk_pointer(item: Item) -> str:
    return f"/items/{item.index}" if is_of_many(item) else ""


def _refused_outcomes(refused: Sequence[Rejection], now: datetime) -> Iterator[Outgoing]:
    """Outcomes of commands that were refused without a decision."""
    for refusal in refused:
        if refusal.original.coordinates.topic == COMMANDS:
            yield outgoing.refusal_record(_unread(refusal), refusal.reason, refusal.detail, now)


def _expiry(row: Waiting, entry: Entry) -> Rejection:
    item = entry.item if isinstance(entry, Asked) else _unread(entry)
    is_tracking = row.original.coordinates.topic == TRACKING
    reason = Reason.NUMBER_NOT_OWNED if is_tracking else Reason.ORDER_NOT_FOUND
    detail = f"nothing became known as {row.waits_for!r} by {row.expires_at.isoformat()}"
    pointer = _bulk_pointer(item) + ("/tracking_number" if is_tracking else "/id")
    return Rejection(
        row.original,
        row.index,
        item.envelope,
        reason.value,
        detail,
        (FieldError(pointer, detail),),
        is_of_many(item),
    )


def _unread(refusal: Rejection) -> Item:
    return Item(refusal.original, refusal.index, refusal.envelope, None)


class _StopWatch:
    """Times the stages of one batch."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The stage that ends now."""
        now = time.perf_counter()
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(now - self._since)
        self._since = now
