"""Upkeep: what is done now and then beside sending: tables emptied, rows of the removed dropped."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import asyncpg
from asyncpg import Connection

from services.deliveries.names import SERVICE, SHARDS
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.queries import load
from services.runtime.postgres.truncation import truncate

SENDING = load(Path(__file__).parents[1] / "sql" / "sending.sql")
SQL = load(Path(__file__).parents[1] / "sql" / "upkeep.sql")
DROPPED_ROWS = 1_000
CARRIED_ROWS = 1_000
CARRIED_AT_ONCE = 10
TABLES_SECONDS = 10.0
ROWS_SECONDS = 0.02
"""So long a run may hold up sending for destinations with a backlog: with many, it serves some of
the shards, and the next run others."""
WORN_BYTES = 1024 * 1024


class Turns:
    """Which shards a run serves: each in turn, as many at once as do not take long."""

    def __init__(self) -> None:
        self._at_once = SHARDS
        self._next = 0

    def take(self, shards: Collection[int]) -> list[int]:
        """The shards of the next run, of those that are held."""
        found = sorted(shards, key=lambda shard: (shard - self._next) % SHARDS)[: self._at_once]
        self._next = found[-1] + 1
        return sorted(found)

    def took(self, seconds: float) -> None:
        """How long the run took: half of the shards in the next one, or twice as many."""
        if seconds > ROWS_SECONDS:
            self._at_once = max(1, self._at_once // 2)
        else:
            self._at_once = min(SHARDS, 2 * self._at_once)


class Upkeep:
    """Called once a second by a sender, outside its transactions."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tables_at = 0.0
        self._turns = Turns()

    async def run(self, connection: Connection, shards: Collection[int]) -> list[int]:
        """Do what is due; returns destinations without failures and groups, now forgotten."""
        if not shards:
            return []
        ended = await self._tend_rows(connection, self._turns.take(shards))
        if 0 in shards and time.monotonic() >= self._tables_at:  # One process is enough.
            await self._tend_tables(connection)
            self._tables_at = time.monotonic() + TABLES_SECONDS
        return ended

    async def _tend_rows(self, connection: Connection, shards: list[int]) -> list[int]:
        started = time.monotonic()
        dropped = await connection.execute(SENDING["drop_removed"], shards, DROPPED_ROWS)
        number = int(dropped.rpartition(" ")[2])  # "DELETE 7"
        self._metrics.webhook_dropped_total.labels(SERVICE).inc(number)
        await connection.execute(SENDING["drop_groups"], shards, DROPPED_ROWS)
        await connection.execute(SENDING["reset_removed"], shards)
        ended = await connection.fetch(SENDING["end_health"], shards)
        self._turns.took(time.monotonic() - started)
        return [row["destination"] for row in ended]

    async def _tend_tables(self, connection: Connection) -> None:
        try:
            for row in await connection.fetch(SQL["find_worn_segments"], WORN_BYTES):
                await truncate(connection, row["segment"], self._asks(connection, row["segment"]))
            await connection.execute(SQL["drop_logs"], DROPPED_ROWS)
            await self._empty_next_day(connection)
        except asyncpg.LockNotAvailableError:
            return  # Another session has the table locked, as pg_dump has: try again the next time.

    async def _empty_next_day(self, connection: Connection) -> None:
        """Empty the tables of the day that comes next; bodies that are still to be sent move on."""
        day = await connection.fetchval(SQL["find_next_day"])
        bodies, attempts = f"event_body_{day}", f"attempt_{day}"

        async def are_sent() -> bool:
            return not await connection.fetchval(SQL["has_needed_bodies"], day)

        async def always() -> bool:
            return True

        if not await self._asks(connection, bodies)():
            for _ in range(CARRIED_AT_ONCE):  # Nothing is sent meanwhile.
                if not await connection.fetchval(SQL["carry_bodies"], day, CARRIED_ROWS):
                    break
            await truncate(connection, bodies, are_sent)
        if not await self._asks(connection, attempts)():
            await truncate(connection, attempts, always)

    def _asks(self, connection: Connection, table: str) -> Callable[[], Awaitable[bool]]:
        """A question: whether a table is empty."""

        async def is_empty() -> bool:
            return not await connection.fetchval(SQL["has_rows"].replace("{segment}", table))

        return is_empty
