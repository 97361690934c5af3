"""One batch of the deliveries service: commands decided, events matched, deliveries stored."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

from asyncpg import Connection

from schemas.topics import DELIVERIES_COMMANDS
from services.deliveries import store
from services.deliveries.domain.decide import Outcome
from services.deliveries.fulfilment_logs import FulfilmentLogs, orders_with_logs
from services.deliveries.intake import EventItem, Intake, read_batch, urls_in
from services.deliveries.names import SERVICE, SOURCE
from services.deliveries.network.url_checks import UrlChecks
from services.deliveries.network.urls import rules_of, words_of
from services.deliveries.outcomes import decided_records, refused_outcomes, rejection_of
from services.deliveries.parking_keys import intake_keys, unread_candidate
from services.deliveries.receivers import Receivers
from services.deliveries.secret_box import read_box
from services.deliveries.unit_of_work import UnitOfWork, matched
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.config.settings import Settings
from services.runtime.config.source_lists import allowed_sources_of
from services.runtime.messages.records import Original
from services.runtime.observability import item_log
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox
from services.runtime.parking.queue import Queue
from services.runtime.rejections import Rejection


class DeliveryBatches:
    """Applies batches of the event topics and of commands."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._box = read_box(settings.deliveries_key)
        nameservers = words_of(settings.deliveries_nameservers)
        self._checks = UrlChecks(rules_of(settings), nameservers)
        self._receivers = Receivers()
        self._senders = allowed_sources_of(settings)
        self._outbox = Outbox(settings.outbox_shards)
        self._queue = Queue(SERVICE, settings, metrics)
        self._metrics = metrics

    async def prepare(self, records: Sequence[Original]) -> None:
        """Check the URLs of commands: a slow name server must not keep a transaction open."""
        await self._checks.prepare(urls_in(records))

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Decide the commands and match the events of a batch, in the caller's transaction."""
        started = time.perf_counter()
        intake = read_batch(batch, self._senders)
        targets = [each.received.target for each in intake.commands]
        urls = {each.webhook_url for each in targets if each and each.webhook_url}
        faults = await self._checks.find_faults(urls)
        started = self._observe("decode", started, batch.trace)
        gate = await self._queue.open_gate(connection, batch, partial(intake_keys, intake))
        for unread in intake.unread:
            gate.park(unread_candidate(unread), unread.failure)
        keys = {(each.received.shop, each.received.name) for each in intake.commands}
        known = await store.lock_destinations(connection, keys)
        started = self._observe("read", started, batch.trace)
        unit = UnitOfWork(batch.now, known, gate, self._box)
        unit.run(intake.commands, faults)
        await self._write(connection, batch, intake, unit)
        self._observe("write", started, batch.trace)

    async def _write(
        self, connection: Connection, batch: Batch, intake: Intake, unit: UnitOfWork
    ) -> None:
        now, gate = batch.now, unit.gate
        saved = await store.save_destinations(connection, list(unit.changed.values()), now)
        await store.save_replays(connection, unit.replays(), saved, now)
        await self._match(connection, intake.events, unit)
        refused = [each for each in intake.refused if gate.refuse(each)]
        by_rule = [rejection_of(item, decision) for item, decision in unit.decided]
        rejected = await rejections.save(
            connection, [*refused, *filter(None, by_rule)], source=SOURCE, now=now
        )
        decided = decided_records(unit.decided, now)
        outgoing = [*decided, *refused_outcomes(refused, now), *rejected]
        await self._outbox.append(connection, outgoing, caused_at=batch.caused_at, step=batch.step)
        await self._queue.save(connection, batch, gate)
        if not batch.is_trial:
            self._count(unit, refused)
        if batch.trace is not None:
            _note_ends(batch.trace, intake.events, unit, refused)

    async def _match(
        self, connection: Connection, events: Sequence[EventItem], unit: UnitOfWork
    ) -> None:
        """Store a delivery for each destination that gets an event, by what the batch changed."""
        shops = {each.received.head.shop for each in events}
        receivers = await self._receivers.find(connection, shops)
        asked = {each.received.event_id for each in events if each.received.head.shop in receivers}
        known = await store.find_known_events(connection, asked)
        orders = orders_with_logs(events, receivers)
        logs = FulfilmentLogs(await store.lock_logs(connection, orders))
        found = matched(events, unit.gate, receivers, known, logs)
        await store.save_logs(connection, logs.changed)
        await store.save_matches(connection, found, unit.now)

    # Metrics and logs.

    def _observe(self, stage: str, started: float, trace: BatchTrace | None) -> float:
        now = time.perf_counter()
        exemplar = None if trace is None else trace.lap(stage)
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(now - started, exemplar)
        return now

    def _count(self, unit: UnitOfWork, refused: Sequence[Rejection]) -> None:
        counted = self._metrics.items_total
        begun = Counter(ref.at.topic for ref in unit.gate.report.started)  # Without parked ones.
        del begun[DELIVERIES_COMMANDS]
        for topic, number in begun.items():
            counted.labels(SERVICE, topic, "applied", "").inc(number)
        for item, decision in unit.decided:
            reason = decision.reason or ""
            topic = item.original.coordinates.topic
            counted.labels(SERVICE, topic, decision.outcome, reason).inc()
            if decision.outcome is Outcome.REJECTED:
                named = (item.original, item.received.envelope, 0)
                item_log.log_item(item_log.REJECTED, named, service=SERVICE, reason=reason)
        for refusal in refused:
            topic, reason = refusal.original.coordinates.topic, refusal.reason
            counted.labels(SERVICE, topic, "rejected", reason).inc()
            named = (refusal.original, refusal.envelope, refusal.index)
            item_log.log_item(item_log.REJECTED, named, service=SERVICE, reason=reason)


def _note_ends(
    trace: BatchTrace,
    events: Sequence[EventItem],
    unit: UnitOfWork,
    refused: Sequence[Rejection],
) -> None:
    """Note in the trace of a batch how its items ended; parked ones are in the report."""
    for event in events:
        trace.end(event.original, 0, "applied", order_id=event.received.order_id)
    for item, decision in unit.decided:
        trace.end(item.original, 0, decision.outcome.value, decision.reason)
    rejections.note_ends(refused, trace)
