"""The wheel `orderflow-contract`: `schemas` as the package `orderflow_contract`, without tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.contract.version import Version

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
FORM = ROOT / "deploy" / "contract" / "python"
PACKAGE = "orderflow_contract"
TOOLS = ("asyncapi.py", "gate", "generate.py", "openapi.py", "release.py", "released")
"""What makes and checks the contract: nothing of it is needed to read or write messages."""
ZIP_EPOCH = "315532800"
"""The time of every file in the wheel (1980, the first in a zip): equal files, equal wheel."""

_BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


def build(folder: Path, version: Version) -> Path:
    """Build the wheel in `folder/python`; returns its path.

    Raises:
        subprocess.CalledProcessError: setuptools could not build it.
    """
    stage, target = folder / "stage" / "python", folder / "python"
    for old in (stage, target):
        shutil.rmtree(old, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copytree(FORM, stage)
    shutil.copytree(
        SCHEMAS,
        stage / PACKAGE,
        ignore=lambda at, _: (*TOOLS, "__pycache__") if Path(at) == SCHEMAS else ("__pycache__",),
    )
    (stage / PACKAGE / "py.typed").touch()
    (stage / "VERSION").write_text(version.python + "\n", "utf-8")
    built = subprocess.run(
        [sys.executable, "-c", _BUILD, str(target)],
        cwd=stage,
        env={**os.environ, "SOURCE_DATE_EPOCH": ZIP_EPOCH},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return target / built.stdout.splitlines()[-1]
