"""A contender's processes on a ground, from their start to their orderly end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from demo.installation import Installation
from demo.replicas import Replica
from tests.bench.contenders import OURS, Contender


@dataclass(frozen=True, slots=True)
class Ground:
    """Where something is measured: a database and topics, and which processes the servers are."""

    installation: Installation
    server_pids: Mapping[str, Sequence[int]]


@asynccontextmanager
async def running(contender: Contender, ground: Ground, count: int) -> AsyncIterator[list[Replica]]:
    """So many replicas, started; ours are ready, the others may not be yet."""
    installation = ground.installation
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": installation.addresses.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": installation.prefix,
        "DATABASE_URL": installation.database_url,
    }
    folder = installation.folder / contender.name
    replicas = contender.replicas(count, folder, environment)
    try:
        for replica in replicas:
            replica.start()
        if contender is OURS and count == 1:
            await asyncio.to_thread(replicas[0].wait_ready)
        yield replicas
    finally:
        await asyncio.gather(*(asyncio.to_thread(replica.stop) for replica in replicas))
