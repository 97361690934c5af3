"""Health checks and metrics over HTTP, for orchestrators and monitors.

`/health/live`: the process works; says nothing about database and brokers.
`/health/ready`: the process can do its work now; each check says what is wrong.
`/metrics`: OpenMetrics with exemplars where the scraper asks for it, else Prometheus text.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.runtime.observability.listener import listen

# Whether the check passes, and a sentence about it.
CheckResult = tuple[bool, str]
Check = Callable[[], Awaitable[CheckResult]]

CHECK_TIMEOUT_SECONDS = 3.0


def health_app(
    registry: CollectorRegistry,
    ready: Mapping[str, Check],
    live: Mapping[str, Check] | None = None,
    check_timeout_seconds: float = CHECK_TIMEOUT_SECONDS,
) -> Starlette:
    """The HTTP application: 200 when every check passes, else 503 with the reasons."""

    async def on_live(_: Request) -> Response:
        return await _answer(live or {}, check_timeout_seconds)

    async def on_ready(_: Request) -> Response:
        return await _answer(ready, check_timeout_seconds)

    async def on_metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return Starlette(
        routes=[
            Route("/health/live", on_live),
            Route("/health/ready", on_ready),
            Route("/metrics", on_metrics),
        ]
    )


async def _answer(checks: Mapping[str, Check], timeout_seconds: float) -> JSONResponse:
    results = await _run_all(checks, timeout_seconds)
    all_pass = all(ok for ok, _ in results.values())
    body: dict[str, Any] = {
        "status": "ok" if all_pass else "failing",
        "checks": {name: {"ok": ok, "detail": detail} for name, (ok, detail) in results.items()},
    }
    return JSONResponse(body, status_code=200 if all_pass else 503)


async def measure_readiness(
    gauge: Gauge,
    ready: Mapping[str, Check],
    check_timeout_seconds: float = CHECK_TIMEOUT_SECONDS,
) -> None:
    """Set `gauge` (labels service, check) to 1 for each check that passes, else 0.

    The names in `ready` are of the form `service.check`, as on /health/ready.
    """
    for name, (ok, _) in (await _run_all(ready, check_timeout_seconds)).items():
        gauge.labels(*name.split(".", 1)).set(int(ok))


async def _run_all(
    checks: Mapping[str, Check], timeout_seconds: float
) -> Mapping[str, CheckResult]:
    results = await asyncio.gather(*(_run(check, timeout_seconds) for check in checks.values()))
    return dict(zip(checks, results, strict=True))


async def _run(check: Check, timeout_seconds: float) -> CheckResult:
    try:
        return await asyncio.wait_for(check(), timeout_seconds)
    except TimeoutError:
        return False, f"no answer within {timeout_seconds:g} seconds"
    except Exception as error:  # noqa: BLE001 - a check that raises is reported as failing
        return False, f"{type(error).__name__}: {error}"


class Server(uvicorn.Server):
    """Uvicorn without handlers of its own for signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: `serve` handles SIGTERM and SIGINT."""
        yield


@dataclass(frozen=True, slots=True)
class HttpServer:
    """A running server; `port` is the bound port, also where HTTP_PORT is 0."""

    port: int
    _server: Server
    _task: "asyncio.Task[None]"

    async def stop(self) -> None:
        """Close the port and wait until the server has ended."""
        self._server.should_exit = True
        await self._task


async def serve_http(app: Starlette, host: str, port: int) -> HttpServer:
    """Serve `app` in a task of the running loop; HttpError when the address is taken."""
    return await serve_on(app, listen(host, port))


async def serve_on(app: Starlette, listener: socket.socket) -> HttpServer:
    """Serve `app` on a bound socket, in a task of the running loop."""
    server = Server(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    )
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    return HttpServer(int(listener.getsockname()[1]), server, task)
