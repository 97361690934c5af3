"""The run over several Pythons: what it finds, and that only passed tests count as passed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.versions import __main__ as command
from tests.versions import interpreters
from tests.versions.interpreters import Interpreter, ask, find
from tests.versions.trial import Trial, Verdict, verdict_of, wheels_for

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
OURSELVES = Path(os.path.realpath(sys.executable))
ANY = Interpreter(Path("/usr/bin/python3.11"), "3.11.2")
GOOD = Verdict("3.11", ANY, passed=3, skipped=1)
RED = Verdict("3.12", ANY, passed=3, failed=1)
BROKEN = Verdict("3.13", ANY, broken="set-up")
ABSENT = Verdict("3.14", None, broken="all of requirements.lock has wheels for it")


@pytest.fixture
def nothing_installed(tmp_path, monkeypatch):
    """A machine without interpreters; returns where pyenv would put them."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setattr(interpreters, "SYSTEM", (empty,))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    return tmp_path / "pyenv" / "versions"


def install(home: Path, name: str, *, answer: str | None = None) -> None:
    """An interpreter by that name: this one, or a script that answers something else."""
    (home / "bin").mkdir(parents=True)
    path = home / "bin" / name
    body = f'exec {OURSELVES} "$@"' if answer is None else answer
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_an_interpreter_is_found_where_pyenv_has_it(nothing_installed):
    assert find(HERE) is None

    install(nothing_installed / f"{HERE}.0", f"python{HERE}")

    found = find(HERE)
    assert found is not None
    assert found.version.startswith(f"{HERE}.")
    assert ask(found.path, HERE) == found


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("exit 127", id="a shim without its version"),
        pytest.param("echo 3.9.18 /x", id="another version"),
        pytest.param("true", id="no answer"),
    ],
)
def test_what_answers_otherwise_is_passed_over(nothing_installed, answer):
    install(nothing_installed / f"{HERE}.9", f"python{HERE}", answer=answer)
    assert find(HERE) is None

    install(nothing_installed / f"{HERE}.1", f"python{HERE}")
    assert find(HERE) is not None


def test_a_name_does_not_make_a_version(nothing_installed):
    install(nothing_installed / "3.99.0", "python3.99")

    assert find("3.99") is None


@pytest.mark.parametrize(
    ("verdicts", "status", "last"),
    [
        ([GOOD, ABSENT], 0, "versions: passed=1 failed=0 not_tested=1"),
        ([ABSENT], 1, "versions: passed=0 failed=0 not_tested=1"),
        ([GOOD, RED], 1, "versions: passed=1 failed=1 not_tested=0"),
        ([GOOD, BROKEN, ABSENT], 1, "versions: passed=1 failed=1 not_tested=1"),
        ([Verdict("3.11", ANY)], 1, "versions: passed=0 failed=1 not_tested=0"),
    ],
)
def test_only_passed_tests_count_as_passed(verdicts, status, last):
    assert command.status(verdicts) == status
    assert command.summary(verdicts) == last


def test_each_version_has_a_line():
    where = "(3.11.2, /usr/bin/python3.11)"
    assert str(GOOD) == f"3.11: passed=3 skipped=1 failed=0 {where}"
    assert str(RED) == f"3.12: FAILED passed=3 skipped=0 failed=1 {where}"
    assert str(BROKEN) == f"3.13: FAILED at set-up {where}"
    assert str(ABSENT) == (
        "3.14: not tested, no interpreter found (all of requirements.lock has wheels for it)"
    )


def test_a_report_is_counted_and_another_status_or_no_report_is_a_failure(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "def test_left_out(): pytest.skip('here')\n"
        "@pytest.fixture\n"
        "def broken(): raise OSError\n"
        "def test_set_up(broken): pass\n"
    )
    report = tmp_path / "report.xml"
    asked = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, f"--junitxml={report}", "."]
    subprocess.run(asked, cwd=tmp_path, check=False, capture_output=True)

    counted = Verdict(HERE, ANY, passed=1, skipped=1, failed=2)
    assert verdict_of(HERE, ANY, report, 1) == counted
    assert str(verdict_of(HERE, ANY, report, 2)).startswith(f"{HERE}: FAILED at pytest, status 2")
    assert str(verdict_of(HERE, ANY, tmp_path / "none.xml", 0)).startswith(f"{HERE}: FAILED at")


def test_a_version_whose_set_up_fails_is_broken_and_its_log_says_why(tmp_path):
    no_python = Interpreter(tmp_path / "python", HERE)

    trial = Trial(HERE, no_python, tmp_path)

    assert trial.run() == Verdict(HERE, no_python, broken="set-up")
    assert "is no Python 3.11 or later" in trial.log.read_text()


def test_what_cannot_be_installed_is_not_said_to_have_wheels(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("uvloop==0.23.0\n")  # Without the hashes that are required.

    said = wheels_for("3.14", Path(sys.executable).with_name("uv"), lock)

    assert said.startswith("not all of requirements.lock can be had as wheels for it: ")
