"""One batch of the claims service: decode, lock and read, decide, write; and the sweep."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import groupby

import structlog

from schemas.topics import CLAIMS_COMMANDS
from services.claims import store
from services.claims.domain.decision import ClaimEvent, Outcome
from services.claims.domain.references import ORDER, ids_in
from services.claims.intake import Intake, read
from services.claims.loading import gather
from services.claims.messages.decode import READERS
from services.claims.messages.encode import SOURCE, Surroundings, outgoing_event
from services.claims.unit_of_work import Decided, UnitOfWork
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, ItemFailed, ItemRef, Kind, Parked
from services.runtime.config.settings import Settings
from services.runtime.config.source_lists import allowed_sources_of
from services.runtime.messages.records import FieldError
from services.runtime.observability import item_log as telling
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.parking.gate import ParkingGate
from services.runtime.parking.queue import Queue
from services.runtime.postgres.connections import Connection
from services.runtime.rejections import Rejection
from services.runtime.twins import count_roads
from services.runtime.waiting import store as waiting
from services.runtime.waiting.store import Waiting

SERVICE = "claims"
SWEEP_ITEMS = 500

_LOGGED = {Outcome.REJECTED: telling.REJECTED, Outcome.WAITING: telling.WAITS}

log = structlog.get_logger(__name__)


class ClaimBatches:
    """Applies batches and sweeps; holds only what is the same for all of them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._event_bytes_max = settings.max_event_bytes
        self._wait = timedelta(seconds=settings.command_wait_seconds)
        self._senders = allowed_sources_of(settings)
        self._outbox = Outbox(settings.outbox_shards)
        self._queue = Queue(SERVICE, settings, metrics)
        self._metrics = metrics

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Take in the news of orders and decide every command, in the caller's transaction."""
        for part in _parts(batch):
            started = time.perf_counter()
            inbox = read(part, self._senders)
            count_roads(READERS, self._metrics, SERVICE)
            self._observe("decode", started)
            await self._work(connection, inbox, part)
            if not part.is_trial:
                self._count_news(inbox)

    async def sweep(self, connection: Connection, batch: Batch) -> int:
        """Refuse what has waited too long in business time; returns how many items ended.

        It goes the way of a batch, so that it locks in the same sequence and decides once more:
        an item is refused for the reason it waited, as things stand now.
        """
        names = await store.find_expired(connection, batch.now, SWEEP_ITEMS)
        if not names:
            return 0
        docket = await self._work(connection, Intake(revisited=names, doomed=batch.doomed), batch)
        await store.forget_orders(connection, ids_in(names, ORDER))
        await store.forget_anchors(connection, names)
        ended = sum(each.decision.outcome is not Outcome.WAITING for each in docket.decided)
        return ended + len(docket.lanes.joining)

    async def _work(self, connection: Connection, inbox: Intake, batch: Batch) -> UnitOfWork:
        started = time.perf_counter()
        gathered = await gather(connection, inbox, partial(self._queue.open, connection, batch))
        started = self._observe("read", started)
        docket = UnitOfWork(batch.now, self._wait, gathered)
        docket.run()
        refused = _ended(gathered.lanes, inbox.refused)
        started = self._observe("decide", started)
        await self._write(connection, docket, refused, batch)
        self._observe("write", started)
        if not batch.is_trial:
            self._count(docket, refused)
        return docket

    # Write.

    async def _write(
        self,
        connection: Connection,
        docket: UnitOfWork,
        malformed: Sequence[Rejection],
        batch: Batch,
    ) -> None:
        await store.save_sequences(connection, docket.sequences)
        await store.save_claims(connection, docket.claims.values())
        await self._write_waiting(connection, docket)
        await store.forget_anchors(connection, docket.gathered.claim_names)
        refused = [
            *malformed,
            *(_rejection(d) for d in docket.decided if d.decision.outcome is Outcome.REJECTED),
        ]
        told = await rejections.save(connection, refused, source=SOURCE, now=docket.now)
        records = [*self._events(docket), *told]
        await self._outbox.append(connection, records, caused_at=batch.caused_at, step=batch.step)
        await self._queue.save(connection, batch, docket.lanes)

    async def _write_waiting(self, connection: Connection, docket: UnitOfWork) -> None:
        """Items that ended wait no longer; those that now wait for something else are moved."""
        ended, kept = list(docket.gathered.ended), []
        for each in docket.decided:
            task, waits_for = each.task, each.decision.waits_for
            if task.waits_for == waits_for:
                continue
            identity = task.command.item_id
            if task.waits_for:
                ended.append(identity)
            if waits_for:
                until = docket.expires_at(task)
                kept.append(Waiting(identity, waits_for, task.original, 0, until))
        await waiting.remove(connection, ended)
        await waiting.save(connection, kept)

    def _events(self, docket: UnitOfWork) -> list[Outgoing]:
        """Events in the order they were decided.

        Raises:
            ItemFailed: what was decided of an item cannot be written down.
        """
        return [
            self._event(docket, each, event)
            for each in docket.decided
            if (event := each.decision.event)
        ]

    def _event(self, docket: UnitOfWork, each: Decided, event: ClaimEvent) -> Outgoing:
        task = each.task
        try:
            return outgoing_event(
                event,
                Surroundings(docket.gathered.contexts[event.claim.order_id], each.claims),
                (task.original, task.envelope),
                now=docket.now,
                bytes_max=self._event_bytes_max,
            )
        except Exception as error:
            raise ItemFailed(ItemRef(task.original.coordinates, 0), Kind.ENCODING) from error

    # What operators see.

    def _observe(self, stage: str, started: float) -> float:
        now = time.perf_counter()
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(now - started)
        return now

    def _count_news(self, inbox: Intake) -> None:
        """Events of orders have no outcome of their own but that they were taken in."""
        topics = Counter(telling.original.coordinates.topic for telling in inbox.tellings)
        topics.update(slot.at.topic for slot in inbox.without_news)
        for topic, count in topics.items():
            self._metrics.items_total.labels(SERVICE, topic, "applied", "").inc(count)

    def _count(self, docket: UnitOfWork, malformed: Sequence[Rejection]) -> None:
        for each in docket.decided:
            decision, topic = each.decision, each.task.original.coordinates.topic
            if decision.outcome is Outcome.WAITING and each.task.waits_for:
                continue  # Counted when it began to wait.
            reason = decision.reason or ""
            self._metrics.items_total.labels(SERVICE, topic, decision.outcome, reason).inc()
            self._log(docket, each)
        for refused in malformed:
            item = (refused.original, refused.envelope, refused.index)
            telling.log_item(telling.REJECTED, item, service=SERVICE, reason=refused.reason)
            topic = refused.original.coordinates.topic
            self._metrics.items_total.labels(SERVICE, topic, "rejected", refused.reason).inc()

    def _log(self, docket: UnitOfWork, each: Decided) -> None:
        decision, task = each.decision, each.task
        order, reason = docket.gathered.order_of(task), decision.reason or ""
        if decision.outcome in _LOGGED:
            item = (task.original, task.envelope, 0)
            event = _LOGGED[decision.outcome]
            telling.log_item(event, item, service=SERVICE, reason=reason, order_id=order)
        elif decision.outcome is Outcome.NO_CHANGE and decision.detail:
            log.info(
                "claim_command_changed_nothing",
                reason=reason,
                detail=decision.detail,
                order_id=order,
                trace_id=task.envelope.trace_id,
            )


def _parts(batch: Batch) -> Iterator[Batch]:
    """News are written before commands are decided: retried rows of one kind at a time, so that
    they keep their order, and each record that was parked unread alone.
    """
    for _, rows in groupby(batch.retried, _work_of):
        yield replace(batch, records=(), retried=tuple(rows))
    if batch.records or not batch.retried:
        yield replace(batch, retried=())


def _work_of(row: Parked) -> tuple[bool, object]:
    is_command = row.original.coordinates.topic == CLAIMS_COMMANDS
    return is_command, row.place if row.index == WHOLE else None


def _ended(lanes: ParkingGate, refused: Sequence[Rejection]) -> list[Rejection]:
    """Those of the refused that may end now: one that was parked may stand behind another."""
    ended = []
    for each in refused:
        slot = ItemRef(each.original.coordinates, each.index)
        lanes.begin(slot)
        if lanes.refuses(slot, each):
            ended.append(each)
    return ended


def _rejection(each: Decided) -> Rejection:
    """A refusal by a rule, as its sender is told."""
    decision, task = each.decision, each.task
    detail = decision.detail or ""
    errors = (FieldError(decision.pointer, detail),)
    return Rejection(task.original, 0, task.envelope, decision.reason or "", detail, errors)
