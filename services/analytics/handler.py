"""One batch of events: read, fold, write; what cannot be read is set aside for its sender."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from asyncpg import Connection

from services.analytics import store
from services.analytics.domain.folding import fold
from services.analytics.intake import (
    Arrived,
    Telling,
    entrant_of,
    read_batch,
    unread_entrant,
)
from services.analytics.messages import READERS
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
from services.runtime.twins import count_roads

SERVICE = "analytics"
SOURCE = "orderflow/analytics"


class EventBatches:
    """Applies batches of the three event topics, a constant number of statements each."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._outbox = Outbox(settings.outbox_shards)
        self._queue = Queue(SERVICE, settings, metrics)
        self._metrics = metrics

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Merge a batch's news into the facts, in the caller's transaction."""
        started = time.perf_counter()
        arrived = read_batch(batch)
        count_roads(READERS, self._metrics, SERVICE)
        self._observe("decode", time.perf_counter() - started)
        lanes = await self._queue.open(connection, batch, arrived.names)
        tellings, refused = _admitted(arrived, lanes)
        decided = time.perf_counter()
        await store.save(connection, fold(each.news for each in tellings if each.news))
        outgoing = await rejections.save(connection, refused, source=SOURCE, now=batch.now)
        await self._outbox.append(connection, outgoing, step=batch.step)
        await self._queue.save(connection, batch, lanes)
        self._observe("write", time.perf_counter() - decided)
        if not batch.is_trial:
            self._tell(tellings, refused)

    def _observe(self, stage: str, seconds: float) -> None:
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(seconds)

    def _tell(self, tellings: Sequence[Telling], refused: Sequence[Rejection]) -> None:
        for each in tellings:
            topic = each.original.coordinates.topic
            self._metrics.items_total.labels(SERVICE, topic, "applied", "").inc()
        for refusal in refused:
            topic, reason = refusal.original.coordinates.topic, refusal.reason
            self._metrics.items_total.labels(SERVICE, topic, "rejected", reason).inc()
            item = (refusal.original, refusal.envelope, refusal.index)
            item_log.log_item(item_log.REJECTED, item, service=SERVICE, reason=reason)


def _admitted(arrived: Arrived, lanes: ParkingGate) -> tuple[list[Telling], list[Rejection]]:
    """What may be folded in and refused now: not what stands behind a parked event of its order."""
    for unread in arrived.unread:
        lanes.begin(ItemRef(unread.original.coordinates, unread.index))
        lanes.fail(unread_entrant(unread), unread.failure)
    tellings = []
    for each in arrived.tellings:
        slot = ItemRef(each.original.coordinates, 0)
        lanes.begin(slot)
        if lanes.admits(slot, partial(entrant_of, each)):
            lanes.settle(slot, "applied")
            tellings.append(each)
    refused = []
    for refusal in arrived.refused:
        slot = ItemRef(refusal.original.coordinates, refusal.index)
        lanes.begin(slot)
        if lanes.refuses(slot, refusal):
            refused.append(refusal)
    return tellings, refused
