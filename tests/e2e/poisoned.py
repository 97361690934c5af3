"""Services with a bug: the decision of any item containing POISON raises, until it is mended.

`plant` puts it into this process. Run as `python -m tests.e2e.poisoned`, it is an orders service
with the bug, which is mended while the file named by POISON_MENDED_FILE is there; everything else
is the service as it is.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import services.orders.unit_of_work
from services.orders.app import build
from services.runtime.config.settings import Settings
from services.runtime.observability.logging import configure_logging
from services.runtime.serve import serve

POISON = "POISON"


class Bug(Exception):
    """An unforeseen error of a decision."""


def plant(module: ModuleType, is_mended: Callable[[], bool]) -> Callable[..., Any]:
    """The module's `decide` with the bug in it."""
    sound = module.decide

    def decide(world: Any, command: Any, *more: Any) -> Any:
        if POISON in repr(command) and not is_mended():
            raise Bug("a decision that fails")
        return sound(world, command, *more)

    return decide


def plant_until_mended(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> dict[str, bool]:
    """Put the bug into a module for one test, until `mended` of the result is set."""
    state = {"mended": False}
    monkeypatch.setattr(module, "decide", plant(module, lambda: state["mended"]))
    return state


if __name__ == "__main__":
    found = Settings.from_environment()
    configure_logging(found)
    mended = Path(os.environ["POISON_MENDED_FILE"])
    deciding: Any = services.orders.unit_of_work
    deciding.decide = plant(deciding, mended.exists)
    asyncio.run(serve([build(found)], found))
