"""The network of a container: a loopback device of its own, and ports that lead in and out."""

import asyncio
import ctypes
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

LOOPBACK = "127.0.0.1"
_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Ports:
    """Connections between this machine's loopback addresses and those of containers.

    Bytes are copied by one thread. A `with` block closes all.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._copying: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def lead_out(self, container: int, port: int, target: int) -> None:
        """Let a container reach `target` of this machine at its own 127.0.0.1:`port`.

        `container` is the id of a process in it. Raises OSError.
        """
        listener = _in_network(container, lambda: _listener(port))
        self._wait(self._serve(listener, socket.socket, target))

    def lead_in(self, container: int, port: int, at: int = 0) -> int:
        """Let this machine reach `port` of a container at 127.0.0.1:`at`; any port for 0.

        Returns the port of this machine. Raises OSError.
        """
        listener = _listener(at)
        chosen: int = listener.getsockname()[1]
        self._wait(self._serve(listener, lambda: _in_network(container, socket.socket), port))
        return chosen

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _serve(
        self, listener: socket.socket, make: Callable[[], socket.socket], port: int
    ) -> None:
        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._copying.add(task)
                task.add_done_callback(self._copying.discard)
            await _join(reader, writer, make, port)

        self._servers.append(await asyncio.start_server(connect, sock=listener))

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._copying):
            task.cancel()
        await asyncio.gather(*self._copying, return_exceptions=True)


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    make: Callable[[], socket.socket],
    port: int,
) -> None:
    """Connect to a port and copy both ways until both ends are closed."""
    try:
        connection = make()
        connection.settimeout(0)
        await asyncio.get_running_loop().sock_connect(connection, (LOOPBACK, port))
    except OSError:  # Nothing listens there, or the container has ended: as a refused connection.
        writer.transport.abort()
        return
    far_reader, far_writer = await asyncio.open_connection(sock=connection)
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    except OSError:
        writer.transport.abort()
        far_writer.transport.abort()
    finally:
        writer.close()
        far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def _listener(port: int) -> socket.socket:
    return socket.create_server((LOOPBACK, port), backlog=64)


def _in_network(container: int, make: Callable[[], socket.socket]) -> socket.socket:
    """A socket of the namespace of a process; it stays one wherever it is used."""
    made: list[socket.socket | OSError] = []

    def enter() -> None:
        try:
            namespace = os.open(f"/proc/{container}/ns/net", os.O_RDONLY)
            try:
                if _LIBC.setns(namespace, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(namespace)
            made.append(make())
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=enter)  # A namespace is that of a thread.
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]
