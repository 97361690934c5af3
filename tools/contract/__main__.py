"""Build the packages of the contract: `python -m tools.contract [python] [npm] [java]`.

Without a name all of them. They need node and npm, and Maven with a JDK; the wheel needs neither.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from schemas import generate
from tools.contract import java, typescript, wheel
from tools.contract.version import Version, of_checkout

FOLDER = wheel.ROOT / "build" / "contract"
COMMAND = "python -m tools.contract"

BUILDERS: Mapping[str, Callable[[Path, Version], Path]] = {
    "python": wheel.build,
    "npm": typescript.build,
    "java": java.build,
}
NEEDS: Mapping[str, Sequence[str]] = {"python": (), "npm": ("node", "npm"), "java": ("mvn",)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").split("\n")[0])
    parser.add_argument("package", nargs="*", help=", ".join(BUILDERS))
    names = parser.parse_args(arguments).package or list(BUILDERS)
    if wrong := _fault(names):
        print(f"contract: {wrong}", file=sys.stderr)  # noqa: T201
        return 1
    version = of_checkout()
    for name in names:
        try:
            path = BUILDERS[name](FOLDER, version)
        except subprocess.CalledProcessError as error:
            print(f"contract: {name} was not built: {error}", file=sys.stderr)  # noqa: T201
            return 1
        print(f"contract: package={name} file={path.relative_to(wheel.ROOT)}")  # noqa: T201
    return 0


def _fault(names: Sequence[str]) -> str | None:
    """Why the packages cannot be built; None: they can."""
    if unknown := sorted(set(names) - set(BUILDERS)):
        return f"no package {', '.join(unknown)}; there are {', '.join(BUILDERS)}"
    if generate.outdated():
        return f"schemas/generated is out of date: run {generate.COMMAND}"
    missing = sorted({tool for name in names for tool in NEEDS[name] if not shutil.which(tool)})
    return f"not on PATH: {', '.join(missing)}" if missing else None


if __name__ == "__main__":
    sys.exit(main())
