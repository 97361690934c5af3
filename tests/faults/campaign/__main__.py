"""`make chaos`: run the campaign; the last line says what was counted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.faults.campaign.campaign import Wanted, run
from tests.faults.campaign.planted import PLANTS

REPORTS = Path(__file__).resolve().parents[3] / "reports"


def tell(line: str) -> None:
    """A line for whoever looks on, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the arguments say; 0 only when nothing is wrong."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws the traffic and the faults")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--publication", choices=("at_least_once", "exactly_once"), default="at_least_once"
    )
    parser.add_argument("--plant", action="append", default=[], choices=sorted(PLANTS))
    parser.add_argument("--without-faults", action="store_true", help="the same traffic in peace")
    parser.add_argument("--reports", type=Path, default=REPORTS)
    chosen = parser.parse_args()
    wanted = Wanted(
        seed=chosen.seed,
        rounds=chosen.rounds,
        publication=chosen.publication,
        plants=tuple(chosen.plant),
        has_faults=not chosen.without_faults,
        reports=chosen.reports,
    )
    result = asyncio.run(run(wanted, tell))
    tell(result.last_line)
    return 0 if result.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
