"""Makes the destinations, and resumes them again and again, as their operators would.

Business time stands still in a round, so what failed is due again only when it is resumed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from pydantic import SecretStr

from chaos.checker.webhooks import WebhookLedger
from chaos.publishing import Publisher
from chaos.stage import Stage
from chaos.webhooks.destinations import upsert
from chaos.webhooks.receivers import KEY
from services.deliveries.operations import destinations
from services.deliveries.operations.destinations import ListedDestination
from services.deliveries.secret_box import read_box
from services.runtime.clock import clock_of
from services.runtime.operations.audit import Signature
from services.runtime.postgres.connections import connect

SERVICE = "deliveries"
MADE_SECONDS = 60.0
PAUSE_SECONDS = 0.5
RESUMED = 0.6
"""Share of the destinations with a backlog that are resumed at a time."""
SIGNATURE = Signature("campaign", "so that the campaign comes to an end")
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a statement raises while Postgres is killed; the last one by a reset within the login."""


class NotMade(Exception):
    """The services made no destination of a command in time."""


@dataclass(slots=True)
class Attendant:
    """Acts on the destinations of a stage, as `orderflow destinations` does."""

    stage: Stage
    log: WebhookLedger
    rng: random.Random
    resumed: int = 0

    async def make(self, publisher: Publisher) -> None:
        """Make all destinations by commands, and learn their secrets.

        Raises:
            NotMade: one is missing after MADE_SECONDS.
        """
        receivers = self.stage.receivers.by_hook
        commands = [upsert(hook, each.url) for hook, each in receivers.items()]
        await publisher.publish(commands, 0.1, {})
        connection = await connect(self.stage.settings, SERVICE, "operator")
        try:
            await self._until_made(connection)
            await self._learn_secrets(connection)
        finally:
            await connection.close()

    async def _until_made(self, connection: asyncpg.Connection) -> None:
        wanted = {str(hook) for hook in self.log.hooks}
        deadline = time.monotonic() + MADE_SECONDS
        while True:
            missing = wanted - {f"{each.shop}/{each.name}" for each in await self._find(connection)}
            if not missing:
                return
            if time.monotonic() > deadline:
                raise NotMade(f"no destination {', '.join(sorted(missing))}: see deliveries-1.log")
            await asyncio.sleep(PAUSE_SECONDS / 5)

    async def _find(self, connection: asyncpg.Connection) -> list[ListedDestination]:
        return await destinations.find(
            connection, None, with_removed=False, limit=len(self.log.hooks)
        )

    async def _learn_secrets(self, connection: asyncpg.Connection) -> None:
        box = read_box(SecretStr(KEY))
        assert box
        for hook in self.log.hooks:
            key = (hook.shop, hook.name)
            self.log.secrets[hook] = await destinations.show_secret(connection, key, box, SIGNATURE)

    async def attend(self) -> None:
        """Resume what waits, for ever; while Postgres is away, nothing."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            with contextlib.suppress(*_AWAY):
                await self._resume()

    async def _resume(self) -> None:
        settings = self.stage.settings
        connection = await connect(settings, SERVICE, "operator")
        try:
            for each in await self._find(connection):
                if each.backlog and self.rng.random() < RESUMED:
                    key, now = (each.shop, each.name), clock_of(settings).now()
                    await destinations.resume(connection, key, SIGNATURE, settings, now)
                    self.resumed += 1
        finally:
            connection.terminate()


@asynccontextmanager
async def attended(attendant: Attendant) -> AsyncIterator[None]:
    """Attend to the destinations while the block runs."""
    task = asyncio.create_task(attendant.attend(), name="campaign.attendant")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
