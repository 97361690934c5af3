"""What a fixed, broad set of scan histories adds up to: `python -m tests.unit.orders.sums --write`.

A sum is what is stored of a parcel: its shipment's tracking state and its trail, as JSON.
sums.json holds digests of all sums, with the `trail.RULES` by which they were made.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from services.orders.domain.tracking import resume_point
from services.orders.domain.tracking.catalogue import CATALOGUE
from services.orders.domain.tracking.extend import ScanHistory
from services.orders.domain.tracking.scan import Direction, Eta, Pickup, Precision, Scan
from services.orders.domain.tracking.state import TrackingState
from services.orders.domain.value import replace
from tests.unit.orders.builders import DAY, HOUR, NOON, Desk, attach, place, report, scan

COMMAND = "python -m tests.unit.orders.sums --write"
RECORD = Path(__file__).with_suffix(".json")
SEED, DRAWN, REPORTED = 99, 3_000, 500
NOW = NOON + DAY
"""Of all sums: later than most scans, but some lie so far in the future that they do not count."""
SECOND = timedelta(seconds=1)

History: TypeAlias = tuple[Scan, ...]
Digests: TypeAlias = dict[str, str]

# Every pair of events follows each of these: every phase, every kind of trouble, every end.
BEGINNINGS: tuple[tuple[str, ...], ...] = (
    (),
    ("PICKED_UP_BY_CARRIER",),
    ("DAMAGED",),
    ("RECIPIENT_NOT_HOME",),
    ("READY_FOR_COLLECTION_AT_LOCKER",),
    ("SUCCESSFULLY_DELIVERED",),
    ("SUCCESSFULLY_DELIVERED", "OUT_FOR_DELIVERY"),
    ("REFUSED",),
    ("RETURNED_TO_SENDER",),
    ("RETURN_LABEL_CREATED",),
)
# The rules' bounds (an hour, half a day, a day), with a second on either side, and pauses between.
PAUSES = (
    *(bound + side for bound in (HOUR, 12 * HOUR, DAY) for side in (-SECOND, 0 * SECOND, SECOND)),
    *(0 * HOUR, 0 * HOUR, HOUR / 2, HOUR / 2, 3 * HOUR, 5 * HOUR, 2 * DAY),
    *(-HOUR, -5 * HOUR, -13 * HOUR),
)
OFTEN = (
    "PICKED_UP_BY_CARRIER",
    "OUT_FOR_DELIVERY",
    "RECIPIENT_NOT_HOME",
    "DELIVERY_ATTEMPTED",
    "SUCCESSFULLY_DELIVERED",
    "HELD_AT_DEPOT",
    "LOST",
    "REFUSED",
)
ETAS = (
    Eta(latest=NOON.date()),
    Eta(earliest=NOON + HOUR, latest=NOON + DAY),
    Eta(latest=NOON + 2 * DAY),
)
PICKUPS = (Pickup(type="locker", name="1"), Pickup(name="2", date_to="2024-01-09"))


def pairs() -> Iterator[History]:
    """Every two events of the catalogue, after each beginning; an hour and a half apart."""
    most = max(map(len, BEGINNINGS)) + 2
    by_name = {
        name: [scan(name, NOON + at * 1.5 * HOUR) for at in range(most)] for name in CATALOGUE
    }
    for begun in BEGINNINGS:
        for pair in product(CATALOGUE, repeat=2):
            yield tuple(by_name[name][at] for at, name in enumerate((*begun, *pair)))


def drawn(count: int = DRAWN, seed: int = SEED) -> Iterator[History]:
    """Histories drawn at random, with all that a scan can say; each key once."""
    rng = random.Random(seed)
    for _ in range(count):
        at, found = NOON, dict[str, Scan]()
        for _ in range(rng.choice((1, 2, 4, 6, 8, 10))):
            at += rng.choice(PAUSES)
            scan = _draw(rng, at)
            found[scan.key] = scan
        yield tuple(found.values())


def _draw(rng: random.Random, at: datetime) -> Scan:
    names = OFTEN if rng.random() < 0.4 else tuple(CATALOGUE)
    precision = rng.choice([Precision.SECOND] * 5 + [Precision.DAY])
    return scan(
        "NO SUCH EVENT" if rng.random() < 0.02 else rng.choice(names),
        at.replace(hour=0, minute=0, second=0) if precision is Precision.DAY else at,
        precision=precision,
        carrier=rng.choice(["dhl"] * 6 + ["DHL", "ups", None]),
        scan_id=rng.choice([None, None, "1", "2", "3"]),
        retracts=rng.choice([None] * 12 + ["1", "2"]),
        code=rng.choice([None, "a", "b"]),
        attempt=rng.choice([None] * 4 + [1, 3]),
        direction=rng.choice([None] * 8 + list(Direction)),
        eta=rng.choice([None, None, *ETAS]),
        pickup=rng.choice([None, None, *PICKUPS]),
    )


def _sums(histories: Sequence[History]) -> Iterator[bytes]:
    """The sum of each history."""
    for history in histories:
        total = ScanHistory(history, NOW).total
        yield _stored(total.machine.state(), total.trail(len(history)))


def _growing_sums(histories: Sequence[History]) -> Iterator[bytes]:
    """The sum after each scan of each history."""
    for history in histories:
        held = ScanHistory((), NOW)
        for count, each in enumerate(history, 1):
            held.add((each,))
            yield _stored(held.total.machine.state(), held.total.trail(count))


def _reported_sums(histories: Sequence[History]) -> Iterator[bytes]:
    """What decisions store of them: scans of other carriers are not their owner's."""
    for carrier in (None, "dhl"):
        start = Desk(now=NOW)
        start.send(place())
        start.send(attach("N1", carrier=carrier))
        for history in histories:
            desk = start.copy()
            half = len(history) // 2
            for part in filter(None, (history[:half], history[half:])):
                desk.send(report(*part, carrier=None))
            yield _stored(desk.shipment().tracking, desk.parcels["N1"].trail)


def _stored(state: TrackingState, kept: resume_point.ResumePoint | None) -> bytes:
    """As JSON with its members sorted, so that their order in the code does not matter."""
    kept = kept and replace(kept, rules="")
    return msgspec.json.encode((state, kept), order="sorted")


def _digest(lines: Iterator[bytes]) -> str:
    found = sha256()
    for line in lines:
        found.update(line + b"\n")
    return found.hexdigest()[:16]


FAMILIES: Mapping[
    str,
    tuple[Callable[[], Iterator[History]], Callable[[Sequence[History]], Iterator[bytes]]],
] = {
    "drawn": (drawn, _growing_sums),
    "reported": (lambda: drawn(REPORTED, SEED + 1), _reported_sums),
    "pairs": (pairs, _sums),
}
"""By name, the histories and how they are added up."""


def histories_now() -> Digests:
    """The digest of each family's histories, which change with this file and the catalogue."""
    return {
        name: _digest(msgspec.json.encode(each, order="sorted") for each in make())
        for name, (make, _) in FAMILIES.items()
    }


def sum_now(family: str) -> str:
    """The digest of one family's sums."""
    make, add_up = FAMILIES[family]
    return _digest(add_up(tuple(make())))


def sums_now() -> Digests:
    """The digest of each family's sums."""
    return {family: sum_now(family) for family in FAMILIES}


def problem(recorded: Mapping[str, Any], sums: Digests, histories: Digests) -> str | None:
    """What is to be done before `sums` agree with the record, None if they do."""
    if recorded["rules"] != resume_point.RULES:
        return (
            f"The rules are {resume_point.RULES} now, {recorded['rules']} in the record. "
            f"Run: {COMMAND}"
        )
    if recorded["histories"] != histories:
        return (
            "The histories of sums.py changed, so their sums say nothing of the rules. Without a "
            f"change to the rules, run: {COMMAND}"
        )
    if recorded["sums"] != sums:
        changed = [name for name, digest in sums.items() if recorded["sums"][name] != digest]
        return (
            f"Scans add up to something else than before ({', '.join(changed)}), and stored trails "
            "are still read as if they did not. If that is meant, raise the number in RULES "
            f"(services/orders/domain/tracking/resume_point.py), then run: {COMMAND}"
        )
    return None


def load() -> dict[str, Any]:
    """What was recorded."""
    found: dict[str, Any] = json.loads(RECORD.read_text("utf-8"))
    return found


def write() -> int:
    """Record the sums; not those of changed rules under their old number. Returns the status."""
    sums, histories = sums_now(), histories_now()
    is_same = RECORD.exists() and (load()["rules"], load()["histories"]) == (
        resume_point.RULES,
        histories,
    )
    if is_same and (found := problem(load(), sums, histories)):
        sys.stderr.write(f"sums: {found}\n")
        return 1
    record = {"rules": resume_point.RULES, "histories": histories, "sums": sums}
    RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    sys.stdout.write(f"sums: written={RECORD}\n")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(f"usage: {COMMAND}")
    sys.exit(write())
