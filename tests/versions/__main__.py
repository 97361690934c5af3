"""The tests on every supported Python that is here: `python -m tests.versions [3.12 …] [-- ARGS]`.

Each version gets an environment of its own from requirements.lock; in it all modules are compiled
and typed, and the unit tests and some with a real Kafka and Postgres are run. ARGS go to pytest in
the place of that selection. A version that is not found is not tested, and never counts as passed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.versions.interpreters import SUPPORTED, find
from tests.versions.trial import ROOT, SELECTION, Trial, Verdict, wheels_for

FOLDER = ROOT / ".orderflow" / "versions"
LINES_SHOWN = 40
_OUT = Console(markup=False, highlight=False, soft_wrap=True)
_ERR = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.versions", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"of {SUPPORTED}")
    ours, theirs = _split(arguments)
    versions = parser.parse_args(ours).versions or SUPPORTED
    if unknown := set(versions) - set(SUPPORTED):
        parser.error(f"no supported version: {', '.join(sorted(unknown))}")
    verdicts = [try_version(version, theirs or SELECTION) for version in versions]
    for verdict in verdicts:
        _OUT.print(str(verdict))
    _OUT.print(summary(verdicts))
    return status(verdicts)


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    given = list(arguments)
    at = given.index("--") if "--" in given else len(given)
    return given[:at], given[at + 1 :]


def try_version(version: str, selection: Sequence[str], folder: Path = FOLDER) -> Verdict:
    """Find a version and try it; where it failed, the end of its log is shown."""
    interpreter = find(version)
    if interpreter is None:
        known = wheels_for(version, Path(sys.executable).with_name("uv"))
        return Verdict(version, None, broken=known)
    trial = Trial(version, interpreter, folder, selection)
    _ERR.print(f"{version}: trying {interpreter.path}; its log is {trial.log}")
    verdict = trial.run()
    if not verdict.is_good:
        _ERR.print("\n".join(trial.log.read_text("utf-8").splitlines()[-LINES_SHOWN:]))
    return verdict


def summary(verdicts: Sequence[Verdict]) -> str:
    """The last line: how many versions passed, failed and were not tested."""
    good = sum(verdict.is_good for verdict in verdicts)
    tested = sum(verdict.is_tested for verdict in verdicts)
    return f"versions: passed={good} failed={tested - good} not_tested={len(verdicts) - tested}"


def status(verdicts: Sequence[Verdict]) -> int:
    """0 if one version was tested and none failed."""
    tested = [verdict for verdict in verdicts if verdict.is_tested]
    return 0 if tested and all(verdict.is_good for verdict in tested) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
