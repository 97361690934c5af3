"""The one entrance: `decide` what a command leads to."""

from __future__ import annotations

from datetime import datetime

from .commands import Command
from .decision import Decision, World


def decide(world: World, command: Command, now: datetime) -> Decision:
    """Decide `command` on what was read. Pure; refuses by its outcome, never by an exception.

    `now` is the business time (aware). Nothing of `world` is changed: the caller applies the
    decision's orders, parcels and references before it decides the next item.
    """
    raise NotImplementedError
