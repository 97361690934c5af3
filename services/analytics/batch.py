"""One batch of events: read, fold, write; what cannot be read is set aside for its sender."""

from __future__ import annotations

import time

from asyncpg import Connection

from services.analytics import store
from services.analytics.domain.facts import News
from services.analytics.domain.folding import fold
from services.analytics.messages import read_news
from services.runtime import rejections, telling
from services.runtime.consumer import Batch
from services.runtime.outbox import Outbox
from services.runtime.records import Malformed, Original, readable_envelope
from services.runtime.rejections import Rejection
from services.runtime.telemetry import Metrics

SERVICE = "analytics"
SOURCE = "orderflow/analytics"


class EventBatches:
    """Applies batches of the three event topics, a constant number of statements each."""

    def __init__(self, outbox: Outbox, metrics: Metrics) -> None:
        self._outbox = outbox
        self._metrics = metrics

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Merge a batch's news into the facts, in the caller's transaction."""
        started = time.perf_counter()
        news, refused = read_batch(batch.records)
        facts = fold(news)
        decoded = time.perf_counter()
        await store.save(connection, facts)
        outgoing = await rejections.save(connection, refused, source=SOURCE, now=batch.now)
        await self._outbox.append(connection, outgoing)
        self._observe("decode", decoded - started)
        self._observe("write", time.perf_counter() - decoded)
        self._count(batch.records, refused)
        for each in refused:
            item = (each.original, each.envelope, each.index)
            telling.tell(telling.REJECTED, item, service=SERVICE, reason=each.reason)

    def _observe(self, stage: str, seconds: float) -> None:
        self._metrics.batch_stage_seconds.labels(SERVICE, stage).observe(seconds)

    def _count(self, records: tuple[Original, ...], refused: list[Rejection]) -> None:
        reasons = {rejection.original.coordinates: rejection.reason for rejection in refused}
        for record in records:
            reason = reasons.get(record.coordinates, "")
            outcome = "rejected" if reason else "applied"
            topic = record.coordinates.topic
            self._metrics.items_total.labels(SERVICE, topic, outcome, reason).inc()


def read_batch(records: tuple[Original, ...]) -> tuple[list[News], list[Rejection]]:
    """The news of readable records, and a rejection for every other."""
    news: list[News] = []
    refused: list[Rejection] = []
    for record in records:
        try:
            piece = read_news(record)
        except Malformed as error:
            refused.append(_rejection(record, error))
            continue
        if piece is not None:
            news.append(piece)
    return news, refused


def _rejection(record: Original, error: Malformed) -> Rejection:
    envelope = readable_envelope(record)
    return Rejection(record, 0, envelope, error.reason, error.detail, error.errors)
