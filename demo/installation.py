"""An installation for one run: its own database, topics and clock file, on whatever servers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from deploy.stack import Addresses
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.postgres.migrate import migrate


@dataclass(frozen=True, slots=True)
class Installation:
    """Where everything of one run is. Nothing else on the servers is touched."""

    addresses: Addresses
    folder: Path
    name: str

    @property
    def prefix(self) -> str:
        """What its topics and groups begin with."""
        return f"{self.name}."

    @property
    def database_url(self) -> str:
        """Its own database."""
        return urlsplit(self.addresses.database_url)._replace(path=f"/{self.name}").geturl()

    @property
    def clock_file(self) -> Path:
        """Holds business time."""
        return self.folder / "clock"

    @property
    def options(self) -> Mapping[str, Any]:
        """How Kafka clients reach it."""
        return {"bootstrap_servers": self.addresses.kafka_bootstrap_servers}

    @property
    def settings(self) -> Settings:
        """Settings of its database and its topics."""
        return Settings(
            database_url=self.database_url,
            kafka_bootstrap_servers=self.addresses.kafka_bootstrap_servers,
            kafka_topic_prefix=self.prefix,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What its services run with."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.addresses.kafka_bootstrap_servers,
            "KAFKA_TOPIC_PREFIX": self.prefix,
            "DATABASE_URL": self.database_url,
            "ORDERFLOW_CLOCK_FILE": str(self.clock_file),
            "ORDERFLOW_SWEEP_INTERVAL_SECONDS": "0.5",
        }

    async def create(self, like: str = "template1") -> None:
        """Make the database with every migration and what the database `like` has, and the topics.

        No other client may be connected to that one.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        made = f'CREATE DATABASE "{self.name}" TEMPLATE "{like}" STRATEGY FILE_COPY'
        await self._on_server(made)
        await migrate(self.database_url)
        await topics.create(self.settings)

    async def drop(self) -> None:
        """Leave the servers as they were."""
        await self._on_server(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        admin = AIOKafkaAdminClient(**self.options)
        await admin.start()
        try:
            await admin.delete_topics([self.prefix + topic.name for topic in topics.INSTALLED])
        finally:
            await admin.close()

    async def _on_server(self, statement: str) -> None:
        connection = await asyncpg.connect(self.addresses.database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def installation_of(addresses: Addresses, folder: Path) -> Installation:
    """A name that no other run on the same servers has."""
    return Installation(addresses, folder, f"demo_{os.getpid()}_{os.urandom(3).hex()}")
