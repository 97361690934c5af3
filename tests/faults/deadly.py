"""An orders service that a certain item kills: its process is gone in the middle of the decision.

As a native library that crashes would do it, or memory that a message blows up. Run as
`python -m tests.faults.deadly`; everything else is the service as it is.
"""

import asyncio
import os
from typing import Any

import services.orders.unit_of_work
from services.orders.app import build
from services.runtime.config.settings import Settings
from services.runtime.observability.logging import configure_logging
from services.runtime.serve import serve

DEADLY = "DEADLY"
STATUS = 86

_sound = services.orders.unit_of_work.decide


def decide(world: Any, command: Any, *more: Any) -> Any:
    """The service's own decision, survived by no process for one kind of item."""
    if DEADLY in repr(command):
        os._exit(STATUS)
    return _sound(world, command, *more)


if __name__ == "__main__":
    found = Settings.from_environment()
    configure_logging(found)
    setattr(services.orders.unit_of_work, "decide", decide)  # noqa: B010 - the real one is kept above
    asyncio.run(serve([build(found)], found))
