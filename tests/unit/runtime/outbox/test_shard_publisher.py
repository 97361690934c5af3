"""Lanes that are slow to end."""

import asyncio
from datetime import UTC, datetime

from services.runtime.observability.metrics import Metrics
from services.runtime.outbox import relay
from services.runtime.outbox.relay import PublisherFactory, Relay
from services.runtime.outbox.shard_publisher import ShardPublisher


async def swallow_one_cancellation():
    """As a library does that finds its work done at the moment it is cancelled."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def test_a_lane_that_swallows_a_cancellation_ends_all_the_same(monkeypatch):
    monkeypatch.setattr(relay, "CANCEL_AGAIN_SECONDS", 0.05)
    one = Relay(
        service="orders",
        shards=2,
        poll_seconds=1.0,
        ways=PublisherFactory(connect=None, together=None, alone=None),
        metrics=Metrics(),
        now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
    )
    lane = asyncio.create_task(swallow_one_cancellation())
    one._tasks = {object(): lane}
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await one._end_lanes()

    assert lane.cancelled()
    assert one._tasks == {}


async def test_a_lane_lives_on_when_a_task_of_its_client_was_cancelled():
    """The client raises the cancellation of its own tasks in who awaits them."""
    errors = []

    async def connect():
        raise asyncio.CancelledError

    lane = ShardPublisher(
        [0],
        connect=connect,
        open_publishing=None,
        published=None,
        interrupted=lambda error, attempt: (errors.append(error), lane.drain()),
        refused=None,
        poll_seconds=None,
    )

    await lane.run()

    assert [type(error) for error in errors] == [asyncio.CancelledError]
