"""`make chaos`: run the campaign; the last line says what was counted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from chaos.campaign import Wanted, run
from chaos.planted import PLANTS

REPORTS = Path(__file__).resolve().parents[1] / "reports"


def show(line: str) -> None:
    """Print a line and flush."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _wanted(chosen: argparse.Namespace) -> Wanted:
    plant = PLANTS.get(chosen.plant or chosen.faults_of)
    faults = plant.faults if plant else () if chosen.without_faults else None
    return Wanted(
        seed=chosen.seed,
        rounds=chosen.rounds,
        publication=chosen.publication or (plant.publication if plant else "at_least_once"),
        plants=(chosen.plant,) if chosen.plant else (),
        faults=None if faults is None else (faults,) * chosen.rounds,
        environment=plant.environment if plant else {},
        flags=tuple(_flags(chosen)),
        reports=chosen.reports,
    )


def _flags(chosen: argparse.Namespace) -> Iterator[str]:
    """What must be said again to see the same again."""
    if chosen.plant:
        yield f"--plant {chosen.plant}"
    elif chosen.faults_of:
        yield f"--faults-of {chosen.faults_of}"
    elif chosen.without_faults:
        yield "--without-faults"


def main() -> int:
    """Run a campaign; 0 only if nothing is wrong and every patch of a planted bug was called."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws the traffic and the faults")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--publication",
        choices=("at_least_once", "exactly_once"),
        help="at_least_once, if not said",
    )
    parser.add_argument("--plant", choices=sorted(PLANTS), help="a bug, under the faults it needs")
    parser.add_argument("--faults-of", choices=sorted(PLANTS), help="these, without the bug")
    parser.add_argument("--without-faults", action="store_true", help="the same traffic in peace")
    parser.add_argument("--reports", type=Path, default=REPORTS)
    result = asyncio.run(run(_wanted(parser.parse_args()), show))
    show(result.last_line)
    return 0 if result.is_clean and not result.never_called else 1


if __name__ == "__main__":
    sys.exit(main())
