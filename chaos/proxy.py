"""A TCP proxy that can be slow, silent or rude: what networks do between a service and a server.

`proxied` starts one. `delay_seconds` holds back every piece of data; `fall_silent` forwards nothing
and closes nothing (half-open) until `speak`; `reset` breaks every connection with RST.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 256 * 1024
LOOPBACK = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger: close sends RST.


class Proxy:
    """Forwards connections to one server. What it does wrong it does to all, new ones too."""

    def __init__(self, host: str = LOOPBACK, port: int = 0) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._speaking = asyncio.Event()
        self._speaking.set()
        self.delay_seconds = 0.0
        self.port = 0

    async def start(self) -> int:
        """Listen on a free port of the loopback address, which is returned."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    def lead_to(self, host: str, port: int) -> None:
        """Where connections that come from now on lead."""
        self._target = (host, port)

    async def stop(self) -> None:
        """Listen no more, and end every connection."""
        if self._server:
            self._server.close()
        self.speak()
        self.reset()
        if self._server:
            await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many connections go through."""
        return len(self._pairs)

    def fall_silent(self) -> None:
        """Forward nothing and close nothing: connections are half-open until `speak`."""
        self._speaking.clear()

    def speak(self) -> None:
        """Forward again, what was held back first."""
        self._speaking.set()

    def reset(self) -> int:
        """Break every connection with RST; returns how many."""
        broken = list(self._pairs)
        for pair in broken:
            pair.reset()
        return len(broken)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward = await asyncio.open_connection(*self._target)
        except OSError:  # The server does not listen: refuse as well.
            _break(writer)
            return
        pair = _Pair(writer, onward[1])
        self._pairs.add(pair)
        directions = (self._carry(reader, onward[1]), self._carry(onward[0], writer))
        tasks = {asyncio.create_task(each) for each in directions}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pairs.discard(pair)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            pair.close()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Carry bytes one way until either end is closed or broken."""
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await self._speaking.wait()
                sink.write(data)
                await sink.drain()


class _Pair:
    """Both ends of one forwarded connection."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self._writers = writers

    def close(self) -> None:
        for writer in self._writers:
            writer.close()

    def reset(self) -> None:
        for writer in self._writers:
            _break(writer)


def _break(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    if found is not None and not writer.is_closing():
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


@asynccontextmanager
async def proxied(host: str = LOOPBACK, port: int = 0) -> AsyncIterator[Proxy]:
    """A proxy in front of one server, gone afterwards. It may be led to the server later."""
    proxy = Proxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
