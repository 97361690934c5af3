"""Clients whose tasks or sockets do not end are closed all the same."""

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
    """Continue after cancellations, as a task does whose own wait timed out just then."""
    for _ in range(cancellations):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


@pytest.mark.parametrize("cancellations", [0, 1, 3])
async def test_end_cancels_a_task_until_it_has_ended(cancellations):
    task = asyncio.create_task(swallow(cancellations))

    async with asyncio.timeout(30):
        await close_client.end(task)

    assert task.cancelled()


async def test_close_drops_errors_of_closing():
    async def fail():
        raise ConnectionError("the peer is gone")

    await close_client.close(fail())


async def test_end_passes_its_cancellation_on():
    task = asyncio.create_task(swallow(0))
    closer = asyncio.create_task(close_client.end(task))
    await asyncio.sleep(0)

    closer.cancel()
    await asyncio.wait([closer])

    assert closer.cancelled()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_producer_abort_ends_a_metadata_task_that_swallows_a_cancellation():
    producer = make_producer(Settings())
    producer.client._sync_task = metadata = asyncio.create_task(swallow(1))
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await producer.abort()

    assert metadata.cancelled()


async def test_producer_abort_ends_beside_a_peer_that_reads_no_more():
    """The socket has unsent bytes, so it never closes by itself."""
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
