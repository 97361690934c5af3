"""An orders service with a bug: it fails on any record that holds POISON. For one test.

Run as `python -m tests.poisoned`; everything else is the service as it is.
"""

import asyncio

from asyncpg import Connection

from services.orders.batch import SERVICE, OrdersBatch
from services.orders.messages.incoming import CLAIM_EVENTS, COMMANDS, TRACKING, weigh
from services.runtime.consumer import Batch
from services.runtime.service import Service, process_metrics
from services.runtime.serving import serve
from services.runtime.settings import Settings
from services.runtime.telemetry import configure_logging


class Bug(Exception):
    """What a decision raises that nobody foresaw."""


def build(settings: Settings) -> Service:
    """The orders service around a decision that fails."""
    metrics = process_metrics()
    orders = OrdersBatch(settings, metrics)

    async def apply(connection: Connection, batch: Batch) -> None:
        await orders.apply(connection, batch)
        if any(b"POISON" in (record.value or b"") for record in batch.records):
            raise Bug("a decision that fails")

    return Service(
        name=SERVICE,
        settings=settings,
        topics=[COMMANDS, TRACKING, CLAIM_EVENTS],
        apply=apply,
        sweep=orders.sweep,
        weigh=weigh,
        metrics=metrics,
    )


if __name__ == "__main__":
    found = Settings.from_environment()
    configure_logging(found)
    asyncio.run(serve([build(found)], found))
