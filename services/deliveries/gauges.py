"""Gauges of what waits to be sent; measured beside the sender, also while that cannot work."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from services.deliveries.names import SERVICE, SHARDS
from services.runtime.background import every
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.connections import Pool
from services.runtime.postgres.queries import load
from services.runtime.running import WorkerContext

SQL = load(Path(__file__).parent / "sql" / "gauges.sql")
GAUGES = (
    "backlog",
    "held_groups",
    "disabled",
    "open_circuits",
    "oldest_age_seconds",
    "fresh_age_seconds",
)
"""Columns of the statement, which are names of gauges after `webhook_`."""


async def measure(pool: Pool, metrics: Metrics) -> None:
    """Set the gauges from the tables, once."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(SQL["measure"], list(range(SHARDS)))
    assert row is not None, "the statement has one row"
    for name in GAUGES:
        getattr(metrics, f"webhook_{name}").labels(SERVICE).set(row[name])


async def measure_always(context: WorkerContext) -> None:
    """Set the gauges at the interval of the others, until the task is cancelled."""
    seconds = context.settings.metrics_interval_seconds
    await every(
        seconds, "measuring", partial(measure, context.pool, context.metrics), service=SERVICE
    )
