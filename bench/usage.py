"""What processes use: CPU seconds and resident memory, with their children's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

MEBIBYTE = 1024 * 1024


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children, those that have ended included."""
    root = psutil.Process(pid)
    own = root.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in root.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # It ended: its parent's times have it.
            times = child.cpu_times()
            total += times.user + times.system
    return float(total)


def resident_bytes(pid: int) -> int:
    """Resident memory of the largest of a process and its children."""
    root = psutil.Process(pid)
    largest = root.memory_info().rss
    for child in root.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # It ended.
            largest = max(largest, child.memory_info().rss)
    return int(largest)


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, by who used them (`ours`, `kafka`, `postgres`)."""

    seconds: Mapping[str, float]

    @classmethod
    def now(cls, pids: Mapping[str, Iterable[int]]) -> Usage:
        """What has been used up to now."""
        return cls({name: sum(map(cpu_seconds, each)) for name, each in pids.items()})

    def since(self, before: Usage) -> Usage:
        """What was used in between."""
        return Usage({name: used - before.seconds[name] for name, used in self.seconds.items()})
