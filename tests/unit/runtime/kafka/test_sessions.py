"""Connections that are retired before their session ends, by an answer of a broker."""

import asyncio

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import SaslAuthenticateRequest, SaslAuthenticateResponse_v1

from services.runtime.kafka.compat import sessions

SESSION_SECONDS = 0.2
LOGIN = SaslAuthenticateRequest(b"")


@pytest.fixture(autouse=True)
def _installed() -> None:
    sessions.install()
    sessions.install()


async def _logged_in(lifetime_ms: int) -> AIOKafkaConnection:
    """A connection to a server that grants a session, and then answers nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        request = await reader.readexactly(size)
        body = SaslAuthenticateResponse_v1(0, None, b"", lifetime_ms).encode()
        answer = request[4:8] + body
        writer.write(len(answer).to_bytes(4, "big") + answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    connection = AIOKafkaConnection(*server.sockets[0].getsockname(), request_timeout_ms=2_000)
    connection._do_version_lookup = _nothing
    await connection.connect()
    connection._versions = {LOGIN.API_KEY: (0, 1)}
    await connection.send(LOGIN)
    server.close()
    return connection


async def _nothing() -> None:
    return None


async def _until(is_so) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_connection_is_closed_before_its_session_ends() -> None:
    connection = await _logged_in(round(SESSION_SECONDS * 1000))
    began = asyncio.get_running_loop().time()
    assert connection.connected()

    await _until(lambda: connection._reader is None)

    assert asyncio.get_running_loop().time() - began < SESSION_SECONDS


async def test_connection_with_a_request_takes_no_other_and_is_closed_after_it() -> None:
    connection = await _logged_in(round(SESSION_SECONDS * 1000))
    asked = asyncio.ensure_future(connection.send(LOGIN))

    await _until(lambda: not connection.connected())

    assert connection._reader is not None, "its request waits for an answer"
    with pytest.raises((TimeoutError, KafkaConnectionError)):
        await asked
    await _until(lambda: connection._reader is None)


async def test_connection_of_a_session_without_end_stays() -> None:
    connection = await _logged_in(0)

    ending = await _logged_in(round(SESSION_SECONDS * 1000))
    await _until(lambda: not ending.connected())

    assert connection.connected()
    await connection.close()
