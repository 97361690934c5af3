"""Applying batches of records."""

from services.runtime.batch.batch import Batch
from tests.unit.analytics.builders import NOON, a_record


async def apply(connection, batches, *events):
    """Apply the events as one batch, in a transaction."""
    records = tuple(a_record(event, offset=offset) for offset, event in enumerate(events))
    async with connection.transaction():
        await batches.apply(connection, Batch(records, NOON))
