"""`orderflow serve --processes N`: one command, N processes, one port; none outlives the other."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from .conftest import Run

DEADLINE_SECONDS = 60
PARENT_MAX_BYTES = 40 * 1024 * 1024


def _until(is_so: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


class Fleet:
    """`orderflow serve orders --processes 2`; `wait` until it is ready."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.lives: list[int] = []
        self.children: list[psutil.Process] = []
        with log.open("wb") as stream:
            self.parent = subprocess.Popen(
                [sys.executable, "-m", "orderflow", "serve", "orders", "--processes", "2"],
                env=os.environ | {"HTTP_PORT": "0"},
                stdout=stream,
                stderr=stream,
            )

    def wait(self, run: Run) -> None:
        """Wait until both processes are ready."""
        _until(lambda: self.entries("http_listening"), self.log)
        self.port = str(self.entries("http_listening")[0]["port"])
        _until(lambda: self._is_ready(run), self.log)
        self.children = psutil.Process(self.parent.pid).children()

    def _is_ready(self, run: Run) -> bool:
        """Whether it is ready; whether it was alive meanwhile is kept."""
        ready = run("health", "--port", self.port).exit_code
        self.lives.append(run("health", "--live", "--port", self.port).exit_code)
        return ready == 0

    def entries(self, event: str) -> list[dict[str, object]]:
        """What the log has of one event."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def end(self) -> None:
        """Kill what is left, whether or not it became ready."""
        left = self.children
        if self.parent.poll() is None:
            left = psutil.Process(self.parent.pid).children(recursive=True)
            self.parent.kill()
        self.parent.wait(DEADLINE_SECONDS)
        for child in left:
            if child.is_running():
                child.kill()


@pytest.fixture
def fleet(
    run: Run, topics: None, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Fleet]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    fleet = Fleet(tmp_path / "orders.log")
    try:
        fleet.wait(run)
        yield fleet
    finally:
        fleet.end()


def _have_ended(children: list[psutil.Process]) -> bool:
    return not any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children)


@pytest.mark.slow
def test_processes_share_one_port_and_stop_on_sigterm(fleet: Fleet, run: Run) -> None:
    import httpx

    checks = json.loads(run("health", "--port", fleet.port, "--json").stdout)["checks"]
    metrics = httpx.get(f"http://127.0.0.1:{fleet.port}/metrics").text

    assert {name.partition(".")[0] for name in checks} == {"1", "2"}
    assert set(fleet.lives) == {0}, "alive from the first answer on"
    assert len(fleet.children) == 2
    # It reads no message: none of what it takes to be a service is in its memory.
    assert psutil.Process(fleet.parent.pid).memory_info().rss < PARENT_MAX_BYTES
    shards = [line for line in metrics.splitlines() if line.startswith("orderflow_relay_shards{")]
    assert {'process="1"' in line for line in shards} == {True, False}
    assert metrics.count("# TYPE orderflow_relay_shards gauge") == 1

    fleet.parent.send_signal(signal.SIGTERM)

    assert fleet.parent.wait(DEADLINE_SECONDS) == 0
    assert _have_ended(fleet.children)
    assert {entry["process"] for entry in fleet.entries("service_stopped")} == {1, 2}


@pytest.mark.slow
def test_process_that_dies_ends_the_command_and_the_other_process(fleet: Fleet) -> None:
    fleet.children[0].kill()

    assert fleet.parent.wait(DEADLINE_SECONDS) == 128 + signal.SIGKILL
    assert _have_ended(fleet.children)
    assert len(fleet.entries("process_ended")) == 1
    assert len(fleet.entries("service_stopped")) == 1


@pytest.mark.long
@pytest.mark.slow
def test_processes_end_when_their_parent_is_killed(fleet: Fleet) -> None:
    fleet.parent.kill()

    _until(lambda: _have_ended(fleet.children), fleet.log)
    assert {entry["process"] for entry in fleet.entries("service_stopped")} == {1, 2}
