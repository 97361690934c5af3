"""How far a contender is, asked from outside: its answers that can be read, its positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from demo.installation import Installation
from demo.journal import make_reader, partitions_of
from schemas.topics import ORDERS_EVENTS, ORDERS_OUTCOMES, SHIPMENTS_EVENTS

EVENTS = (ORDERS_EVENTS, SHIPMENTS_EVENTS)


@dataclass(frozen=True, slots=True)
class Progress:
    """Records on the topics of answers, and messages applied."""

    outcomes: int
    events: int
    applied: int
    has_rows: bool
    """Whether something decided has yet to be published."""


class Probe:
    """Asks Kafka for the ends of topics and, where a contender has them, Postgres for positions."""

    def __init__(self, installation: Installation, positions: str | None) -> None:
        self._installation = installation
        self._positions = positions
        self._partitions: Mapping[str, Sequence[TopicPartition]] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._connection: asyncpg.Connection | None = None

    async def __aenter__(self) -> Self:
        options, prefix = self._installation.options, self._installation.prefix
        self._consumer = make_reader(options)
        await self._consumer.start()
        self._partitions = {
            topic: await partitions_of(options, [prefix + topic])
            for topic in (ORDERS_OUTCOMES, *EVENTS)
        }
        if self._positions:
            self._connection = await asyncpg.connect(self._installation.database_url)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._consumer:
            await self._consumer.stop()
        if self._connection:
            await self._connection.close()

    async def look(self) -> Progress:
        """How far it is now. Rows are asked for first: when none is left, all can be read."""
        row: Mapping[str, Any] = {"applied": 0, "has_rows": False}
        if self._connection and self._positions:
            row = await self._read_positions()
        outcomes = await self._end_of([ORDERS_OUTCOMES])
        return Progress(outcomes, await self._end_of(EVENTS), row["applied"], row["has_rows"])

    async def _read_positions(self) -> Mapping[str, Any]:
        assert self._connection
        assert self._positions
        try:
            row = await self._connection.fetchrow(self._positions)
        except asyncpg.UndefinedTableError:  # It has yet to make its tables.
            return {"applied": 0, "has_rows": True}
        assert row is not None
        return dict(row)

    async def _end_of(self, topics: Sequence[str]) -> int:
        assert self._consumer
        partitions = [each for topic in topics for each in self._partitions[topic]]
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(partitions)
        return sum(ends.values())
