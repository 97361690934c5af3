"""Decisions about stock: values in, a decision out."""

from __future__ import annotations

from dataclasses import dataclass

NOT_ENOUGH = "not_enough"


@dataclass(frozen=True, slots=True)
class Decision:
    """The level after a change, or the reason for which the change is rejected."""

    level: int
    rejected_for: str | None = None


def decide(level: int, pieces: int) -> Decision:
    """Decide a change of `pieces` at a `level`; a level is never below 0."""
    if level + pieces < 0:
        return Decision(level, NOT_ENOUGH)
    return Decision(level + pieces)
