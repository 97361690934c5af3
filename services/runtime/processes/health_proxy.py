"""HTTP proxy of the parent of `serve --processes`: asks each process, and merges the answers.

The module imports only the standard library, so that the parent stays small: a web framework and
its imports are half of the memory that an idle process needs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from services.runtime.processes.merge import Answer, merge_health, merge_metrics

LIVE = "/health/live"
READY = "/health/ready"
METRICS = "/metrics"
ASK_SECONDS = 4.0
"""Limit for one process: above that of its checks, below that of `orderflow health`."""
START_SECONDS = 120.0
"""A process that has not answered yet is taken for starting for this long."""
REQUEST_SECONDS = 5.0
"""Limit for a client to send the head of a request, and to receive the response."""
REQUEST_MAX_BYTES = 16 * 1024
_JSON = "application/json"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text"
_OPEN = f"{OPEN_METRICS}; version=1.0.0; charset=utf-8"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Backend:
    """A child process, which answers on a port of 127.0.0.1 once it has started."""

    number: int
    port: int
    started: float = field(default_factory=time.monotonic)
    has_answered: bool = False

    async def health(self, path: str) -> Answer:
        """The report of the process; a report by the parent where it does not answer."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                body = await self._ask(path)
            self.has_answered |= bool(body)
            answer: Answer = json.loads(body)
        except (OSError, TimeoutError, ValueError) as error:
            starts = not self.has_answered and time.monotonic() - self.started < START_SECONDS
            return report_without_answer(
                path, f"{type(error).__name__} {error}", is_starting=starts
            )
        return answer

    async def metrics(self, accept: str) -> str:
        """The metrics of the process, in a form of `accept`; empty where it does not answer."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return (await self._ask(METRICS, accept)).decode()
        except (OSError, TimeoutError) as error:
            log.warning(
                "metrics_missing", extra={"fields": {"of": self.number, "error": repr(error)}}
            )
            return ""

    async def _ask(self, path: str, accept: str = "*/*") -> bytes:
        """The body of the answer to a GET."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close"
            writer.write(f"{head}\r\n\r\n".encode())
            whole = await reader.read(-1)
            return whole.partition(b"\r\n\r\n")[2]
        finally:
            writer.close()


def report_without_answer(path: str, error: str, *, is_starting: bool) -> Answer:
    """The report of a process that does not answer; a starting process is alive and not ready."""
    if is_starting and path == LIVE:
        return {"status": "ok", "checks": {"process": {"ok": True, "detail": "starting"}}}
    why = "has not started yet" if is_starting else "does not answer"
    check = {"ok": False, "detail": f"{why}: {error}"}
    return {"status": "failing", "checks": {"process": check}}


async def serve_proxy(backends: Sequence[Backend], listener: socket.socket) -> asyncio.Server:
    """Answer for `backends` on `listener` until the server is closed; one request a connection."""

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await _respond(backends, head))
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError) as error:
            # The client has gone, or sent no HTTP request: no answer can be given.
            log.debug("request_dropped", extra={"fields": {"error": repr(error)}})
        except Exception:
            log.exception("request_failed")  # A process gave an answer that is no report.
            writer.write(_response(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b""))
        finally:
            await _close(writer)

    return await asyncio.start_server(on_connection, sock=listener, limit=REQUEST_MAX_BYTES)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close when the client has received all; abort after REQUEST_SECONDS."""
    writer.close()
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


async def _respond(backends: Sequence[Backend], head: bytes) -> bytes:
    """The whole response to a request's head."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
    if method not in (b"GET", b"HEAD"):
        return _response(HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"")
    if path in (LIVE, READY):
        status, kind, body = await _health(backends, path)
    elif path == METRICS:
        status, (kind, body) = HTTPStatus.OK, await _metrics(backends, head)
    else:
        status, kind, body = HTTPStatus.NOT_FOUND, _TEXT, b""
    return _response(status, kind, body, with_body=method == b"GET")


async def _metrics(backends: Sequence[Backend], head: bytes) -> tuple[str, bytes]:
    """OpenMetrics, which has exemplars, where the client asks for it; else Prometheus text."""
    is_open = any(
        line.lower().startswith(b"accept:") and OPEN_METRICS.encode() in line
        for line in head.split(b"\r\n")
    )
    accept = f"{OPEN_METRICS};version=1.0.0" if is_open else "*/*"
    texts = await asyncio.gather(*(each.metrics(accept) for each in backends))
    merged = merge_metrics({b.number: text for b, text in zip(backends, texts, strict=True)})
    return (_OPEN, f"{merged}# EOF\n".encode()) if is_open else (_TEXT, merged.encode())


async def _health(backends: Sequence[Backend], path: str) -> tuple[HTTPStatus, str, bytes]:
    answers = await asyncio.gather(*(each.health(path) for each in backends))
    merged = merge_health({b.number: one for b, one in zip(backends, answers, strict=True)})
    status = HTTPStatus.OK if merged["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
    return status, _JSON, json.dumps(merged).encode()


def _response(status: HTTPStatus, kind: str, body: bytes, *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
