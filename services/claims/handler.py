"""One batch of the claims service (decode, lock and read, decide, write), and the expiry sweep."""

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
from services.claims.domain.decision import Outcome
from services.claims.domain.references import ORDER, ids_in
from services.claims.intake import Intake, read_batch
from services.claims.loading import load
from services.claims.messages.decode import READERS
from services.claims.messages.encode import SOURCE
from services.claims.outcomes import decided_records, refused_outcomes, rejection_of
from services.claims.unit_of_work import Decided, UnitOfWork
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.batch.items import WHOLE, Parked
from services.runtime.config.settings import Settings
from services.runtime.config.source_lists import allowed_sources_of
from services.runtime.observability import item_log
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox
from services.runtime.parking.queue import Queue
from services.runtime.postgres.connections import Connection
from services.runtime.rejections import Rejection
from services.runtime.twins import count_decoded
from services.runtime.waiting import store as waiting
from services.runtime.waiting.store import Waiting

SERVICE = "claims"
SWEEP_ITEMS = 500

_LOGGED = {Outcome.REJECTED: item_log.REJECTED, Outcome.WAITING: item_log.WAITS}

log = structlog.get_logger(__name__)


class ClaimBatches:
    """Applies batches and runs sweeps; keeps no state between them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._event_bytes_max = settings.max_event_bytes
        self._wait = timedelta(seconds=settings.command_wait_seconds)
        self._senders = allowed_sources_of(settings)
        self._outbox = Outbox(settings.outbox_shards)
        self._queue = Queue(SERVICE, settings, metrics)
        self._metrics = metrics

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Save the orders in events and decide every command, in the caller's transaction."""
        for part in _split(batch):
            started = time.perf_counter()
            intake = read_batch(part, self._senders)
            count_decoded(READERS, self._metrics, SERVICE)
            self._observe("decode", started, part.trace)
            await self._process(connection, intake, part)
            if not part.is_trial:
                self._count_events(intake)
            if part.trace is not None:
                for event in intake.events:
                    order = event.received.order.order_id
                    part.trace.end(event.original, 0, "applied", order_id=order)

    async def sweep(self, connection: Connection, batch: Batch) -> int:
        """Reject items that have waited too long in business time; returns how many items ended.

        A sweep takes the same steps as a batch, so it locks in the same sequence. Each item is
        decided once more and rejected for the reason it still waits.
        """
        keys = await store.find_expired(connection, batch.now, SWEEP_ITEMS)
        if not keys:
            return 0
        failures, trace = batch.known_failures, batch.trace
        intake = Intake(expired_keys=keys, known_failures=failures, trace=trace)
        unit = await self._process(connection, intake, batch)
        await store.delete_unseen_orders(connection, ids_in(keys, ORDER))
        await store.delete_unused_anchors(connection, keys)
        ended = sum(each.decision.outcome is not Outcome.WAITING for each in unit.decided)
        return ended + len(unit.gate.newly_parked)

    async def _process(self, connection: Connection, intake: Intake, batch: Batch) -> UnitOfWork:
        started = time.perf_counter()
        open_gate = partial(self._queue.open_gate, connection, batch)
        loaded = await load(connection, intake, open_gate)
        started = self._observe("read", started, batch.trace)
        unit = UnitOfWork(batch.now, self._wait, loaded)
        unit.run()
        refused = [each for each in intake.refused if loaded.gate.refuse(each)]
        started = self._observe("decide", started, batch.trace)
        await self._write(connection, unit, refused, batch)
        self._observe("write", started, batch.trace)
        if not batch.is_trial:
            self._count(unit, refused)
        if batch.trace is not None:
            _note_ends(batch.trace, unit, refused)
        return unit

    # Write.

    async def _write(
        self,
        connection: Connection,
        unit: UnitOfWork,
        refused: Sequence[Rejection],
        batch: Batch,
    ) -> None:
        await store.save_sequences(connection, unit.sequences)
        await store.save_claims(connection, unit.claims.values())
        await self._write_waiting(connection, unit)
        await store.delete_unused_anchors(connection, unit.loaded.claim_keys)
        rejected = [*refused, *filter(None, map(rejection_of, unit.decided))]
        rejected_records = await rejections.save(connection, rejected, source=SOURCE, now=unit.now)
        decided = decided_records(unit, self._event_bytes_max)
        records = [*decided, *refused_outcomes(refused, unit.now), *rejected_records]
        await self._outbox.append(connection, records, caused_at=batch.caused_at, step=batch.step)
        await self._queue.save(connection, batch, unit.gate)

    async def _write_waiting(self, connection: Connection, unit: UnitOfWork) -> None:
        """Delete the waiting rows of items that ended, and store the items that now wait."""
        ended = [
            each.task.command.item_id
            for each in unit.decided
            if each.task.waits_for and each.task.waits_for != each.decision.waits_for
        ]
        await waiting.remove(connection, [*unit.loaded.ended, *ended])
        rows = [
            Waiting(
                each.task.command.item_id,
                each.decision.waits_for or "",
                each.task.original,
                0,
                unit.expires_at(each.task),
            )
            for each in unit.new_waits()
        ]
        unit.conclude(await waiting.save(connection, rows))

    # Metrics and logs.

    def _observe(self, stage: str, started: float, trace: BatchTrace | None) -> float:
        now = time.perf_counter()
        exemplar = None if trace is None else trace.lap(stage)
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(now - started, exemplar)
        return now

    def _count_events(self, intake: Intake) -> None:
        """Count events of orders as applied; they have no other outcome."""
        topics = Counter(event.original.coordinates.topic for event in intake.events)
        topics.update(ref.at.topic for ref in intake.empty_events)
        for topic, count in topics.items():
            self._metrics.items_total.labels(SERVICE, topic, "applied", "").inc(count)

    def _count(self, unit: UnitOfWork, refused: Sequence[Rejection]) -> None:
        warned = []
        for each in unit.decided:
            decision, topic = each.decision, each.task.original.coordinates.topic
            if decision.outcome is Outcome.WAITING and each.task.waits_for:
                continue  # It still waits and was counted when it began to.
            reason = decision.reason or ""
            self._metrics.items_total.labels(SERVICE, topic, decision.outcome, reason).inc()
            self._log(unit, each)
            if each.task.warnings:
                codes = [found.code.value for found in each.task.warnings]
                warned.append(item_log.WarnedItem(each.task.original, each.task.envelope, 0, codes))
        if warned:
            item_log.count_and_log_warnings(self._metrics, SERVICE, warned)
        for refusal in refused:
            item = (refusal.original, refusal.envelope, refusal.index)
            item_log.log_item(item_log.REJECTED, item, service=SERVICE, reason=refusal.reason)
            topic = refusal.original.coordinates.topic
            self._metrics.items_total.labels(SERVICE, topic, "rejected", refusal.reason).inc()

    def _log(self, unit: UnitOfWork, each: Decided) -> None:
        decision, task = each.decision, each.task
        order, reason = unit.loaded.order_of(task), decision.reason or ""
        if decision.outcome in _LOGGED:
            item = (task.original, task.envelope, 0)
            event = _LOGGED[decision.outcome]
            item_log.log_item(event, item, service=SERVICE, reason=reason, order_id=order)
        elif decision.outcome is Outcome.NO_CHANGE and decision.detail:
            log.info(
                "claim_command_changed_nothing",
                reason=reason,
                detail=decision.detail,
                order_id=order,
                trace_id=task.envelope.trace_id,
                span_id=task.envelope.span_id,
            )


def _note_ends(trace: BatchTrace, unit: UnitOfWork, refused: Sequence[Rejection]) -> None:
    """Note in the trace of a batch how its items ended."""
    for each in unit.decided:
        task, decision = each.task, each.decision
        order = unit.loaded.order_of(task)
        trace.end(task.original, 0, decision.outcome.value, decision.reason, order)
    rejections.note_ends(refused, trace)


def _split(batch: Batch) -> Iterator[Batch]:
    """Split a batch, because its events are written before its commands are decided.

    Retried rows keep their order: each part has consecutive rows of one kind, or one record that
    was parked as a whole.
    """
    for _, rows in groupby(batch.retried, _group_key):
        yield replace(batch, records=(), retried=tuple(rows))
    if batch.records or not batch.retried:
        yield replace(batch, retried=())


def _group_key(row: Parked) -> tuple[bool, object]:
    is_command = row.original.coordinates.topic == CLAIMS_COMMANDS
    return is_command, row.position if row.index == WHOLE else None
