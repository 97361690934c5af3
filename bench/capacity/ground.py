"""A played script on real servers: services that start and end, and what they leave behind."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench.usage import Usage, cpu_seconds
from demo.groups import Groups
from demo.installation import Installation
from demo.journal import read_all
from demo.player import item_count
from demo.receiver import receiving
from demo.replicas import Replica, replicas, start_all, stop_all
from demo.run import stage
from demo.script import Script
from demo.webhooks import webhook_of
from schemas.topics import CARRIER_TRACKING, CATALOGUE, CLAIMS_COMMANDS, ORDERS_COMMANDS
from services import registry

DEADLINE_SECONDS = 600.0
LOOK_SECONDS = 0.2
QUIET_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Servers:
    """Where an installation is, which processes the servers are, and where Kafka has its logs."""

    installation: Installation
    pids: Mapping[str, Iterable[int]]
    kafka_data: Path

    async def topics(self) -> dict[str, dict[str, int]]:
        """Records and bytes on disk of each topic, without its prefix; empty ones are left out."""
        names = [topic.name for topic in CATALOGUE]
        journal = await read_all(self.installation.options, self.installation.prefix, names)
        return {
            topic: {"records": len(entries), "bytes": self._bytes_of(topic)}
            for topic, entries in sorted(journal.items())
            if entries
        }

    def _bytes_of(self, topic: str) -> int:
        folders = self.kafka_data.glob(f"{self.installation.prefix}{topic}-*")
        logs = (log for folder in folders for log in folder.glob("*.log"))
        return sum(log.stat().st_size for log in logs)

    async def tables(self) -> dict[str, dict[str, int]]:
        """Bytes of each service's tables with their indexes, as autovacuum left them; segments of
        one table are one.
        """
        connection = await asyncpg.connect(self.installation.database_url)
        try:
            rows = await connection.fetch(
                "SELECT nspname, regexp_replace(relname, '_\\d+$', '') AS name,"
                " sum(pg_total_relation_size(c.oid))::bigint AS bytes"
                " FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                " WHERE relkind = 'r' AND nspname = ANY($1) GROUP BY 1, 2 ORDER BY 1, 2",
                list(registry.names()),
            )
        finally:
            await connection.close()
        found: dict[str, dict[str, int]] = {name: {} for name in registry.names()}
        for row in rows:
            found[row["nspname"]][row["name"]] = row["bytes"]
        return found

    async def wal_bytes(self) -> int:
        """Position of the write-ahead log, in bytes from its beginning."""
        connection = await asyncpg.connect(self.installation.database_url)
        try:
            at = await connection.fetchval(
                "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
            )
        finally:
            await connection.close()
        return int(at)

    async def connections(self, service: str) -> int:
        """Open connections of a service."""
        connection = await asyncpg.connect(self.installation.database_url)
        try:
            count = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE $1",
                f"orderflow_{service}%",
            )
        finally:
            await connection.close()
        return int(count)

    @asynccontextmanager
    async def running(self, service: str, environment: Mapping[str, str]) -> AsyncIterator[Replica]:
        """One process of a service, ready; it is stopped at the end."""
        folder = self.installation.folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        replica = Replica(
            service, service, folder, {**self.installation.environment, **environment}
        )
        replica.start()
        try:
            await asyncio.to_thread(replica.wait_ready)
            yield replica
        finally:
            await asyncio.to_thread(replica.stop)


@dataclass(frozen=True, slots=True)
class Work:
    """What a service took for its messages: CPU seconds by process, bytes of WAL."""

    cpu: Mapping[str, float]
    wal_bytes: int
    connections: int


async def work_of(servers: Servers, service: str, environment: Mapping[str, str]) -> Work:
    """Start one process on topics that are full, and let it read and publish everything.

    What its start costs is measured beforehand by the caller, and is included here.
    """
    before, wal = Usage.now(servers.pids), await servers.wal_bytes()
    async with (
        servers.running(service, environment) as replica,
        Groups(servers.installation.options, servers.installation.prefix) as groups,
    ):
        await groups.until_read(service, DEADLINE_SECONDS)
        await until_quiet(servers)
        assert replica.identity
        cpu = {"process": cpu_seconds(replica.identity.pid)}
        connections = await servers.connections(service)
        used = Usage.now(servers.pids).since(before)
    return Work({**cpu, **used.seconds}, await servers.wal_bytes() - wal, connections)


async def until_quiet(servers: Servers) -> None:
    """Wait until nothing is written to any topic any more.

    Raises:
        TimeoutError: records still came after ten minutes.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    sizes: list[int] = []
    while len(sizes) < QUIET_LOOKS or len(set(sizes[-QUIET_LOOKS:])) > 1:
        if time.monotonic() > deadline:
            raise TimeoutError(f"topics still grow after {DEADLINE_SECONDS:.0f} seconds")
        prefix = servers.installation.prefix
        logs = servers.kafka_data.glob(f"{prefix}*/*.log")
        sizes.append(sum(log.stat().st_size for log in logs))
        await asyncio.sleep(LOOK_SECONDS)


async def stored(servers: Servers, script: Script) -> dict[str, Any]:
    """Records and bytes of topics and tables after a play with all services and a webhook."""
    installation = servers.installation
    await installation.create()
    empty = await servers.tables()
    async with receiving() as receiver:
        webhook = webhook_of(script, receiver)
        environment = {**installation.environment, **webhook.environment}
        running = replicas(installation.folder / "logs", environment)
        try:
            async with stage(installation, script.messages[0].at) as player:
                await asyncio.to_thread(start_all, running)
                await webhook.subscribe(installation, player.watcher)
                player.deadline_seconds = DEADLINE_SECONDS
                await player.play_at_once(script)
                await until_quiet(servers)
        finally:
            await asyncio.to_thread(stop_all, running)
    full = await servers.tables()
    return {
        "topics": await servers.topics(),
        "table_bytes": {
            service: {
                name: size - empty[service].get(name, 0)
                for name, size in found.items()
                if size > empty[service].get(name, 0)
            }
            for service, found in full.items()
        },
        "webhook_requests": len(receiver.requests),
    }


def contents(script: Script) -> dict[str, int]:
    """Orders and parcels of a script, and its messages: items of commands, tracking, claims."""
    topics = Counter(message.topic for message in script.messages)
    commands = [message for message in script.messages if message.topic == ORDERS_COMMANDS]
    return {
        "orders": script.expectation.totals.orders,
        "parcels": script.expectation.totals.parcels_expected,
        "commands": sum(map(item_count, commands)),
        "scans": topics[CARRIER_TRACKING],
        "claim_commands": topics[CLAIMS_COMMANDS],
    }
