"""Times of polls and traces of their batches, where traces are on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from aiokafka import TopicPartition

from services.runtime.batch.batch import Batch
from services.runtime.batch.batch_spans import PollTrace, Sources
from services.runtime.batch.batch_trace import APPLY, BatchTrace
from services.runtime.messages.records import ConsumedRecord
from services.runtime.observability.tracing import Tracing, now

C = TypeVar("C")


class PollTraces:
    """Notes when polls begin and end; the batches of a poll share one trace."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._last: PollTrace | None = None

    def timed(
        self, poll: Callable[[C], Awaitable[Sequence[ConsumedRecord]]]
    ) -> Callable[[C], Awaitable[Sequence[ConsumedRecord]]]:
        """The poll, with its times noted."""

        async def timed_poll(client: C) -> Sequence[ConsumedRecord]:
            began = now()
            records = await poll(client)
            self._last = PollTrace(began, now())
            return records

        return timed_poll

    def trace(
        self, ready: Mapping[TopicPartition, Sequence[ConsumedRecord]], batch: Batch
    ) -> BatchTrace:
        """The trace of a batch of the last poll, for a `with` block around its transaction."""
        sources = Sources(
            frozenset(partition.topic for partition in ready),
            frozenset(partition.partition for partition in ready),
            sum(map(len, ready.values())),
        )
        parked = batch.report.parked
        return BatchTrace(self._tracing, APPLY, sources, parked, poll=self._last)
