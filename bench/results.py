"""What a run found, and what it comes to: medians, spreads, ratios."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psutil

from bench.differences import Records
from bench.lap import Lap
from bench.latency import Latency
from bench.parts import Part
from bench.usage import MEBIBYTE

HEADLINE_MIX = "upserts"
HEADLINE_LOAD = 0.2


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of a contender's laps in one race, and the least and most of them."""

    contender: str
    mix: str
    replicas: int
    messages: int
    laps: int
    seconds: float
    """The span of the shortest lap."""
    items_per_s: float
    least: float
    most: float
    cpu_us: dict[str, float]
    rss_mb: float
    stored: int

    @classmethod
    def of(cls, laps: Sequence[Lap]) -> Figure:
        """All of one contender, mix and number of replicas."""
        rates = [lap.items_per_s for lap in laps]
        first = laps[0]
        cpu_us = {
            name: statistics.median(lap.cpu_us[name] for lap in laps) for name in first.cpu_us
        }
        return cls(
            first.contender,
            first.mix,
            first.replicas,
            first.messages,
            len(laps),
            min(lap.seconds for lap in laps),
            statistics.median(rates),
            min(rates),
            max(rates),
            cpu_us,
            max(lap.rss_mb for lap in laps),
            first.stored,
        )


@dataclass(slots=True)
class Race:
    """One question: its laps, and which figure the others are compared with."""

    title: str
    laps: list[Lap]

    @property
    def figures(self) -> list[Figure]:
        """One for each contender, number of replicas and store, in the order of first laps."""
        groups: dict[tuple[object, ...], list[Lap]] = {}
        for lap in self.laps:
            group = lap.contender, lap.mix, lap.replicas, lap.stored
            groups.setdefault(group, []).append(lap)
        return [Figure.of(laps) for laps in groups.values()]

    def rate(self, contender: str) -> float | None:
        """Items per second of a contender with one replica, None where it did not run."""
        for figure in self.figures:
            if figure.contender == contender and figure.replicas == 1:
                return figure.items_per_s
        return None


@dataclass(slots=True)
class Results:
    """One run."""

    at: datetime
    is_quick: bool
    seed: int
    machine: dict[str, Any]
    races: list[Race] = field(default_factory=list)
    latencies: list[tuple[float | None, Latency]] = field(default_factory=list)
    """Each with the share of full speed that it was measured at, None for a fixed rate."""
    records: list[Records] = field(default_factory=list)
    """What each contender published for the same commands."""
    counted: dict[str, dict[str, float]] = field(default_factory=dict)
    """Bytecode instructions and calls into C of ours a message, by mix."""
    parts: dict[str, list[Part]] = field(default_factory=dict)
    """By mix."""

    def race(self, title: str) -> Race | None:
        """The race of a title."""
        return next((race for race in self.races if race.title == title), None)

    @property
    def rss_mb_by_mix(self) -> dict[str, float]:
        """Most resident memory of a process of ours, by race."""
        laps = {
            race.title: [lap for lap in race.laps if lap.contender == "ours"] for race in self.races
        }
        return {title: max(lap.rss_mb for lap in each) for title, each in laps.items() if each}

    @property
    def interpreters(self) -> dict[str, set[str]]:
        """The programs that ran each contender's processes, by the operating system."""
        found: dict[str, set[str]] = {}
        for race in self.races:
            for lap in race.laps:
                found.setdefault(lap.contender, set()).add(lap.interpreter)
        return found

    def last_line(self) -> str:
        """What a script reads."""
        race = self.race(HEADLINE_MIX)
        assert race is not None
        ours = race.rate("ours")
        assert ours is not None
        rss_mb = max(self.rss_mb_by_mix.values())
        at_load = [each for share, each in self.latencies if share == HEADLINE_LOAD]
        values = {
            "commands_per_s": f"{ours:.0f}",
            "vs_ceiling": _ratio(ours, race.rate("ceiling"), 2),
            "vs_strengthened": _ratio(ours, race.rate("ceiling-strengthened"), 2),
            "vs_textbook": _ratio(ours, race.rate("textbook"), 1),
            "vs_faststream_outbox": _ratio(ours, race.rate("faststream-outbox"), 1),
            "p99_ms": f"{at_load[0].ms['p99']:.1f}" if at_load else "not_measured",
            "rss_mb": f"{rss_mb:.0f}",
        }
        return "bench: " + " ".join(f"{name}={value}" for name, value in values.items())

    def as_json(self) -> dict[str, Any]:
        """All of it, laps included."""
        found = dataclasses.asdict(self)
        for race, shown in zip(self.races, found["races"], strict=True):
            shown["figures"] = [dataclasses.asdict(figure) for figure in race.figures]
        found["rss_mb_by_mix"] = self.rss_mb_by_mix
        return found


def _ratio(ours: float, theirs: float | None, digits: int) -> str:
    return "not_measured" if theirs is None else f"{ours / theirs:.{digits}f}"


def machine() -> dict[str, Any]:
    """What it ran on, as far as it matters for figures."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / MEBIBYTE / 1024, 1),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "interpreter": os.path.realpath(sys.executable),
        "compiler": platform.python_compiler(),
        "build": build_flags(sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def build_flags(configured: str) -> dict[str, bool]:
    """Which of the flags that make an interpreter faster it was configured with.

    Debian and Ubuntu build with a profile without saying so; their sign is where pip's wheels are.
    """
    given = [each.strip("'").partition("=") for each in configured.split()]
    said = {flag: value for flag, _, value in given if value not in ("no", "none")}
    is_debians = said.get("--with-wheel-pkg-dir", "").startswith("/usr/share/python-wheels")
    return {
        "pgo": "--enable-optimizations" in said or is_debians,
        "lto": "--with-lto" in said,
    }
