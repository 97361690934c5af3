"""Checks, before anything is started, that the machine has disk space, memory and free ports."""

import contextlib
import errno
import itertools
import random
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.stack.errors import DiskFull, PortTaken, StackError, TooLittleMemory

LOOPBACK = "127.0.0.1"
MEBIBYTE = 1024 * 1024
KAFKA_PORT = "ORDERFLOW_STACK_KAFKA_PORT"
POSTGRES_PORT = "ORDERFLOW_STACK_POSTGRES_PORT"
PORTS = range(10_240, 32_768)
"""Those that `free_port` gives: ports of outgoing connections begin above, by default."""
_CGROUP = Path("/sys/fs/cgroup")
_first = random.randrange(len(PORTS))  # Processes that start together begin at other ports.
_candidates: Iterator[int] = itertools.cycle((*PORTS[_first:], *PORTS[:_first]))


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be free before the servers start, in bytes."""

    disk_bytes: int = 1024 * MEBIBYTE
    memory_bytes: int = 700 * MEBIBYTE


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Raise DiskFull unless `folder` (or its nearest parent that exists) has room."""
    place = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < needed_bytes:
        raise DiskFull(
            f"{place} has {free // MEBIBYTE} MB left and the local stack needs "
            f"{needed_bytes // MEBIBYTE} MB: make room there, or name servers that run elsewhere "
            "in KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL"
        )


def check_memory(needed_bytes: int) -> None:
    """Raise TooLittleMemory unless this machine, or this container, has enough free memory."""
    free = free_memory_bytes()
    if free < needed_bytes:
        raise TooLittleMemory(
            f"{free // MEBIBYTE} MB of memory are free and Kafka and Postgres need "
            f"{needed_bytes // MEBIBYTE} MB: close other programs, raise the container's limit, or "
            "name servers that run elsewhere in KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL"
        )


def free_memory_bytes() -> int:
    """Free memory: the machine's, or less where a control group limits this process."""
    available = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # No limit reads "max"; no cgroup v2, no file.
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_CGROUP / "memory.current").read_text(encoding="ascii"))
        # The page cache counts as used and is given back when memory is needed.
        available = min(available, limit - used + _page_cache_bytes())
    return available


def _page_cache_bytes() -> int:
    lines = (_CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address."""
    with socket.socket() as probe:
        # Servers set SO_REUSEADDR themselves; without it, connections that linger would count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def check_port(port: int, server: str, way_out: str) -> None:
    """Raise PortTaken unless `port` is free; `way_out` says how to choose another."""
    if not is_free(port):
        raise PortTaken(
            f"port {port}, where {server} should listen, is taken{_owner_of(port)}: stop that "
            f"program, or {way_out}"
        )


def _owner_of(port: int) -> str:
    """` by NAME (pid N)` where the operating system says it, else nothing."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr[1:] == (port,) and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


def free_port() -> int:
    """A port of the loopback address that no process listens on at this moment.

    Each call gives another port. None is among those that an operating system gives to outgoing
    connections unless it is set otherwise: such a connection could take the port before the server
    listens that it is for.
    """
    return next(port for port in _candidates if is_free(port))


def named_port(environ: Mapping[str, str], name: str) -> int | None:
    """The port in the variable `name`, or None for any free one. Raises StackError for nonsense."""
    text = environ.get(name)
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StackError(f"{name}={text} is no port: set it to a number from 1 to 65535")
    return int(text)
