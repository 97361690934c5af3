"""The bug of the campaign: deciding fails for what the generator marked, until the bug is mended.

A mark is the word POISON in the command or scan. The file `mended` in the control folder switches
the bug off, as deploying a corrected release would.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chaos.patching import patch

MARK = "POISON"
_DECISIONS = ("services.orders.unit_of_work:decide", "services.claims.unit_of_work:decide")


class Bug(Exception):
    """An unexpected error in a decision."""


def mended_file(control: Path) -> Path:
    """While it is there, the bug is not."""
    return control / "mended"


def install(control: str) -> None:
    """Put the bug into the decisions."""
    mended = mended_file(Path(control))
    for place in _DECISIONS:
        patch(place, lambda decide: _buggy(decide, mended))


def _buggy(decide: Callable[..., Any], mended: Path) -> Callable[..., Any]:
    @functools.wraps(decide)
    def decided(world: Any, command: Any, *more: Any) -> Any:
        if MARK in repr(command) and not mended.exists():
            raise Bug(f"a bug that {MARK} wakes")
        return decide(world, command, *more)

    return decided
