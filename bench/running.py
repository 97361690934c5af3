"""A contender's processes on a ground, from their start to their orderly end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from bench.contenders import Contender
from demo.installation import Installation
from demo.replicas import Replica


@dataclass(frozen=True, slots=True)
class Ground:
    """Where something is measured: a database and topics, and which processes the servers are."""

    installation: Installation
    server_pids: Mapping[str, Sequence[int]]


@asynccontextmanager
async def running(contender: Contender, ground: Ground, count: int) -> AsyncIterator[list[Replica]]:
    """So many replicas, started; none of them has its partitions yet."""
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
        yield replicas
    finally:
        await asyncio.gather(*(asyncio.to_thread(replica.stop) for replica in replicas))


@asynccontextmanager
async def ready(contender: Contender, ground: Ground) -> AsyncIterator[Replica]:
    """One process of a service that says when it has its partitions, and has said so."""
    async with running(contender, ground, 1) as [replica]:
        await asyncio.to_thread(replica.wait_ready)
        yield replica


def interpreter_of(replicas: Sequence[Replica]) -> str:
    """The program that runs these processes, by the operating system; one for all."""
    pids = [each.identity.pid for each in replicas if each.identity]
    [program] = {os.path.realpath(psutil.Process(pid).exe()) for pid in pids}
    return program
