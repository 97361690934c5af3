"""Several services in one process, with one HTTP port: started together, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Sequence

import structlog

from services.runtime.config.settings import Settings
from services.runtime.observability.health import (
    HttpServer,
    health_app,
    serve_http,
    serve_on,
)
from services.runtime.processes.supervisor import Inherited
from services.runtime.service import Service

log = structlog.get_logger(__name__)

YOUNG_OBJECTS = 50_000
"""So many new objects wake the garbage collector, not 700: what a batch makes, reference counts
free at its end, and looking through it again and again finds nothing (docs/performance.md)."""


async def serve(
    services: Sequence[Service], settings: Settings, inherited: Inherited | None = None
) -> None:
    """Run services in this process until SIGTERM or SIGINT, with one HTTP port for all.

    With `inherited`, as one child of a parent: on its socket, and until the parent ends as well.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if inherited:
        _stop_with_parent(inherited.lifeline, stopping)
    http = await _serve_health(services, settings, inherited)
    starting = asyncio.ensure_future(_start_all(services))
    waiting_for_stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({starting, waiting_for_stop}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _settle_heap()
            await waiting_for_stop
    finally:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await starting
        await asyncio.gather(*(service.stop() for service in services))
        await http.stop()


def _stop_with_parent(lifeline: int, stopping: asyncio.Event) -> None:
    def on_end() -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        os.close(lifeline)
        stopping.set()

    asyncio.get_running_loop().add_reader(lifeline, on_end)


def _settle_heap() -> None:
    """What stands once everything runs stays for good: the collector need not look at it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


async def _start_all(services: Sequence[Service]) -> None:
    starts = [asyncio.ensure_future(service.start()) for service in services]
    try:
        await asyncio.gather(*starts)
    finally:
        # One that cannot start ends the others' attempts: they would go on beside their own stop.
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)


async def _serve_health(
    services: Sequence[Service], settings: Settings, inherited: Inherited | None
) -> HttpServer:
    ready = {name: check for s in services for name, check in s.readiness().items()}
    live = {name: check for s in services for name, check in s.liveness().items()}
    app = health_app(services[0].metrics.registry, ready, live)
    if inherited:
        return await serve_on(app, socket.socket(fileno=inherited.listener))
    http = await serve_http(app, settings.http_host, settings.http_port)
    log.info("http_listening", port=http.port)
    return http
