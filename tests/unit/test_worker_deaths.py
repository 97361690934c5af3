"""A run in which a worker of pytest-xdist dies ends, fails and shows what the worker wrote last."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.stack.process import wait_until
from tests.worker_deaths import FOLDER, STOP

DEADLINE_SECONDS = 60

# One test to a file, in four files for two workers: each worker gets two tests and no others.
DYING = """
import faulthandler, os, signal, sys, time
from pathlib import Path

import pytest

from deploy.stack import process

@pytest.mark.timeout(5)
def test_dies():
    server = process.start(process.Program(
        "a server", ["/bin/sleep", "600"], Path("server.log"), signal.SIGTERM))
    Path("server.pid").write_text(str(server.pid))
    print("said to stdout")
    print("said to stderr", file=sys.stderr)
    {death}
"""
OTHER = f"""
import time
from pathlib import Path

def test_lives(request):
    deadline = time.monotonic() + {DEADLINE_SECONDS}
    while not Path(request.config.workerinput["{FOLDER}"], "{STOP}").exists():
        assert time.monotonic() < deadline, "no worker died"
        time.sleep(0.01)
    Path("lived").touch()
"""
LATER = """
from pathlib import Path

def test_later():
    Path(__file__).with_suffix(".later").touch()
"""
DYING_LAST = f"""
import os, signal, time
from pathlib import Path

def test_dies():
    deadline = time.monotonic() + {DEADLINE_SECONDS}
    while len(list(Path().glob("*.later"))) < 2:
        assert time.monotonic() < deadline, "the other worker did not run its tests"
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""


LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("death", "ending", "shown"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL", "said to stdout"),
        ("time.sleep(600)", "exited with status 1", "time.sleep(600)"),
        pytest.param(
            "faulthandler._sigsegv()", "was ended by SIGSEGV", "Segmentation fault", marks=LONG
        ),
        pytest.param("os._exit(3)", "exited with status 3", "said to stdout", marks=LONG),
    ],
    ids=["killed", "timeout", "segmentation fault", "exit"],
)
@pytest.mark.timeout(2 * DEADLINE_SECONDS)
def test_worker_that_dies_ends_the_run_with_its_log(
    tmp_path: Path, project_folder: Path, death: str, ending: str, shown: str
) -> None:
    """The test's name, how the worker ended and its output are shown; no further test starts."""
    _write(tmp_path, DYING.format(death=death), OTHER, LATER, LATER)

    status, shown_text = _run(tmp_path, project_folder)

    assert status != 0
    assert "FAILED test_a.py::test_dies" in shown_text
    assert f"{ending} in test_a.py::test_dies" in shown_text
    assert "said to stdout" in shown_text
    assert "said to stderr" in shown_text
    assert shown in shown_text
    assert (tmp_path / "lived").exists(), "the other worker ends the test that it runs"
    assert not list(tmp_path.glob("*.later")), "no worker starts a further test"
    server = int((tmp_path / "server.pid").read_text())
    assert wait_until(lambda: not _lives(server), DEADLINE_SECONDS), "its server ends with it"


def test_worker_that_dies_last_ends_the_run(tmp_path: Path, project_folder: Path) -> None:
    """A worker that replaced it would get a single test of two, never start it, and wait."""
    _write(tmp_path, DYING_LAST, LATER, LATER, LATER)

    status, shown_text = _run(tmp_path, project_folder)

    assert status != 0
    assert "was ended by SIGKILL in test_a.py::test_dies" in shown_text


def _write(folder: Path, *tests: str) -> None:
    """Write a test file of each text, in the order of their names."""
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.worker_deaths"]\n')
    for name, text in zip("abcd", tests, strict=True):
        (folder / f"test_{name}.py").write_text(text)


def _run(folder: Path, project_folder: Path) -> tuple[int, str]:
    """Run pytest as `make test` does, with the options of pyproject.toml; status and output."""
    options = ["-c", str(project_folder / "pyproject.toml"), "--rootdir", "."]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-n", "2", "--dist", "loadfile", "."],
        cwd=folder,
        env={**_environment(), "PYTHONPATH": str(project_folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return run.returncode, run.stdout


def _environment() -> dict[str, str]:
    """The environment without what pytest-xdist sets for the worker that runs this test."""
    return {name: value for name, value in os.environ.items() if "PYTEST" not in name}


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
