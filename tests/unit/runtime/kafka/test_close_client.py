"""Closing what does not want to be closed."""

import asyncio
import socket

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError

from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import make_producer
from services.runtime.kafka.compat import close_client


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(close_client, "PAUSE_SECONDS", 0.02)


async def swallow(cancellations):
    """As a library does whose own wait timed out in the turn in which it was cancelled."""
    for _ in range(cancellations):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


@pytest.mark.parametrize("cancellations", [0, 1, 3])
async def test_it_is_cancelled_until_it_has_ended(cancellations):
    task = asyncio.create_task(swallow(cancellations))

    async with asyncio.timeout(30):
        await close_client.end(task)

    assert task.cancelled()


async def test_what_fails_to_close_is_closed():
    async def fail():
        raise ConnectionError("the peer is gone")

    await close_client.close(fail())


async def test_a_cancellation_of_the_closer_is_passed_on():
    task = asyncio.create_task(swallow(0))
    closer = asyncio.create_task(close_client.end(task))
    await asyncio.sleep(0)

    closer.cancel()
    await asyncio.wait([closer])

    assert closer.cancelled()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_producer_ends_whose_metadata_task_swallows_a_cancellation():
    producer = make_producer(Settings())
    producer.client._sync_task = metadata = asyncio.create_task(swallow(1))
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await producer.abort()

    assert metadata.cancelled()


async def test_a_producer_ends_whose_peer_reads_no_more():
    """Its socket has bytes that never leave, so it never closes in good order."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        producer = make_producer(Settings())
        connection = AIOKafkaConnection(*deaf.getsockname())
        connecting = asyncio.create_task(connection.connect())
        async with asyncio.timeout(30):
            while not connection.connected():
                await asyncio.sleep(0)
            transport = connection._writer.transport
            transport.write(bytes(64 * 1024 * 1024))
            producer.client._conns = {("1", 0): connection}

            await producer.abort()

        assert transport.get_write_buffer_size() > 0
        transport.abort()
        await asyncio.wait([connecting])
        assert isinstance(connecting.exception(), KafkaConnectionError)
