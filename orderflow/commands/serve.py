"""`orderflow serve`: run services in this process until SIGTERM."""

import asyncio
import importlib
from enum import StrEnum
from typing import Annotated

import typer

from orderflow.environment import load_settings
from services.runtime.settings import SERVICES, Settings
from services.runtime.telemetry import configure_logging


class Served(StrEnum):
    """What can be served."""

    ORDERS = "orders"
    CLAIMS = "claims"
    ANALYTICS = "analytics"
    ALL = "all"


def serve(
    service: Annotated[Served, typer.Argument(help="One service, or all three in one process.")],
) -> None:
    """Consume, decide, publish, and answer on HTTP_PORT, until SIGTERM or Ctrl-C.

    Any number of replicas may run; they share the partitions. On SIGTERM the batch in hand is
    finished, its events are published, and the group is left, within
    ORDERFLOW_DRAIN_TIMEOUT_SECONDS.

    Example: `HTTP_PORT=8081 LOG_FORMAT=console orderflow serve orders`
    """
    settings = load_settings()
    names = SERVICES if service is Served.ALL else (service.value,)
    with asyncio.Runner(loop_factory=_fast_loop) as runner:
        runner.run(_serve(names, settings))


def _fast_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    from services.runtime import closed_connections

    closed_connections.install()
    return uvloop.new_event_loop()


async def _serve(names: tuple[str, ...], settings: Settings) -> None:
    from services.runtime.serving import serve as serve_until_stopped

    apps = [importlib.import_module(f"services.{name}.app") for name in names]
    # After the imports: FastStream sets up loggers of its own in them.
    configure_logging(settings)
    await serve_until_stopped([app.build(settings) for app in apps], settings)
