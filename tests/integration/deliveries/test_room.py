"""What a destination that answers gets while others do not, and how soon."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from services.deliveries.app import build
from tests.integration.deliveries.conftest import (
    Receiver,
    a_destination,
    an_event,
    asked,
    listening,
    until,
)

UPSERT = "destination.upsert"
REQUESTS = 8
"""Most requests at once of the process."""


@asynccontextmanager
async def serving(settings, **changes):
    """One replica of the service with other settings."""
    service = build(settings.model_copy(update=changes))
    await service.start()
    try:
        yield
    finally:
        await service.stop()


@pytest.fixture
async def black_holes():
    """More receivers than the process may have requests; none of them answers."""
    release = asyncio.Event()

    async def silent(_request):
        await release.wait()
        return 204

    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(listening(Receiver(silent)))
            for _ in range(REQUESTS + 1)
        ]
        yield opened
        release.set()


async def test_new_destinations_that_never_answer_hold_up_none_that_does(
    settings, command, publish, receiver, black_holes
):
    async with serving(settings, deliveries_in_flight=REQUESTS):
        await command(UPSERT, a_destination(receiver.url))
        await publish(an_event("first"))
        await until(lambda: receiver.requests)
        for number, dead in enumerate(black_holes):
            await command(UPSERT, a_destination(dead.url, f"dead-{number}"))

        await publish(*(an_event(str(n)) for n in range(60)))

        await until(lambda: len(receiver.requests) == 61, seconds=12)  # Requests end after 15 s.
        assert any(dead.requests for dead in black_holes)
        assert all(request.status is None for dead in black_holes for request in dead.requests)


async def test_event_is_sent_when_its_batch_is_committed_and_not_at_the_next_poll(
    settings, command, publish, receiver
):
    async with serving(settings, relay_poll_seconds=60):
        await command(UPSERT, a_destination(receiver.url))
        await publish(an_event())

        await until(lambda: receiver.requests)

    (row,) = await asked(settings, "SELECT count(*) AS number FROM deliveries.attempt")
    assert row["number"] == 1
