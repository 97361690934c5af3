"""Reading a report from the tables of the analytics service."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import Connection, connect
from services.runtime.postgres.migrate import check

T = TypeVar("T")


async def read(settings: Settings, reading: Callable[[Connection], Awaitable[T]]) -> T:
    """What `reading` reads over a connection of its own, on a schema of this version."""
    connection = await asyncio.wait_for(
        connect(settings, "analytics", "report"), settings.database_connect_timeout_seconds
    )
    try:
        await check(connection, "analytics")
        return await reading(connection)
    finally:
        await connection.close()
