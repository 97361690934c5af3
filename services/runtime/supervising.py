"""N processes of the same services under one parent, which answers for all on HTTP_PORT.

Each child listens on a port of 127.0.0.1 that the parent bound for it, and reads from a pipe that
closes when the parent ends, however it ends: no child outlives the parent.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.runtime.health import serve_http
from services.runtime.merging import merge_health, merge_metrics
from services.runtime.settings import Settings

ASK_SECONDS = 4.0
"""Above what a child's own checks may take, below what `orderflow health` waits."""
KILL_MARGIN_SECONDS = 5.0
"""What a child gets to end beyond its drain timeout."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a child gets of its parent: its number from 1, and two file descriptors."""

    number: int
    listener: int
    """A socket bound to a port of 127.0.0.1; it does not listen yet."""
    lifeline: int
    """The end of a pipe that is at its end when the parent has ended."""

    def __str__(self) -> str:
        return f"{self.number},{self.listener},{self.lifeline}"

    @classmethod
    def parse(cls, text: str) -> Inherited:
        """From what `str` gave; ValueError when it is something else."""
        number, listener, lifeline = map(int, text.split(","))
        return cls(number, listener, lifeline)


@dataclass(slots=True)
class _Child:
    number: int
    port: int
    process: asyncio.subprocess.Process

    async def ask(self, path: str) -> bytes:
        """The body of the answer to a GET."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            whole = await reader.read(-1)
            return whole.partition(b"\r\n\r\n")[2]
        finally:
            writer.close()

    async def health(self, path: str) -> dict[str, object]:
        """Its report; one of our own where it does not answer."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                answer: dict[str, object] = orjson.loads(await self.ask(path))
                return answer
        except (OSError, TimeoutError, ValueError) as error:
            check = {"ok": False, "detail": f"does not answer: {type(error).__name__} {error}"}
            return {"status": "failing", "checks": {"process": check}}

    async def metrics(self) -> str:
        """Its metrics; nothing where it does not answer."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return (await self.ask("/metrics")).decode()
        except (OSError, TimeoutError) as error:
            log.warning("metrics_missing", process=self.number, error=repr(error))
            return ""


async def supervise(
    command: Callable[[Inherited], Sequence[str]], count: int, settings: Settings
) -> int:
    """Run `count` children until SIGTERM or SIGINT, or until one ends by itself.

    Either way all are asked to stop, and killed when they take longer than the drain timeout and
    five seconds. Returns the exit status: 0 when stopped in good order, else that of the first
    child that did not end well (128 and the signal's number where a signal ended it; 1 for a child
    that ended by itself with 0). HttpError when HTTP_PORT cannot be had.
    """
    stopping = asyncio.Event()
    for asked in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(asked, stopping.set)
    children: list[_Child] = []
    http = await serve_http(_app(children), settings.http_host, settings.http_port)
    log.info("http_listening", port=http.port, processes=count)
    lifeline, held = os.pipe()
    try:
        for number in range(1, count + 1):
            child = await _start(command, number, lifeline)
            children.append(child)  # At once: a failure further on must not leave it behind.
        status = await _until_one_ends(children, stopping)
        others = await _stop(children, settings.drain_timeout_seconds + KILL_MARGIN_SECONDS)
        return status or others
    finally:
        for child in children:
            if child.process.returncode is None:
                child.process.kill()
        os.close(held)
        os.close(lifeline)
        await http.stop()


async def _start(
    command: Callable[[Inherited], Sequence[str]], number: int, lifeline: int
) -> _Child:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        inherited = Inherited(number, listener.fileno(), lifeline)
        process = await asyncio.create_subprocess_exec(
            *command(inherited),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(inherited.listener, inherited.lifeline),
            process_group=0,  # Ctrl-C in a terminal is for the parent, which passes it on.
        )
        log.info("process_started", process=number, pid=process.pid)
        return _Child(number, listener.getsockname()[1], process)


async def _until_one_ends(children: Sequence[_Child], stopping: asyncio.Event) -> int:
    """0 when it was SIGTERM, else the status for the child that ended."""
    stopped = asyncio.create_task(stopping.wait())
    ends = [asyncio.create_task(child.process.wait()) for child in children]
    await asyncio.wait([stopped, *ends], return_when=asyncio.FIRST_COMPLETED)
    for task in (stopped, *ends):
        task.cancel()
    if stopping.is_set():
        return 0
    ended = next(child for child in children if child.process.returncode is not None)
    code = ended.process.returncode
    log.error("process_ended", process=ended.number, pid=ended.process.pid, status=code)
    return _status(code) or 1


async def _stop(children: Sequence[_Child], seconds: float) -> int:
    """Ask all to stop and wait for them; the status of the first that did not end well."""
    for child in children:
        if child.process.returncode is None:
            child.process.terminate()
    waits = [asyncio.create_task(child.process.wait()) for child in children]
    _, late = await asyncio.wait(waits, timeout=seconds)
    if late:
        for child in children:
            if child.process.returncode is None:
                log.error("process_killed", process=child.number, pid=child.process.pid)
                child.process.kill()
        await asyncio.wait(late)
    codes = [child.process.returncode for child in children]
    # Asked before it could listen for SIGTERM, a child had nothing in hand.
    return next((_status(code) for code in codes if code not in (0, -signal.SIGTERM)), 0)


def _status(code: int | None) -> int:
    return 0 if code is None else (code if code >= 0 else 128 - code)


def _app(children: Sequence[_Child]) -> Starlette:
    async def on_health(request: Request) -> Response:
        answers = await asyncio.gather(*(child.health(request.url.path) for child in children))
        numbers = (child.number for child in children)
        merged = merge_health(dict(zip(numbers, answers, strict=True)))
        return JSONResponse(merged, status_code=200 if merged["status"] == "ok" else 503)

    async def on_metrics(_: Request) -> Response:
        texts = await asyncio.gather(*(child.metrics() for child in children))
        numbers = (child.number for child in children)
        merged = merge_metrics(dict(zip(numbers, texts, strict=True)))
        return Response(merged, media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/health/live", on_health),
            Route("/health/ready", on_health),
            Route("/metrics", on_metrics),
        ]
    )
