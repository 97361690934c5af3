"""Freeze today's contract as the next release: `python -m schemas.release --day 2026-03-01`.

Do it with every deployment that is announced to publishers or subscribers. From then on
the gate holds what was added since the release before, too. A release is never changed or removed
afterwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date

from . import generate
from .gate import contract, releases
from .gate.__main__ import main as gate

COMMAND = "python -m schemas.release"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--day", type=date.fromisoformat, required=True, help="day of the release")
    day = parser.parse_args(arguments).day.isoformat()
    if any(releases.FOLDER.glob("1")) and gate([]):
        print("not released: today's contract breaks an earlier release", file=sys.stderr)  # noqa: T201
        return 1
    if generate.outdated():
        print(f"not released: run {generate.COMMAND} first", file=sys.stderr)  # noqa: T201
        return 1
    target = releases.freeze(contract.today(), day)
    print(f"release: number={target.name} folder={target}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
