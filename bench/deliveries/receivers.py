"""Receivers of webhooks in a process of their own: some answer, others do what they should not.

`python -m bench.deliveries.receivers HEALTHY SILENT` writes its ports as one line of JSON and runs
until its standard input ends. On the control port `take` returns the requests since the last call.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Self

import uvloop

HEALTHY = b"HTTP/1.1 204 No Content\r\n\r\n"
SLOW = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
CONTROL_LINE_MAX = 64 * 1024 * 1024


class Request(NamedTuple):
    """A request that an answering receiver got whole; `at` is Unix time."""

    event_id: str
    path: str
    at: float


class Connection(asyncio.Protocol):
    """One connection to a receiver; `answer` is called for each request."""

    def __init__(
        self, requests: list[Request] | None, answer: Callable[[Connection], None]
    ) -> None:
        self._requests = requests
        self._answer = answer
        self._buffer = bytearray()
        self.transport: asyncio.Transport | None = None
        self.may_write = asyncio.Event()
        self.may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport."""
        self.transport = None
        self.may_write.set()

    def pause_writing(self) -> None:
        """Let an endless answer wait for its reader."""
        self.may_write.clear()

    def resume_writing(self) -> None:
        """Let an endless answer go on."""
        self.may_write.set()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is here whole."""
        self._buffer += data
        while self._take():
            self._answer(self)

    def _take(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        whole = end + 4 + int(headers["content-length"])
        if len(self._buffer) < whole:
            return False
        del self._buffer[:whole]
        if self._requests is not None:
            path = first.split(" ")[1]
            self._requests.append(Request(headers["webhook-id"], path, time.time()))
        return True


def _healthy(connection: Connection) -> None:
    if connection.transport:
        connection.transport.write(HEALTHY)


def _silent(connection: Connection) -> None:
    """A black hole: nothing is ever answered."""


class Hostile:
    """Answers that go on for as long as the connection is open."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def slow(self, connection: Connection) -> None:
        """A byte a second."""
        self._start(self._drip(connection))

    def endless(self, connection: Connection) -> None:
        """A body without end, as fast as it is read."""
        self._start(self._pour(connection))

    def _start(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drip(self, connection: Connection) -> None:
        for byte in SLOW:
            if connection.transport is None:
                return
            connection.transport.write(bytes((byte,)))
            await asyncio.sleep(1.0)

    async def _pour(self, connection: Connection) -> None:
        if connection.transport:
            connection.transport.write(ENDLESS)
        while connection.transport is not None:
            connection.transport.write(CHUNK)
            await connection.may_write.wait()
            await asyncio.sleep(0)


async def serve(healthy: int, silent: int) -> None:
    """Listen on 127.0.0.1, write the ports, and wait for the end of standard input."""
    requests: list[Request] = []
    hostile = Hostile()
    ports = {
        "healthy": [await _listen(requests, _healthy) for _ in range(healthy)],
        "silent": [await _listen(None, _silent) for _ in range(silent)],
        "slow": [await _listen(None, hostile.slow)],
        "endless": [await _listen(None, hostile.endless)],
        "refused": [await _closed_port()],
        "control": [await _control(requests)],
    }
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


async def _listen(requests: list[Request] | None, answer: Callable[[Connection], None]) -> int:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(requests, answer), "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


async def _closed_port() -> int:
    """A port on which nothing listens: it was free a moment ago."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


async def _control(requests: list[Request]) -> int:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line == b"take\n":
                writer.write(json.dumps(requests).encode() + b"\n")
                requests.clear()
            else:
                writer.write(b"%d\n" % len(requests))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


class Receivers:
    """The process, as the benchmark uses it; open it as a context."""

    def __init__(self, healthy: int, silent: int) -> None:
        self._arguments = (str(healthy), str(silent))
        self.ports: dict[str, list[int]] = {}

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __spec__.name, *self._arguments), stdin=pipe, stdout=pipe
        )
        if self._child.stdout is None:
            raise RuntimeError("the receivers have no standard output")
        self.ports = json.loads(await self._child.stdout.readline())
        [port] = self.ports["control"]
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=CONTROL_LINE_MAX
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with suppress(ProcessLookupError):
            self._child.terminate()
        await self._child.wait()

    async def count(self) -> int:
        """How many requests answering receivers got since the last `take`."""
        return int(await self._ask(b"count\n"))

    async def take(self) -> list[Request]:
        """The requests of answering receivers since the last call, in the order they came."""
        return [Request(*each) for each in json.loads(await self._ask(b"take\n"))]

    async def _ask(self, line: bytes) -> bytes:
        self._writer.write(line)
        await self._writer.drain()
        return await self._reader.readline()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
