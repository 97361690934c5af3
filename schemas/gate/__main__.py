"""`python -m schemas.gate --check`: 1 and every break, if today's contract breaks a release."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from schemas.gate import contract, releases
from schemas.gate.breaks import Break, describe
from schemas.gate.judge import judge

COMMAND = "python -m schemas.gate"


def breaks(folder: Path = releases.FOLDER) -> tuple[int, list[Break]]:
    """How many releases are held, and what breaks them."""
    changed = list(releases.changed_files(folder))
    if changed:
        return 0, changed  # A release that was changed proves nothing.
    held, today, models = releases.load(folder), contract.today(), contract.models()
    return len(held), [found for release in held for found in judge(release, today, models)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="what it always does")
    parser.parse_args(arguments)
    held, found = breaks()
    for text in describe(found):
        print(text, file=sys.stderr)  # noqa: T201
    if found:
        print("how the contract may change: docs/contract/README.md", file=sys.stderr)  # noqa: T201
    print(f"gate: releases={held} breaks={len(found)}")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
