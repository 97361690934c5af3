"""Interpreters: which Pythons are here, on the PATH, in /usr, or installed by pyenv or uv."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
SYSTEM = (Path("/usr/bin"), Path("/usr/local/bin"))
_ANSWERS_WITHIN_SECONDS = 20

# Answers with version and path where it can make virtual environments and has the global lock. A
# path on the PATH may be a shim of pyenv's, which starts another.
_QUESTION = """
import ensurepip, platform, sys, sysconfig, venv
if not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print(platform.python_version(), sys.executable)
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One that answers."""

    path: Path
    version: str
    """All of it, such as 3.12.1."""


def find(version: str) -> Interpreter | None:
    """The first interpreter of a version such as 3.12 that can make virtual environments."""
    return next(filter(None, (ask(path, version) for path in _candidates(version))), None)


def ask(path: Path, version: str) -> Interpreter | None:
    """The interpreter at `path`; None where it is of another version, or of no use."""
    try:
        asked = subprocess.run(
            [path, "-I", "-c", _QUESTION],
            capture_output=True,
            text=True,
            timeout=_ANSWERS_WITHIN_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said, _, where = asked.stdout.strip().partition(" ")
    if asked.returncode or not said.startswith(f"{version}."):
        return None
    return Interpreter(Path(where), said)


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    if found := shutil.which(name):
        yield Path(found)
    for folder in SYSTEM:
        yield folder / name
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    for folder, form in ((pyenv, f"{version}.*"), (uv, f"cpython-{version}.*")):
        for home in sorted(folder.glob(form), reverse=True):
            yield home / "bin" / name
