"""The guard of the path's cost: `python -m bench.guard --check`, a part of `make check`.

Fails where a part does a tenth more for a message than what was accepted (guard.json): more
instructions, more calls into C, or more bytes through codecs; and where reading a scan of a dialect
does. Counted, never timed, so that it says the same on every machine; what the counts cannot see
stands in counting.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.counting import Counts
from bench.pure import PARTS, count_parts
from bench.scan_costs import count_scans
from bench.traffic import MIXES, mix

COMMAND = "python -m bench.guard"
BASELINE = Path(__file__).with_suffix(".json")
MESSAGES = 100
SCAN = "read of a scan"
WITH_STATE = ("upserts", "day")
"""Mixes that are also measured with the state of each order written (docs/decisions/0184)."""
TENTH = 0.1
# Less than that a message is nothing, however large a share of nothing it is.
FLOOR = Counts(instructions=10, c_calls=1, codec_bytes=16)
LEAST_SHOWN = 0.005

_OUT = Console(width=150)
_ERR = Console(stderr=True)

Costs = Mapping[str, Mapping[str, Counts]]
"""What a message costs, by part and mix; what a scan costs, by payload."""


@dataclass(frozen=True, slots=True)
class Change:
    """One measure of one part in one mix, against what was accepted."""

    part: str
    mix: str
    measure: str
    before: float
    after: float

    @property
    def share(self) -> float:
        """By how much it grew; what was nothing and is something grew without bound."""
        if not self.before:
            return float("inf") if self.after else 0.0
        return self.after / self.before - 1

    @property
    def floor(self) -> float:
        """The least difference that is one."""
        return float(getattr(FLOOR, self.measure))

    @property
    def is_growth(self) -> bool:
        """Whether it fails the check."""
        return self.after > max(self.before * (1 + TENTH), self.before + self.floor)

    @property
    def is_gain(self) -> bool:
        """Whether the baseline is too kind by now."""
        return self.after < min(self.before * (1 - TENTH), self.before - self.floor)

    def __str__(self) -> str:
        measure = self.measure.replace("_", " ")
        unit = "a scan" if self.part == SCAN else "a message"
        return (
            f"{self.part}, {self.mix}: {self.before:,.1f} {measure} {unit}, now "
            f"{self.after:,.1f} ({self.share:+.0%})"
        )


def measure(mixes: Sequence[str] = MIXES, messages: int = MESSAGES) -> Costs:
    """Count a message's cost; of bulk letters an item's."""
    found: dict[str, dict[str, Counts]] = {part: {} for part in PARTS}
    for name in mixes:
        for part, counts in count_parts(mix(name, messages)).items():
            found[part][name] = counts.per(messages)
    return found


def measure_with_state() -> Costs:
    """The same of some mixes, with the state of each order written as well."""
    found: dict[str, dict[str, Counts]] = {part: {} for part in PARTS}
    for name in WITH_STATE:
        for part, counts in count_parts(mix(name, MESSAGES), orders_state=True).items():
            found[part][f"{name}, orders.state"] = counts.per(MESSAGES)
    return found


def measure_all() -> Costs:
    """Count what a message costs, also with states, and what a scan of each dialect does."""
    with_state = measure_with_state()
    parts = {part: {**costs, **with_state[part]} for part, costs in measure().items()}
    return {**parts, SCAN: count_scans()}


def changes(before: Costs, after: Costs) -> Iterator[Change]:
    """Every measure of what both have, in order.

    Raises:
        ValueError: they have not the same parts and mixes.
    """
    for part, by_mix in after.items():
        if differing := sorted(before.get(part, {}).keys() ^ by_mix.keys()):
            raise ValueError(
                f"{BASELINE.name} knows other parts or mixes: run {COMMAND} --add, which keeps all "
                f"lines but these of {part}: {'; '.join(differing)}"
            )
        for name, counts in by_mix.items():
            for each in fields(Counts):
                pair = (getattr(before[part][name], each.name), getattr(counts, each.name))
                yield Change(part, name, each.name, *pair)


def load(path: Path = BASELINE) -> Costs:
    """What was accepted.

    Raises:
        ValueError: it was counted on another Python, whose instructions are others.
    """
    python, costs = accepted(path)
    if python != _python():
        raise ValueError(
            f"{path.name} was counted on Python {python}, and this is {_python()}: run "
            f"make setup PYTHON=python{python}, or accept its counts with {COMMAND} --write"
        )
    return costs


def accepted(path: Path = BASELINE) -> tuple[str, Costs]:
    """The Python that was counted on, and what was accepted."""
    baseline = json.loads(path.read_text("utf-8"))
    costs = {
        part: {name: Counts(*counts) for name, counts in by_mix.items()}
        for part, by_mix in baseline["parts"].items()
    }
    return baseline["python"], costs


def added(before: Costs, after: Costs) -> Costs:
    """What was accepted, with the lines that are missing and without those of nothing."""
    return {
        part: {name: before.get(part, {}).get(name, counts) for name, counts in by_mix.items()}
        for part, by_mix in after.items()
    }


def save(costs: Costs, path: Path = BASELINE) -> None:
    """Accept these; one line for each part and mix, so that a review shows what changed."""
    lines = [
        f"    {json.dumps(part)}: {{\n"
        + ",\n".join(
            f"      {json.dumps(name)}: {json.dumps(astuple(counts))}"
            for name, counts in by_mix.items()
        )
        + "\n    }"
        for part, by_mix in costs.items()
    ]
    head = f'{{\n  "python": {json.dumps(_python())},\n'
    measures = json.dumps([each.name for each in fields(Counts)])
    body = ",\n".join(lines)
    path.write_text(f'{head}  "measures": {measures},\n  "parts": {{\n{body}\n  }}\n}}\n', "utf-8")


def scan_table(found: Sequence[Change]) -> Table:
    """Instructions and C calls a scan, by payload, with the largest change."""
    shown = Table("payload", "a scan", title="instructions + calls into C, a scan")
    for name in dict.fromkeys(change.mix for change in found):
        shown.add_row(name, _cell([change for change in found if change.mix == name]))
    return shown


def table(found: Sequence[Change]) -> Table:
    """Instructions and C calls a message, by part and mix, with the largest change of a cell."""
    changed: dict[tuple[str, str], list[Change]] = {}
    for change in found:
        changed.setdefault((change.part, change.mix), []).append(change)
    mixes = list(dict.fromkeys(change.mix for change in found))
    shown = Table("part", *mixes, title="instructions + calls into C, a message")
    for part in dict.fromkeys(change.part for change in found):
        shown.add_row(part, *(_cell(changed[part, name]) for name in mixes))
    return shown


def _cell(measures: Sequence[Change]) -> str:
    instructions, c_calls, _ = measures
    most = max(measures, key=lambda change: abs(change.share))
    text = f"{instructions.after:,.0f} + {c_calls.after:,.0f}"
    return text if abs(most.share) < LEAST_SHOWN else f"{text}\n{most.share:+.0%}"


def judge(found: Sequence[Change]) -> int:
    """Say what changed; returns the exit status."""
    _OUT.print(table([change for change in found if change.part != SCAN]))
    if scans := [change for change in found if change.part == SCAN]:
        _OUT.print(scan_table(scans))
    grown = [change for change in found if change.is_growth]
    gained = [change for change in found if change.is_gain]
    for change in gained:
        _say(_OUT, f"cheaper: {change}")
    if gained:
        _say(_OUT, f"hold on to what was gained: {COMMAND} --write")
    for change in grown:
        _say(_ERR, f"dearer: {change}")
    if grown:
        _say(_ERR, f"make it cheaper, or decide that it is worth it: {COMMAND} --write")
    _say(_OUT, f"guard: dearer={len(grown)} cheaper={len(gained)} of={len(found)}")
    return 1 if grown else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").split("\n")[0])
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--check", action="store_true", help="compare with what was accepted")
    way.add_argument("--write", action="store_true", help="accept what it costs now")
    way.add_argument("--add", action="store_true", help="accept only lines that are missing")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.check:
            return judge(list(changes(load(), measure_all())))
        save(added(load(), measure_all()) if chosen.add else measure_all())
        _say(_OUT, f"guard: written={BASELINE}")
        return 0
    except ValueError as error:
        _say(_ERR, f"guard: {error}")
        return 1


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


if __name__ == "__main__":
    sys.exit(main())
