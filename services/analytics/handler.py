"""One batch: events reduced to the newest facts, activities counted, malformed ones refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from asyncpg import Connection

from schemas.activity import PORTAL_ACTIVITY_TYPE
from services.analytics import store
from services.analytics.domain.decide import newest_facts
from services.analytics.intake import Intake, ReadActivity, ReadEvent, read_batch
from services.analytics.messages.activity import READER
from services.analytics.messages.decode import READERS
from services.analytics.parking_keys import (
    activity_candidate,
    event_candidate,
    intake_keys,
    unread_candidate,
)
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.batch.items import ItemRef, ParkingCandidate
from services.runtime.config.settings import Settings
from services.runtime.config.source_lists import allowed_sources_of
from services.runtime.messages.records import Original
from services.runtime.observability import item_log
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox
from services.runtime.parking.gate import ParkingGate
from services.runtime.parking.queue import Queue
from services.runtime.twins import count_decoded

SERVICE = "analytics"
SOURCE = "orderflow/analytics"

ReadT = TypeVar("ReadT", ReadEvent, ReadActivity)


class EventBatches:
    """Applies batches of events and activities, each with a constant number of statements."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._senders = allowed_sources_of(settings)
        self._outbox = Outbox(settings.outbox_shards)
        self._queue = Queue(SERVICE, settings, metrics)
        self._metrics = metrics

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Merge events into the stored facts and count activities, in the caller's transaction."""
        started = time.perf_counter()
        intake = read_batch(batch, self._senders)
        count_decoded({**READERS, PORTAL_ACTIVITY_TYPE: READER}, self._metrics, SERVICE)
        self._observe("decode", time.perf_counter() - started, batch.trace)
        gate = await self._queue.open_gate(connection, batch, partial(intake_keys, intake))
        passed = _pass(intake, gate)
        if batch.trace is not None:
            batch.trace.lap("read")
        decided = time.perf_counter()
        facts = newest_facts(each.facts for each in passed.events if each.facts)
        await store.save(connection, facts)
        counted = (each.received.activity for each in passed.activities)
        await store.save_activities(connection, [each for each in counted if each])
        outgoing = await rejections.save(connection, passed.refused, source=SOURCE, now=batch.now)
        await self._outbox.append(connection, outgoing, step=batch.step)
        await self._queue.save(connection, batch, gate)
        self._observe("write", time.perf_counter() - decided, batch.trace)
        if not batch.is_trial:
            self._count_and_log(passed)
        if batch.trace is not None:
            _note_ends(batch.trace, passed)

    def _observe(self, stage: str, seconds: float, trace: BatchTrace | None) -> None:
        exemplar = None if trace is None else trace.lap(stage)
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(seconds, exemplar)

    def _count_and_log(self, passed: Intake) -> None:
        for each in passed.events:
            self._count(each.original, "applied", "")
        for read in passed.activities:
            is_counted = read.received.activity is not None
            self._count(read.original, *(("applied", "") if is_counted else ("no_change", "bot")))
        for refusal in passed.refused:
            self._count(refusal.original, "rejected", refusal.reason)
            item = (refusal.original, refusal.envelope, refusal.index)
            item_log.log_item(item_log.REJECTED, item, service=SERVICE, reason=refusal.reason)

    def _count(self, original: Original, outcome: str, reason: str) -> None:
        topic = original.coordinates.topic
        self._metrics.items_total.labels(SERVICE, topic, outcome, reason).inc()


def _note_ends(trace: BatchTrace, passed: Intake) -> None:
    """Note in the trace of a batch how its items ended."""
    for each in passed.events:
        trace.end(each.original, 0, "applied")
    for read in passed.activities:
        is_counted = read.received.activity is not None
        trace.end(read.original, 0, *(("applied",) if is_counted else ("no_change", "bot")))
    rejections.note_ends(passed.refused, trace)


def _pass(intake: Intake, gate: ParkingGate) -> Intake:
    """What of an intake is applied or refused now: all but what is parked."""
    for unread in intake.unread:
        gate.park(unread_candidate(unread), unread.failure)
    return Intake(
        [each for each in intake.events if _is_next(gate, each, event_candidate)],
        [each for each in intake.activities if _is_next(gate, each, activity_candidate)],
        [each for each in intake.refused if gate.refuse(each)],
    )


def _is_next(
    gate: ParkingGate, read: ReadT, candidate: Callable[[ReadT], ParkingCandidate]
) -> bool:
    """Whether an item is applied now; else it is parked behind an earlier one."""
    ref = ItemRef(read.original.coordinates, 0)
    with gate.turn(ref, partial(candidate, read)) as turn:
        if not turn.blocked:
            turn.done("applied")
        return not turn.blocked
