"""An outbox of its own to measure on, and how fast a backlog goes out of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from deploy.stack import Addresses
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.postgres.migrate import migrate
from tests.integration.runtime.outbox.relaying import Feed


async def outbox_of(addresses: Addresses, name: str, **settings: object) -> Settings:
    """A database and topics of this name, ready for a relay."""
    owner = await asyncpg.connect(addresses.database_url)
    await owner.execute(f"CREATE DATABASE {name}")
    await owner.close()
    url = urlsplit(addresses.database_url)._replace(path=f"/{name}").geturl()
    await migrate(url, ["orders"])
    made = Settings(
        database_url=url,
        kafka_bootstrap_servers=addresses.kafka_bootstrap_servers,
        kafka_topic_prefix=f"{name}.",
        **settings,
    )
    await topics.create(made)
    return made


@dataclass(slots=True)
class Drain:
    """How fast a backlog went, from the first row that went."""

    rows: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """The speed."""
        return self.rows / self.seconds


async def drain(feed: Feed, seconds: float = 90) -> Drain:
    """Wait until a backlog is published, whenever that begins."""
    waiting = await feed.rows()
    async with asyncio.timeout(seconds):
        while await feed.rows() == waiting:
            await asyncio.sleep(0.005)
        began = time.monotonic()
        await feed.until_published(seconds)
    return Drain(waiting, time.monotonic() - began)
