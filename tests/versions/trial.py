"""Trial: one Python with an environment of its own, where everything is compiled, typed and run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

from tests.versions.interpreters import Interpreter

ROOT = Path(__file__).resolve().parents[2]
OURS = ("schemas", "services", "orderflow", "deploy", "demo", "tools", "tests")
LOCK = "requirements.lock"

# Everything without servers, and with them what leans most on the interpreter: a batch from Kafka
# to Postgres and back, services that start and stop, the clients' wires, and a shop's whole life.
SELECTION = (
    "tests/unit",
    "tests/contract",
    "tests/integration/orders",
    "tests/integration/wire",
    "tests/e2e/test_shop.py",
    *("-m", "not long", "-n", "2", "--dist", "loadfile"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one version: a failed step, tests that failed, or how many passed."""

    version: str
    interpreter: Interpreter | None
    passed: int = 0
    skipped: int = 0
    failed: int = 0
    """Tests that failed or could not be set up."""
    broken: str | None = None
    """What failed, where it was no test; of a version that was not found, what else is known."""

    @property
    def is_tested(self) -> bool:
        """Whether an interpreter was found at all."""
        return self.interpreter is not None

    @property
    def is_good(self) -> bool:
        """Whether tests ran, and nothing failed."""
        return self.is_tested and self.broken is None and not self.failed and self.passed > 0

    def __str__(self) -> str:
        if self.interpreter is None:
            return f"{self.version}: not tested, no interpreter found ({self.broken})"
        found = f"({self.interpreter.version}, {self.interpreter.path})"
        if self.broken is not None:
            return f"{self.version}: FAILED at {self.broken} {found}"
        counts = f"passed={self.passed} skipped={self.skipped} failed={self.failed}"
        return f"{self.version}: {'' if self.is_good else 'FAILED '}{counts} {found}"


@dataclass(frozen=True, slots=True)
class Trial:
    """One version in `folder`, which keeps its environment and what its steps said."""

    version: str
    interpreter: Interpreter
    folder: Path
    selection: Sequence[str] = SELECTION

    @property
    def log(self) -> Path:
        """All that the steps said."""
        return self.folder / f"{self.version}.log"

    def run(self) -> Verdict:
        """Go through the steps, up to the first that fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        report = self.folder / f"{self.version}.xml"
        report.unlink(missing_ok=True)
        venv = self.folder / self.version
        python = str(venv / "bin" / "python")
        setup = {"PYTHON": str(self.interpreter.path), "VENV": str(venv)}
        typed = ("-m", "mypy", "--python-version", self.version)
        steps: tuple[tuple[str, Sequence[str], dict[str, str]], ...] = (
            ("set-up", ["deploy/setup.sh"], setup),
            ("compileall", [python, "-W", "error", "-m", "compileall", "-qf", *OURS], {}),
            ("mypy", [python, *typed], {}),
        )
        for name, command, environment in steps:
            if self._run(command, environment):
                return Verdict(self.version, self.interpreter, broken=name)
        status = self._run([python, "-m", "pytest", f"--junitxml={report}", *self.selection], {})
        return verdict_of(self.version, self.interpreter, report, status)

    def _run(self, command: Sequence[str], environment: dict[str, str]) -> int:
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            return subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode


def verdict_of(version: str, interpreter: Interpreter, report: Path, status: int) -> Verdict:
    """What pytest's JUnit report and its exit status say of a version."""
    broken = f"pytest, status {status}"
    if not report.exists():
        return Verdict(version, interpreter, broken=broken)
    passed, skipped, failed = counts_in(report)
    # Status 1 is of failed tests; any other says that not all that was asked for was run.
    agrees = status == (1 if failed else 0)
    return Verdict(version, interpreter, passed, skipped, failed, None if agrees else broken)


def counts_in(report: Path) -> tuple[int, int, int]:
    """Tests passed, skipped and failed in a JUnit report of pytest's."""
    suites = ET.parse(report).getroot().iter("testsuite")
    found = [
        [int(suite.attrib[name]) for name in ("tests", "skipped", "failures", "errors")]
        for suite in suites
    ]
    tests, skipped, failures, errors = (sum(each) for each in zip(*found, strict=True))
    return tests - skipped - failures - errors, skipped, failures + errors


def wheels_for(version: str, uv: Path, lock: Path = ROOT / LOCK) -> str:
    """What is known of a version that is not here: whether all that is pinned has wheels for it."""
    with TemporaryDirectory() as target:
        asked = subprocess.run(
            [
                *(uv, "pip", "install", "--dry-run", "--quiet", "--python-version", version),
                *("--only-binary", ":all:", "--target", target, "--require-hashes", "-r", lock),
            ],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
    if asked.returncode == 0:
        return f"all of {lock.name} has wheels for it"
    said = " ".join(asked.stderr.split())
    return f"not all of {lock.name} can be had as wheels for it: {said[:300]}"
