"""The proxy does to connections what it says, and carries every byte otherwise."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from chaos.proxy import LOOPBACK, Proxy, proxied

DEADLINE_SECONDS = 10


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A server that answers with what it was sent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
async def proxy(echo: int) -> AsyncIterator[Proxy]:
    async with proxied(LOOPBACK, echo) as proxy:
        yield proxy


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def of(cls, proxy: Proxy) -> "Client":
        return cls(*await asyncio.open_connection(LOOPBACK, proxy.port))

    async def ask(self, data: bytes) -> bytes:
        self.writer.write(data)
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.reader.readexactly(len(data))

    def close(self) -> None:
        self.writer.close()


async def test_proxy_forwards_every_byte(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    data = bytes(range(256)) * 8000

    assert await client.ask(data) == data

    client.close()


async def test_proxy_delay_holds_every_answer_back(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    await client.ask(b"at once")
    proxy.delay_seconds = 0.2
    began = time.monotonic()

    await client.ask(b"later")

    assert time.monotonic() - began >= 0.4  # Once each way.
    client.close()


async def test_proxy_half_open_neither_answers_nor_closes_and_continues_afterwards(
    proxy: Proxy,
) -> None:
    client = await Client.of(proxy)
    proxy.fall_silent()
    asked = asyncio.create_task(client.ask(b"hello?"))

    done, _ = await asyncio.wait([asked], timeout=0.3)
    assert not done
    assert proxy.connections == 1
    proxy.speak()

    assert await asked == b"hello?"
    client.close()


async def test_proxy_reset_breaks_open_connections_only(proxy: Proxy) -> None:
    clients = [await Client.of(proxy) for _ in range(3)]
    for client in clients:
        await client.ask(b"there")

    assert proxy.reset() == 3

    for client in clients:
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(DEADLINE_SECONDS):
                await client.reader.read(1)
        client.close()
    again = await Client.of(proxy)
    assert await again.ask(b"again") == b"again"
    again.close()


async def test_proxy_closes_connections_when_no_server_listens(echo: int) -> None:
    async with proxied(LOOPBACK, echo) as proxy:
        proxy.lead_to(LOOPBACK, 1)
        client = await Client.of(proxy)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.ask(b"anybody?")
        client.close()
