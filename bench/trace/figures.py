"""The figures of a path through the code, and the budget of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

BUDGET = Path(__file__).with_name("budget.json")


class Step(NamedTuple):
    """Control comes to a function: it is entered, or continues after a call or a yield."""

    is_entry: bool
    file: str
    function: str


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts of one path; `bench/trace/__init__.py` defines them."""

    files: int
    changes: int
    changes_with_returns: int
    functions: int
    calls: int


Paths = Mapping[str, Sequence[Step]]
"""Steps in order, of `batch` and of `relay`."""


def figures(steps: Sequence[Step]) -> Figures:
    """Count one path."""
    entries = [step for step in steps if step.is_entry]
    return Figures(
        files=len({step.file for step in entries}),
        changes=len(_changes(entries)),
        changes_with_returns=len(_changes(steps)),
        functions=len({(step.file, step.function) for step in entries}),
        calls=len(entries),
    )


def _changes(steps: Sequence[Step]) -> list[tuple[Step, Step]]:
    return [(one, next_) for one, next_ in pairwise(steps) if one.file != next_.file]


def pairs(steps: Sequence[Step]) -> list[tuple[int, str, str, list[str]]]:
    """Changes of file by how often: count, from, to, and each pair of functions with its count."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for one, next_ in _changes([step for step in steps if step.is_entry]):
        between = f"{one.function} -> {next_.function}"
        found.setdefault((one.file, next_.file), Counter())[between] += 1
    listed = [
        (counts.total(), *files, [f"{n} {name}" for name, n in counts.most_common()])
        for files, counts in found.items()
    ]
    return sorted(listed, key=lambda each: -each[0])


def lines(steps: Sequence[Step]) -> list[str]:
    """The path for a reader: a line for each file in order, with the functions entered there."""
    entries = (step for step in steps if step.is_entry)
    return [
        f"{file}: " + ", ".join(_repeats([step.function for step in group]))
        for file, group in groupby(entries, key=lambda step: step.file)
    ]


def _repeats(names: Sequence[str]) -> list[str]:
    counted = [(name, len(list(group))) for name, group in groupby(names)]
    return [name if n == 1 else f"{name} x{n}" for name, n in counted]


def flat(paths: Paths) -> dict[str, int]:
    """The figures that have a budget, by path and name: `batch_files` and so on."""
    counted = {path: figures(steps) for path, steps in paths.items()}
    names = ("files", "changes", "functions")
    return {f"{path}_{n}": getattr(found, n) for path, found in counted.items() for n in names}


def above(found: Mapping[str, int], budget: Mapping[str, int]) -> list[str]:
    """Figures above what was accepted, as text."""
    return [f"{n}: {budget[n]} accepted, now {found[n]}" for n in budget if found[n] > budget[n]]


def lowered(found: Mapping[str, int], budget: Mapping[str, int]) -> dict[str, int]:
    """The budget with what was gained; a figure that may grow is changed by hand, for review."""
    return {name: min(found[name], accepted) for name, accepted in budget.items()}


def load_budget() -> dict[str, int]:
    """What was accepted, by the names of `flat`."""
    budget: dict[str, int] = json.loads(BUDGET.read_text("utf-8"))
    return budget
