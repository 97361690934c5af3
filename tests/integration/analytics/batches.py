"""Applying batches of records."""

from services.runtime.batch.batch import Batch
from tests.unit.analytics.builders import NOON, a_record, an_activity_record


async def apply(connection, batches, *messages):
    """Apply events and activities as one batch, in a transaction."""
    records = tuple(
        (an_activity_record if "kind" in message else a_record)(message, offset=offset)
        for offset, message in enumerate(messages)
    )
    async with connection.transaction():
        await batches.apply(connection, Batch(records, NOON))
