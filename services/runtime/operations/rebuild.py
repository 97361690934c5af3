"""Steps of `orderflow rebuild` that are the same for every service."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.runtime.clock import SystemClock
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.leases import lock_class
from services.runtime.outbox.relay import SQL as OUTBOX_SQL
from services.runtime.outbox.relay import Relay
from services.runtime.outbox.wiring import publisher_factory
from services.runtime.parking.queue import SQL as PARKING_SQL
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import affected_rows, load

SQL = load(Path(__file__).parent / "rebuild.sql")
LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a service read from topics before its tables were emptied."""

    items: int
    """What was written of it: applied items that were not known, or bodies of events that wait."""
    unreadable: int
    """Records that are not as the contract has them; nothing of them is kept."""


async def count_replicas(connection: Connection, service: str) -> int:
    """How many processes of the service run: each relay holds one advisory lock as a member."""
    found: int = await connection.fetchval(
        OUTBOX_SQL["count_members"], lock_class(f"{service}/member")
    )
    return found


async def hold_batches(connection: Connection) -> None:
    """Block batches and retries of parked items until the caller's transaction ends.

    Waits without a time limit for the batches that run now.
    """
    await connection.execute(SQL["wait_as_long_as_it_takes"])
    await connection.execute(SQL["lock_positions"])
    await connection.execute(PARKING_SQL["lock_retries"])


async def has_unsent(connection: Connection) -> bool:
    """Whether the outbox holds records that are not published."""
    found: bool = await connection.fetchval(OUTBOX_SQL["has_waiting_rows"])
    return found


async def empty_tables(connection: Connection, statements: Mapping[str, str]) -> dict[str, int]:
    """Run the deletions (table -> DELETE) in their order; returns deleted rows by table."""
    return {
        table: affected_rows(await connection.execute(statement))
        for table, statement in statements.items()
    }


async def publish_rest(connection: Connection, settings: Settings, service: str) -> None:
    """Publish what the outbox of a stopped service holds; returns when the outbox is empty."""
    relay = Relay(
        service=service,
        shards=settings.outbox_shards,
        poll_seconds=settings.relay_poll_seconds,
        factory=publisher_factory(settings, service),
        metrics=Metrics(),
        now=SystemClock().now,
    )
    running = asyncio.create_task(relay.run())
    try:
        while await has_unsent(connection):  # noqa: ASYNC110 - the relay
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        relay.drain()
        await running
    finally:
        running.cancel()
