"""One batch of events: read, reduced to the newest facts, written; malformed ones are refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from asyncpg import Connection

from services.analytics import store
from services.analytics.domain.decide import newest_facts
from services.analytics.intake import Intake, ReadEvent, read_batch
from services.analytics.messages.decode import READERS
from services.analytics.parking_keys import event_candidate, intake_keys, unread_candidate
from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import ItemRef
from services.runtime.config.settings import Settings
from services.runtime.observability import item_log
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox
from services.runtime.parking.gate import ParkingGate
from services.runtime.parking.queue import Queue
from services.runtime.rejections import Rejection
from services.runtime.twins import count_decoded

SERVICE = "analytics"
SOURCE = "orderflow/analytics"


class EventBatches:
    """Applies batches of the three event topics, each with a constant number of statements."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._outbox = Outbox(settings.outbox_shards)
        self._queue = Queue(SERVICE, settings, metrics)
        self._metrics = metrics

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Merge the events of a batch into the stored facts, in the caller's transaction."""
        started = time.perf_counter()
        intake = read_batch(batch)
        count_decoded(READERS, self._metrics, SERVICE)
        self._observe("decode", time.perf_counter() - started)
        gate = await self._queue.open_gate(connection, batch, partial(intake_keys, intake))
        events, refused = _pass(intake, gate)
        decided = time.perf_counter()
        await store.save(connection, newest_facts(each.facts for each in events if each.facts))
        outgoing = await rejections.save(connection, refused, source=SOURCE, now=batch.now)
        await self._outbox.append(connection, outgoing, step=batch.step)
        await self._queue.save(connection, batch, gate)
        self._observe("write", time.perf_counter() - decided)
        if not batch.is_trial:
            self._count_and_log(events, refused)

    def _observe(self, stage: str, seconds: float) -> None:
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(seconds)

    def _count_and_log(self, events: Sequence[ReadEvent], refused: Sequence[Rejection]) -> None:
        for each in events:
            topic = each.original.coordinates.topic
            self._metrics.items_total.labels(SERVICE, topic, "applied", "").inc()
        for refusal in refused:
            topic, reason = refusal.original.coordinates.topic, refusal.reason
            self._metrics.items_total.labels(SERVICE, topic, "rejected", reason).inc()
            item = (refusal.original, refusal.envelope, refusal.index)
            item_log.log_item(item_log.REJECTED, item, service=SERVICE, reason=reason)


def _pass(intake: Intake, gate: ParkingGate) -> tuple[list[ReadEvent], list[Rejection]]:
    """The events to apply and the records to refuse now, without those that are parked."""
    for unread in intake.unread:
        gate.park(unread_candidate(unread), unread.failure)
    events = []
    for each in intake.events:
        ref = ItemRef(each.original.coordinates, 0)
        with gate.turn(ref, partial(event_candidate, each)) as turn:
            if not turn.blocked:
                turn.done("applied")
                events.append(each)
    return events, [each for each in intake.refused if gate.refuse(each)]
