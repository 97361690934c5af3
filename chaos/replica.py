"""One replica of a service as the campaign runs it: as it is, but for the ways to fail in it.

Production code has no hooks. The campaign's points, bugs and planted faults are patches that are
made here, in the process, before the service starts; a name that is no longer there is an error.
`python -m chaos.replica orders` runs one by hand.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from dataclasses import dataclass

from chaos import gaps, planted, points, poison
from services import registry


@dataclass(frozen=True, slots=True)
class Orders:
    """What the campaign wants of a replica, beside its environment."""

    service: str
    name: str
    control: str
    """The folder of control files; empty for none."""
    plants: tuple[str, ...] = ()


def import_services() -> None:
    """Import all that a replica needs, once, before any fork."""
    for service in registry.names():
        registry.load(registry.entry_of(service).build)
    for needed in ("uvloop", "services.runtime.serve", "orderflow.commands.serve"):
        importlib.import_module(needed)


def write_tasks(*_: object) -> None:
    """Write to the log what every task of the process is waiting for."""
    for task in asyncio.all_tasks(asyncio.get_running_loop()):
        task.print_stack(file=sys.stderr)
    sys.stderr.flush()


def live(orders: Orders) -> None:
    """Serve until SIGTERM; SIGUSR1 asks for all tasks."""
    from orderflow.commands.serve import serve

    signal.signal(signal.SIGUSR1, write_tasks)
    if orders.control:
        points.install(orders.control, orders.name)
        gaps.install(orders.control, orders.name)
        poison.install(orders.control)
    for name in orders.plants:
        planted.plant(name)
    serve(orders.service)


if __name__ == "__main__":
    live(Orders(service=sys.argv[1], name=f"{sys.argv[1]}-by-hand", control=""))
