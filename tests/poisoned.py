"""Services with a bug: a decision raises on any item that says POISON, until it is mended.

`plant` puts it into this process. Run as `python -m tests.poisoned`, it is an orders service with
the bug, which is mended while the file named by POISON_MENDED_FILE is there; everything else is the
service as it is.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import services.orders.docket
from services.orders.app import build
from services.runtime.serving import serve
from services.runtime.settings import Settings
from services.runtime.telemetry import configure_logging

POISON = "POISON"


class Bug(Exception):
    """What a decision raises that nobody foresaw."""


def plant(docket: ModuleType, is_mended: Callable[[], bool]) -> Callable[..., Any]:
    """The module's `decide` with the bug in it."""
    sound = docket.decide

    def decide(world: Any, command: Any, *more: Any) -> Any:
        if POISON in repr(command) and not is_mended():
            raise Bug("a decision that fails")
        return sound(world, command, *more)

    return decide


if __name__ == "__main__":
    found = Settings.from_environment()
    configure_logging(found)
    mended = Path(os.environ["POISON_MENDED_FILE"])
    setattr(services.orders.docket, "decide", plant(services.orders.docket, mended.exists))  # noqa: B010
    asyncio.run(serve([build(found)], found))
