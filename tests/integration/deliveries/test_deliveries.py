"""Events on Kafka reach the webhooks of their shop, in order for each order."""

import asyncpg
from standardwebhooks import Webhook

from schemas.topics import DELIVERIES_COMMANDS, SHIPMENTS_EVENTS
from services.deliveries.secret_box import read_box
from tests.integration.deliveries.conftest import SHOP, a_destination, an_event, until


async def known(settings, statement, *arguments):
    """The rows of a statement, as the owner of the database."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


async def until_made(settings, name="erp"):
    """Wait until a destination is stored; returns its row."""
    found = []

    async def look():
        found[:] = await known(
            settings, "SELECT * FROM deliveries.destination WHERE name = $1", name
        )

    import asyncio

    async with asyncio.timeout(30):
        while not found:
            await look()
            await asyncio.sleep(0.05)
    return found[0]


async def test_event_reaches_the_webhook_of_its_shop_signed(settings, running, send, receiver):
    body = a_destination(receiver.url)
    await send(DELIVERIES_COMMANDS, "destination.upsert", body, ce_id="d-1", key=SHOP)
    row = await until_made(settings)
    event = an_event()

    await send(SHIPMENTS_EVENTS, "shipment.scanned", event, ce_id=event["event_id"], key=event["order_id"])

    await until(lambda: receiver.requests)
    (request,) = receiver.requests
    secret = read_box(settings.deliveries_key_file).decrypt(row["secret"], SHOP, "erp")
    assert Webhook(secret).verify(request.body, request.headers) == event
