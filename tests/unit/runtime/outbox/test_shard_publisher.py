"""Shard publishers: how they end, and how the relay goes on from there."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.runtime.observability.metrics import Metrics
from services.runtime.outbox import relay
from services.runtime.outbox.record_sender import RecordRejection
from services.runtime.outbox.relay import Relay
from services.runtime.outbox.shard_publisher import (
    Interrupted,
    PublicationMetrics,
    RejectedByKafka,
    ShardPublisher,
)
from services.runtime.outbox.wiring import PublisherFactory


def now():
    return datetime(2026, 3, 1, tzinfo=UTC)


def a_relay():
    return Relay(
        service="orders",
        shards=4,
        poll_seconds=1.0,
        factory=PublisherFactory(connect=None, shared_delivery=None, shard_delivery=None),
        metrics=Metrics(),
        now=now,
    )


def a_publisher(*shards, connect=None, poll_seconds=None):
    return ShardPublisher(
        shards,
        connect=connect,
        open_delivery=None,
        metrics=PublicationMetrics("orders", Metrics(), now),
        poll_seconds=poll_seconds,
    )


def rejected(*shards, row=7):
    return RejectedByKafka(
        [RecordRejection(shard, row, 0, "orders.events", "too large") for shard in shards]
    )


async def swallow_one_cancellation():
    """Continue after one cancellation, as a library does that has finished its work just then."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()


async def test_relay_stops_a_publisher_that_swallows_a_cancellation(monkeypatch):
    monkeypatch.setattr(relay, "CANCEL_AGAIN_SECONDS", 0.05)
    one = a_relay()
    task = asyncio.create_task(swallow_one_cancellation())
    one._tasks = {object(): task}
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await one._stop_publishers()

    assert task.cancelled()
    assert one._tasks == {}


async def test_publisher_returns_a_cancellation_of_its_clients_task():
    """The client aiokafka raises the cancellation of its own tasks in the task that awaits them."""

    async def connect():
        raise asyncio.CancelledError

    result = await a_publisher(0, connect=connect).run()

    assert isinstance(result, Interrupted)
    assert type(result.error) is asyncio.CancelledError
    assert not result.has_published


async def test_publisher_raises_its_own_cancellation():
    publisher = a_publisher(0, connect=asyncio.Event().wait)
    task = asyncio.create_task(publisher.run())
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.fixture
async def carving():
    """A relay with a shared publisher of four shards; publishers it starts never connect."""
    one = a_relay()
    one._factory = PublisherFactory(lambda _: asyncio.Event().wait(), None, None)
    one._shared = a_publisher(0, 1, 2, 3, poll_seconds=1.0)
    yield one
    await one._stop_publishers()


async def test_relay_carves_rejected_shards_out_of_the_shared_publisher(carving):
    shared = carving._shared

    assert carving._handle_rejected(shared, rejected(1, 3), attempt=5) == 0

    assert shared.shards == {0, 2}
    assert shared.rejections == ()
    assert {n: each.shards for n, each in carving._single.items()} == {1: {1}, 3: {3}}
    carving._assign(frozenset(range(4)))
    assert shared.shards == {0, 2}, "a shard of its own publisher must not be published twice"


async def test_relay_keeps_a_rejected_shard_with_its_single_publisher(carving):
    """It counts attempts once the record is known exactly, and begins again at another record."""
    carving._handle_rejected(carving._shared, rejected(1), attempt=0)
    single = carving._single[1]

    attempts = [0]
    for row in (7, 7, 7, 9):
        attempts.append(carving._handle_rejected(single, rejected(1, row=row), attempts[-1]))

    assert attempts == [0, 0, 1, 2, 0]
    assert carving._single == {1: single}
    assert single.rejections == tuple(rejected(1, row=9).rejections)


def test_publisher_released_of_its_shards_is_done_unless_it_polls():
    single, shared = a_publisher(0), a_publisher(0, poll_seconds=1.0)
    assert not single.is_done

    for publisher in (single, shared):
        publisher.release()

    assert single.is_done
    assert not shared.is_done
    shared.drain()
    assert shared.is_done
