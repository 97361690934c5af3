"""Several services in one process with one HTTP port: started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from services.runtime.background import every
from services.runtime.config.settings import Settings
from services.runtime.observability.health import (
    Check,
    HttpServer,
    health_app,
    measure_readiness,
    serve_http,
    serve_on,
)
from services.runtime.observability.metrics import Metrics
from services.runtime.processes.supervisor import Inherited

log = structlog.get_logger(__name__)

GC_THRESHOLD = 50_000
"""New objects after which the garbage collector runs, instead of 700: reference counts free what a
batch made at its end, so that collections during a batch find nothing (docs/performance.md)."""


class Serving(Protocol):
    """What `serve` asks of a service; `Service` is one that consumes topics."""

    @property
    def metrics(self) -> Metrics:
        """The metrics that the service sets: the same for all services of a process."""

    async def start(self) -> None:
        """Begin to work; waits for servers that do not answer yet, and for `orderflow migrate`."""

    async def stop(self) -> None:
        """Finish what is in hand, within the drain timeout; also where `start` did not end."""

    def readiness(self) -> Mapping[str, Check]:
        """Readiness checks by name."""

    def liveness(self) -> Mapping[str, Check]:
        """Liveness checks by name."""


async def serve(
    services: Sequence[Serving], settings: Settings, inherited: Inherited | None = None
) -> None:
    """Run services in this process until SIGTERM or SIGINT, with one HTTP port for all.

    With `inherited` this process is a child of `serve --processes`: it uses the socket of its
    parent, and also stops when the parent ends.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if inherited:
        _stop_with_parent(inherited.parent_pipe, stopping)
    http = await _serve_health(services, settings, inherited)
    measuring = asyncio.create_task(_measure_readiness(services, settings))
    starting = asyncio.ensure_future(_start_all(services))
    waiting_for_stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({starting, waiting_for_stop}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _freeze_heap()
            await waiting_for_stop
    finally:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await starting
        await asyncio.gather(*(service.stop() for service in services))
        measuring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await measuring
        await http.stop()


def _stop_with_parent(parent_pipe: int, stopping: asyncio.Event) -> None:
    def on_end() -> None:
        asyncio.get_running_loop().remove_reader(parent_pipe)
        os.close(parent_pipe)
        stopping.set()

    asyncio.get_running_loop().add_reader(parent_pipe, on_end)


def _freeze_heap() -> None:
    """Exclude all objects that exist after the start from garbage collection: they stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


async def _start_all(services: Sequence[Serving]) -> None:
    starts = [asyncio.ensure_future(service.start()) for service in services]
    try:
        await asyncio.gather(*starts)
    finally:
        # When one service cannot start, the starts of the others end too, before they are stopped.
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)


def _readiness(services: Sequence[Serving]) -> dict[str, Check]:
    return {name: check for s in services for name, check in s.readiness().items()}


async def _measure_readiness(services: Sequence[Serving], settings: Settings) -> None:
    """Measure readiness at the interval of the other gauges, at once for the first time."""
    ready = _readiness(services)
    measure = functools.partial(measure_readiness, services[0].metrics.ready, ready)
    await measure()
    await every(settings.metrics_interval_seconds, "measuring", measure, service="all")


async def _serve_health(
    services: Sequence[Serving], settings: Settings, inherited: Inherited | None
) -> HttpServer:
    live = {name: check for s in services for name, check in s.liveness().items()}
    app = health_app(services[0].metrics.registry, _readiness(services), live)
    if inherited:
        return await serve_on(app, socket.socket(fileno=inherited.listener))
    http = await serve_http(app, settings.http_host, settings.http_port)
    log.info("http_listening", port=http.port)
    return http
