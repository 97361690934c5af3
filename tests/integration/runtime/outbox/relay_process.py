"""A relay in a separate process that kills or stops itself at a named point.

The points wrap methods from outside: production code has none.
`python -m tests.integration.runtime.outbox.relay_process SETTINGS PLAN`, both JSON.
"""

import asyncio
import json
import os
import signal
import sys

from services.runtime.clock import SystemClock
from services.runtime.config.settings import Settings
from services.runtime.observability.logging import configure_logging
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox import delivery, relay
from services.runtime.outbox.relay import Relay
from services.runtime.outbox.wiring import publisher_factory

SILENCE_SECONDS = 1.5
BALANCE_SECONDS = 0.2
DEAF_SECONDS = 4.0


def arm(point: str, act: int, after: int) -> None:
    """Before the `after`-th call of `Class.method`, send this process the signal `act`."""
    owner, name = point.split(".")
    kind = getattr(delivery, owner)
    method = getattr(kind, name)
    calls = 0

    async def wrapped(self, *args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == after:
            os.kill(os.getpid(), act)
        return await method(self, *args, **kwargs)

    setattr(kind, name, wrapped)


def deafen() -> None:
    """Delay the reaction to lost leases: publishing continues until Kafka fences it."""
    stop = Relay._stop_publishers

    async def late(self):
        await asyncio.sleep(DEAF_SECONDS)
        await stop(self)

    Relay._stop_publishers = late


async def publish(settings: Settings) -> None:
    """Relay until SIGTERM."""
    service_relay = Relay(
        service="orders",
        shards=settings.outbox_shards,
        poll_seconds=settings.relay_poll_seconds,
        factory=publisher_factory(settings, "orders"),
        metrics=Metrics(),
        now=SystemClock().now,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, service_relay.drain)
    await service_relay.run()


if __name__ == "__main__":
    read = Settings(**json.loads(sys.argv[1]))
    plan = json.loads(sys.argv[2])
    configure_logging(read)
    relay.SILENCE_SECONDS = SILENCE_SECONDS
    relay.BALANCE_SECONDS = BALANCE_SECONDS
    if plan.get("is_deaf"):
        deafen()
    if plan:
        arm(plan["point"], getattr(signal, plan["act"]), plan["after"])
    asyncio.run(publish(read))
