"""Batches applied to the handler of a service, on a real database and without Kafka."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from services.runtime.batch.batch import Batch
from services.runtime.messages.records import Coordinates, Original
from services.runtime.postgres.connections import create_pool
from services.runtime.retry import is_transient

_offsets = itertools.count()


def a_record_at(now, topic, type_, body, *, ce_id, key):
    """One Kafka record as the runtime passes it on, at an offset that no other one has."""
    headers = [("ce_type", type_.encode())]
    if ce_id:
        headers += [("ce_id", ce_id.encode()), ("ce_source", b"/shops/demo-shop")]
    value = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = Coordinates(topic, 0, next(_offsets))
    return Original(at, key, tuple(headers), value, now)


@asynccontextmanager
async def pool_of(settings, service) -> AsyncIterator:
    """A pool of connections of the service."""
    pool = await create_pool(settings, service)
    try:
        yield pool
    finally:
        pool.terminate()


def applied_by(handler, pool, now) -> Callable:
    """A function that applies records as one batch in one transaction."""

    async def run(*records, now=now):
        async with pool.acquire() as connection, connection.transaction():
            await handler.apply(connection, Batch(records, now))

    return run


async def patiently(apply, *records):
    """Apply a batch as the runtime does: again after a transient error."""
    while True:
        try:
            return await apply(*records)
        except Exception as error:
            if not is_transient(error):
                raise


@asynccontextmanager
async def lock_watcher(database_url) -> AsyncIterator[Callable]:
    """A function that says whether a transaction waits for a lock; only the owner sees that."""
    connection = await asyncpg.connect(database_url)

    async def is_blocked():
        return await connection.fetchval(
            "SELECT count(*) > 0 FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )

    try:
        yield is_blocked
    finally:
        await connection.close()
