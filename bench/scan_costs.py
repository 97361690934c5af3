"""What reading a scan costs in each form of tracking messages: `python -m bench.scan_costs`.

Of each dialect its largest payload is read, and of our own form a message with ten scans. The guard
counts (guard.json has a line for each payload); the command here measures the time as well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter_ns

from bench.counting import Counter, Counts
from bench.traffic import mix
from services.orders.messages.carriers.code_maps import FOLDER
from services.orders.messages.carriers.registry import DIALECTS
from services.orders.messages.decode import TRACKING, read
from services.orders.messages.entries import DecodedItem
from services.runtime.messages.records import Coordinates, Original

CORPUS = Path(__file__).parents[1] / "tests" / "corpus" / "carriers"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OWN = "own form, ten scans"
LAPS = 30
READS_A_LAP = 20


@dataclass(frozen=True, slots=True)
class Payload:
    """A tracking message, and how many scans are read of it."""

    name: str
    record: Original
    scans: int


def payloads() -> Sequence[Payload]:
    """The own form, then the largest payload of each dialect that has one, by name."""
    found = [_payload(OWN, _own())]
    for name, dialect in DIALECTS.items():
        folders = (FOLDER / name / "examples", CORPUS / name)
        paths = [path for folder in folders for path in folder.glob("*") if _is_payload(path)]
        if paths:
            path = max(paths, key=lambda path: (path.stat().st_size, str(path)))
            line = f"{name}, {path.parent.name}/{path.name}"
            found.append(_payload(line, _record(dialect.types[0], path.read_bytes())))
    return found


def count_scans() -> Mapping[str, Counts]:
    """What reading does for a scan, by payload, in a process that is warm."""
    return {each.name: _count(each) for each in payloads()}


def measure_scans(found: Sequence[Payload]) -> Mapping[str, float]:
    """Microseconds a scan, by payload: the least of many laps, in turn."""
    least = {each.name: float("inf") for each in found}
    for _ in range(LAPS):
        for each in found:
            began = perf_counter_ns()
            for _ in range(READS_A_LAP):
                read(each.record, NOW)
            lap = (perf_counter_ns() - began) / 1000 / READS_A_LAP / each.scans
            least[each.name] = min(least[each.name], lap)
    return least


def table() -> str:
    """Time and counts of each payload, as a table in Markdown."""
    found = payloads()
    times, counts = measure_scans(found), count_scans()
    rows = [
        "| payload | bytes | scans | µs a scan | of the own form | instructions | calls into C |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found:
        size, count = len(each.record.value or b""), counts[each.name]
        rows.append(
            f"| {each.name} | {size:,} | {each.scans} | {times[each.name]:.0f} | "
            f"{times[each.name] / times[OWN]:.1f} | {count.instructions:,.0f} | "
            f"{count.c_calls:,.0f} |"
        )
    return "\n".join(rows)


def _count(payload: Payload) -> Counts:
    counter = Counter()
    read(payload.record, NOW)  # Caches fill.
    with counter.counting():
        counter.begin()
        read(payload.record, NOW)
        counter.end(payload.name)
    return counter.parts[payload.name].per(payload.scans)


def _payload(name: str, record: Original) -> Payload:
    scans = sum(len(_scans(entry)) for entry in read(record, NOW))
    if not scans:
        raise ValueError(f"{name}: no scan is read of it")
    return Payload(name, record, scans)


def _scans(entry: object) -> Sequence[object]:
    return getattr(entry.command, "scans", ()) if isinstance(entry, DecodedItem) else ()


def _own() -> Original:
    letter = mix("scans_repeated", 1).letters[0]
    return Original(Coordinates(TRACKING, 0, 1), letter.key, letter.headers, letter.value, NOW)


def _record(type_: str, value: bytes) -> Original:
    headers = (("ce_type", type_.encode()), ("ce_id", b"1"), ("ce_source", b"/bench"))
    return Original(Coordinates(TRACKING, 0, 1), b"1", headers, value, NOW)


def _is_payload(path: Path) -> bool:
    return path.suffix in (".json", ".xml") and not path.name.endswith(".answer.json")


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
