"""Gauges of the business: orders, parcels, deliveries and claims, from counters of the facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

from prometheus_client import Gauge

from schemas.enums import ClaimReason, ClaimStatus
from services.analytics.domain.facts import OnTime
from services.runtime.background import every
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load
from services.runtime.running import WorkerContext

SQL = load(Path(__file__).parent / "sql" / "figures.sql")
SERVICE = "analytics"
OTHER = "other"
"""Stands for a word that this version does not know, so that labels have few values."""
ORDER_STATUSES = ("placed", "partially_fulfilled", "fulfilled", "cancelled")
PHASES = (
    "order_created",
    "order_processed",
    "in_transit",
    "in_delivery",
    "delivery_failed",
    "collect",
    "delivered",
    "return_created",
    "return_transit",
    "return_failed",
    "return_received",
    "returned",
)
OVERDUE_DAYS = 60
"""Parcels promised earlier than this are not overdue any more but lost: tracking is not kept for
longer than that, so their delivery would not become known."""
_LAST_ZONE = timedelta(hours=12)
"""A day has ended everywhere 12 hours after its end in UTC."""

Facts = dict[tuple[str, str], int]
"""Numbers by value and detail, as in the table."""

FIGURES: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...] = (
    ("known_orders", "order", (ORDER_STATUSES,)),
    ("known_parcels", "parcel", (PHASES, ("delivery", "return"))),
    ("known_deliveries", "delivery", (tuple(OnTime),)),
    ("known_claims", "claim", ((*ClaimStatus, "withdrawn"), tuple(ClaimReason))),
)
"""Name of the gauge, its figure in the table, and the known values of its labels."""


async def measure_always(context: WorkerContext) -> None:
    """Set the gauges at the interval of the others, until the task is cancelled."""

    async def once() -> None:
        async with context.pool.acquire() as connection:
            await measure(connection, context.metrics, context.clock.now())

    seconds = context.settings.metrics_interval_seconds
    await every(seconds, "measuring", once, service=SERVICE)


async def measure(connection: Connection, metrics: Metrics, now: datetime) -> None:
    """Set the gauges from the counters, once, with one statement."""
    rows = await connection.fetch(SQL["measure_figures"], *overdue_days(now))
    found: dict[str, Facts] = {}
    for row in rows:
        found.setdefault(row["figure"], {})[row["value"], row["detail"]] = row["facts"]
    for name, figure, words in FIGURES:
        gauge: Gauge = getattr(metrics, name)
        for labels, number in by_labels(found.get(figure, {}), words).items():
            gauge.labels(SERVICE, *labels).set(number)
    metrics.parcels_overdue.labels(SERVICE).set(found["overdue"]["", ""])


def overdue_days(now: datetime) -> tuple[str, str]:
    """The first promised day that counts as overdue, and the day after the last one.

    The last one is the newest day that is over in every time zone: parcels are counted without the
    zone of their destination.
    """
    today = (now.astimezone(UTC) - _LAST_ZONE).date()
    return (today - timedelta(days=OVERDUE_DAYS)).isoformat(), today.isoformat()


def by_labels(facts: Facts, words: Sequence[Sequence[str]]) -> dict[tuple[str, ...], int]:
    """Numbers of facts by labels: 0 where there are none, `other` for a word that is not known."""
    numbers = dict.fromkeys(product(*((*known, OTHER) for known in words)), 0)
    for key, number in facts.items():
        labels = (word if word in known else OTHER for word, known in zip(key, words, strict=False))
        numbers[tuple(labels)] += number
    return numbers
