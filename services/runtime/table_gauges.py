"""Gauges of the tables of a service: outbox, waiting items and parked items."""

from __future__ import annotations

from pathlib import Path

from asyncpg import Connection

from services.runtime.observability.metrics import Metrics
from services.runtime.parking import queue
from services.runtime.postgres.queries import load
from services.runtime.waiting import store

SQL = load(Path(__file__).parent / "outbox" / "outbox.sql")


class TableGauges:
    """Measures the outbox, the waiting items and the parked items of one service."""

    def __init__(self, service: str, metrics: Metrics, shards: int) -> None:
        self._service = service
        self._metrics = metrics
        self._shards = shards

    async def measure(self, connection: Connection) -> None:
        """Count rows and set the gauges."""
        outbox = await connection.fetchrow(SQL["measure_outbox"], self._shards)
        items = await store.count(connection)
        parked = await queue.count(connection)
        assert outbox is not None
        metrics, service = self._metrics, self._service
        metrics.outbox_rows.labels(service).set(outbox["rows"])
        metrics.outbox_bytes.labels(service).set(outbox["bytes"])
        metrics.outbox_oldest_age_seconds.labels(service).set(outbox["oldest_age_seconds"])
        metrics.waiting_items.labels(service).set(sum(items.values()))
        metrics.parked_items.labels(service).set(parked)
