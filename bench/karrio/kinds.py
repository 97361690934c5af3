"""Kinds of difference, each with an example and the reason: `kinds.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.karrio.verdicts import Verdict

_FILE = Path(__file__).with_name("kinds.toml")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of difference; see the head of `kinds.toml` for the members."""

    title: str
    facts: Sequence[str]
    example: str
    why: str
    dialects: Sequence[str] = ()
    right: str = ""
    karrio: str = ""
    fact: str = ""
    subject: str = ""

    def has(self, verdict: Verdict) -> bool:
        """Whether a difference is of this kind."""
        return (
            verdict.fact in self.facts
            and (not self.dialects or verdict.dialect in self.dialects)
            and re.search(self.right, verdict.right) is not None
            and re.search(self.karrio, verdict.karrio) is not None
        )

    def shows(self, verdict: Verdict) -> bool:
        """Whether a difference is the example."""
        return (
            verdict.path == self.example
            and self.fact in ("", verdict.fact)
            and self.subject in verdict.subject
        )


def kinds() -> Sequence[Kind]:
    """All kinds, in the order in which they are tried."""
    with _FILE.open("rb") as file:
        return [Kind(**each) for each in tomllib.load(file)["kind"]]


def sorted_by_kind(
    found: Sequence[Kind], differences: Sequence[Verdict]
) -> tuple[Sequence[Sequence[Verdict]], Sequence[Verdict]]:
    """The differences of each kind, and those of none."""
    groups: list[list[Verdict]] = [[] for _ in found]
    others: list[Verdict] = []
    for verdict in differences:
        at = next((at for at, kind in enumerate(found) if kind.has(verdict)), None)
        (others if at is None else groups[at]).append(verdict)
    return groups, others
