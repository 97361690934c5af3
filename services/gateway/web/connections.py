"""Connections: how many there may be, and how long each may take to send the head of a request.

uvicorn has no limit for the time until a head is complete, and reads on without end what a client
sends after its request was answered. Both are added here (uvicorn 0.54).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.gateway.names import SERVICE, UNKNOWN_SENDER
from services.runtime.config.environment import SettingsError
from services.runtime.config.settings import Settings
from services.runtime.observability.health import Server
from services.runtime.observability.metrics import Metrics

HEAD_MAX_BYTES = 16_384
BACKLOG = 512
_TEXT = b"content-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n" + _TEXT
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _TEXT

# A request that is no HTTP is counted, and no entry of the log: a client could write thousands.
_quiet = logging.getLogger("services.gateway.web.uvicorn")
_quiet.setLevel(logging.ERROR)


class Connection(H11Protocol):
    """One connection of a client."""

    def __init__(
        self, *arguments: Any, settings: Settings, metrics: Metrics, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.logger = _quiet
        self.access_log = False
        self._settings = settings
        self._metrics = metrics
        self._head_timer: asyncio.TimerHandle | None = None
        self._has_sent = False
        self._has_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; a connection too many is answered and closed."""
        if len(self.connections) >= self._settings.gateway_max_connections:
            self.transport = transport
            self._refuse(_TOO_MANY, "too_many_connections")
            return
        super().connection_made(transport)
        self._count()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)
        self._count()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that is not complete has a time limit from its first byte."""
        if self.transport.is_closing():
            return
        self._has_sent = True
        super().data_received(data)
        if self._is_answering():
            self._stop_timer()
        else:
            self._await_head()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection for the answer to a whole request: its client may still read.

        TLS has no connections that are open in one direction.
        """
        is_plain = self.transport.get_extra_info("sslcontext") is None
        self._has_ended = is_plain and self._is_answering() and not self.cycle.more_body
        return self._has_ended

    def on_response_complete(self) -> None:
        """End the connection where the request goes on after its answer, or the client sent all."""
        if self.cycle.more_body and not self.transport.is_closing():
            self.transport.close()
        self._has_sent = False
        super().on_response_complete()
        if self._has_ended and not self._is_answering():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and end the request whose body it stands in."""
        self._note("malformed_request")
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request.
        return cycle is not None and not cycle.response_complete

    def _await_head(self) -> None:
        if self._head_timer is None:
            seconds = self._settings.gateway_header_seconds
            self._head_timer = self.loop.call_later(seconds, self._on_slow_head)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_slow_head(self) -> None:
        self._head_timer = None
        if self.transport.is_closing() or self._is_answering():
            return
        if self._has_sent:
            self._refuse(_TOO_SLOW, "slow_head")
        else:
            self.transport.close()

    def _refuse(self, answer: bytes, reason: str) -> None:
        self._note(reason)
        self.transport.write(answer)
        self.transport.close()

    def _note(self, reason: str) -> None:
        self._metrics.http_refusals_total.labels(SERVICE, UNKNOWN_SENDER, reason).inc()

    def _count(self) -> None:
        self._metrics.http_connections.labels(SERVICE).set(len(self.connections))


class WebServer:
    """The server of the gateway's port, in a task of the running loop."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        self.port = int(listener.getsockname()[1])
        self._server = Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="gateway.web")

    def is_running(self) -> bool:
        """Whether it takes requests."""
        return not self._task.done() and not self._server.should_exit

    async def stop(self) -> None:
        """Close the port, finish the requests in progress within the drain timeout, and end."""
        self._server.should_exit = True
        await self._task


def web_config(app: ASGIApp, settings: Settings, metrics: Metrics) -> uvicorn.Config:
    """How the gateway is served.

    Raises:
        SettingsError: the certificate or its key cannot be used.
    """
    protocol: Any = functools.partial(Connection, settings=settings, metrics=metrics)
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.gateway_keep_alive_seconds,
        timeout_graceful_shutdown=max(1, int(settings.drain_timeout_seconds)),
        h11_max_incomplete_event_size=HEAD_MAX_BYTES,
        backlog=BACKLOG,
        ssl_certfile=settings.gateway_tls_certfile,
        ssl_keyfile=settings.gateway_tls_keyfile,
    )
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one.
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        raise SettingsError(
            "ORDERFLOW_GATEWAY_TLS_CERTFILE or ORDERFLOW_GATEWAY_TLS_KEYFILE: cannot use "
            f"{settings.gateway_tls_certfile}: {reason}"
        ) from None
    return config
