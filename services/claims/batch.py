"""One batch of the claims service: decode, lock and read, decide, write; and the sweep."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from services.claims import store
from services.claims.docket import Decided, Docket
from services.claims.domain.decision import Outcome
from services.claims.domain.names import ORDER, ids_in
from services.claims.events import SOURCE, Surroundings, outgoing_event
from services.claims.gathering import gather
from services.claims.inbox import Inbox, read
from services.runtime import rejections, telling, waiting
from services.runtime.consumer import Batch
from services.runtime.outbox import Outbox, Outgoing
from services.runtime.postgres import Connection
from services.runtime.records import FieldError
from services.runtime.rejections import Rejection
from services.runtime.settings import Settings
from services.runtime.telemetry import Metrics
from services.runtime.waiting import Waiting

SERVICE = "claims"
SWEEP_ITEMS = 500

_LOGGED = {Outcome.REJECTED: telling.REJECTED, Outcome.WAITING: telling.WAITS}

log = structlog.get_logger(__name__)


class ClaimBatches:
    """Applies batches and sweeps; holds only what is the same for all of them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._event_bytes_max = settings.max_event_bytes
        self._wait = timedelta(seconds=settings.command_wait_seconds)
        self._outbox = Outbox(settings.outbox_shards)
        self._metrics = metrics

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Take in the news of orders and decide every command, in the caller's transaction."""
        started = time.perf_counter()
        inbox = read(batch.records)
        self._observe("decode", started)
        await self._work(connection, inbox, batch.now, batch.caused_at)
        self._count_news(batch, inbox)

    async def sweep(self, connection: Connection, now: datetime) -> int:
        """Refuse what has waited too long in business time; returns how many items ended.

        It goes the way of a batch, so that it locks in the same sequence and decides once more:
        an item is refused for the reason it waited, as things stand now.
        """
        names = await store.find_expired(connection, now, SWEEP_ITEMS)
        if not names:
            return 0
        docket = await self._work(connection, Inbox(revisited=names), now, None)
        await store.forget_orders(connection, ids_in(names, ORDER))
        await store.forget_anchors(connection, names)
        return sum(each.decision.outcome is not Outcome.WAITING for each in docket.decided)

    async def _work(
        self, connection: Connection, inbox: Inbox, now: datetime, caused_at: datetime | None
    ) -> Docket:
        started = time.perf_counter()
        gathered = await gather(connection, inbox)
        started = self._observe("read", started)
        docket = Docket(now, self._wait, gathered)
        docket.run()
        started = self._observe("decide", started)
        await self._write(connection, docket, inbox.refused, caused_at)
        self._observe("write", started)
        self._count(docket, inbox.refused)
        return docket

    # Write.

    async def _write(
        self,
        connection: Connection,
        docket: Docket,
        malformed: Sequence[Rejection],
        caused_at: datetime | None,
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
        await self._outbox.append(connection, records, caused_at=caused_at)

    async def _write_waiting(self, connection: Connection, docket: Docket) -> None:
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

    def _events(self, docket: Docket) -> list[Outgoing]:
        """Events in the order they were decided."""
        return [
            outgoing_event(
                event,
                Surroundings(docket.gathered.contexts[event.claim.order_id], each.claims),
                (each.task.original, each.task.envelope),
                now=docket.now,
                bytes_max=self._event_bytes_max,
            )
            for each in docket.decided
            if (event := each.decision.event)
        ]

    # What operators see.

    def _observe(self, stage: str, started: float) -> float:
        now = time.perf_counter()
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(now - started)
        return now

    def _count_news(self, batch: Batch, inbox: Inbox) -> None:
        """Events of orders have no outcome of their own but that they were taken in."""
        topics = Counter(record.coordinates.topic for record in batch.records)
        topics.subtract(task.original.coordinates.topic for task in inbox.tasks)
        topics.subtract(refused.original.coordinates.topic for refused in inbox.refused)
        for topic, count in topics.items():
            if count > 0:
                self._metrics.items_total.labels(SERVICE, topic, "applied", "").inc(count)

    def _count(self, docket: Docket, malformed: Sequence[Rejection]) -> None:
        for each in docket.decided:
            decision, topic = each.decision, each.task.original.coordinates.topic
            if decision.outcome is Outcome.WAITING and each.task.waits_for:
                continue  # Counted when it began to wait.
            reason = decision.reason or ""
            self._metrics.items_total.labels(SERVICE, topic, decision.outcome, reason).inc()
            self._log(docket, each)
        for refused in malformed:
            item = (refused.original, refused.envelope, refused.index)
            telling.tell(telling.REJECTED, item, service=SERVICE, reason=refused.reason)
            topic = refused.original.coordinates.topic
            self._metrics.items_total.labels(SERVICE, topic, "rejected", refused.reason).inc()

    def _log(self, docket: Docket, each: Decided) -> None:
        decision, task = each.decision, each.task
        order, reason = docket.gathered.order_of(task), decision.reason or ""
        if decision.outcome in _LOGGED:
            item = (task.original, task.envelope, 0)
            event = _LOGGED[decision.outcome]
            telling.tell(event, item, service=SERVICE, reason=reason, order_id=order)
        elif decision.outcome is Outcome.NO_CHANGE and decision.detail:
            log.info(
                "claim_command_changed_nothing",
                reason=reason,
                detail=decision.detail,
                order_id=str(order) if order else None,
                trace_id=task.envelope.trace_id,
            )


def _rejection(each: Decided) -> Rejection:
    """A refusal by a rule, as its sender is told."""
    decision, task = each.decision, each.task
    detail = decision.detail or ""
    errors = (FieldError(decision.pointer, detail),)
    return Rejection(task.original, 0, task.envelope, decision.reason or "", detail, errors)
