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


def shuffled_batches(dice, messages, most):
    """The messages in an order that is drawn, in batches of up to `most`."""
    coming = list(messages)
    dice.shuffle(coming)
    while coming:
        batch = coming[: dice.randint(1, most)]
        del coming[: len(batch)]
        yield batch
