"""Traces of batches that are not from Kafka: retries of parked items, and sweeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_spans import Sources
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.observability.tracing import Tracing
from services.runtime.postgres.connections import Connection

T = TypeVar("T")


def traced(
    work: Callable[[Connection, Batch], Awaitable[T]], tracing: Tracing | None, operation: str
) -> Callable[[Connection, Batch], Awaitable[T]]:
    """Work on batches that are not from Kafka, with a trace of each; the work itself where
    `tracing` is None.

    Spans are exported when the work returns. Its caller commits then; where that fails, the work
    and its spans are repeated.
    """
    if tracing is None:
        return work

    async def traced_work(connection: Connection, batch: Batch) -> T:
        if batch.is_trial:
            return await work(connection, batch)
        at = [row.original.coordinates for row in batch.retried]
        sources = Sources(
            frozenset(tracing.topic(each.topic) for each in at),
            frozenset(each.partition for each in at),
            len(at),
        )
        parked, retried = batch.report.parked, frozenset(at)
        with BatchTrace(tracing, operation, sources, parked, retried=retried) as trace:
            return await work(connection, replace(batch, trace=trace))

    return traced_work
