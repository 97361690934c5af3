"""A pytest-xdist worker that dies ends the run, and what it wrote last is shown.

pytest-xdist reports a dead worker and starts another one. With `--dist loadfile` the new worker can
wait for ever: a worker starts a test only when it knows the next one, and it may get a single test
while others wait. So pyproject.toml sets `--max-worker-restart=0`, and this plugin does the rest:

- Each worker keeps the output that pytest captures, the stacks that pytest-timeout prints and the
  trace of a fatal signal in files of a temporary folder; without it they are lost with the worker.
- The process that controls the workers prints those files at the end of the run.
- The other workers stop after the test that they are running.

Servers that a worker started need no care: the kernel ends them with it (deploy/stack/launch.py).
"""

import faulthandler
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = "worker_deaths_folder"
"""Key of a worker's `workerinput`: the folder of the run's files."""
STOP = "stop"
"""File of the folder: once it exists, workers start no further test."""
_SHOWN_CHARACTERS = 20_000
_END_SECONDS = 10
_STREAMS = ("out", "err")


@pytest.hookimpl(trylast=True)  # After pytest's own faulthandler and terminal plugins.
def pytest_configure(config: pytest.Config) -> None:
    """Register the part of a worker, or that of the process which controls the workers."""
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(_Worker(config))
    elif config.pluginmanager.hasplugin("dsession"):
        config.pluginmanager.register(_Controller())


class _Worker:
    """Writes the files of one worker, and stops it when another worker has died."""

    def __init__(self, config: Any) -> None:
        folder = Path(config.workerinput[FOLDER])
        name = config.workerinput["workerid"]
        self._stop = folder / STOP
        self._at = folder / f"{name}.at"
        self._at.write_text("while collecting tests")
        self._log = (folder / f"{name}.log").open("w", buffering=1)
        config.get_terminal_writer()._file = self._log  # pytest-timeout prints stacks there.
        faulthandler.enable(self._log)
        for stream in _STREAMS:
            _keep_captured(config, stream, folder / f"{name}.{stream}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note the test; after it, stop the session when another worker has died."""
        self._at.write_text(f"in {item.nodeid}")
        done = yield
        self._at.write_text(f"after {item.nodeid}")
        if self._stop.exists():
            item.session.shouldstop = "another worker died"
        return done


def _keep_captured(config: pytest.Config, stream: str, path: Path) -> None:
    """Let pytest capture a stream (`out`, `err`) into a named file instead of an unlinked one."""
    capturing = config.pluginmanager.getplugin("capturemanager")._global_capturing
    capture = getattr(capturing, stream)
    if hasattr(capture, "targetfd"):  # Not with `-s` or `--capture=sys`.
        with path.open("w+b", buffering=0) as file:
            os.dup2(file.fileno(), capture.tmpfile.fileno(), inheritable=False)


class _Controller:
    """Notices dead workers, has the others stop, and prints what the dead ones wrote."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="orderflow-workers-")
        self._dead: list[Any] = []

    def pytest_configure_node(self, node: Any) -> None:
        """Name the folder to a worker that is about to start."""
        node.workerinput[FOLDER] = self._folder.name

    def pytest_testnodedown(self, node: Any) -> None:
        """Have the other workers stop when a worker ended without its final report."""
        if not hasattr(node, "workeroutput"):
            (Path(self._folder.name) / STOP).touch()
            self._dead.append(node)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print how each dead worker ended, the test it was at, and what it wrote last."""
        for node in self._dead:
            name = node.gateway.id
            terminalreporter.section(f"worker {name} died", red=True)
            at = self._text(f"{name}.at")
            terminalreporter.line(f"worker {name} {_ending(node.gateway._io.popen)} {at}")
            for suffix, title in (("log", "log"), ("out", "stdout"), ("err", "stderr")):
                if text := self._text(f"{name}.{suffix}"):
                    terminalreporter.section(f"{title} of worker {name}", sep="-")
                    terminalreporter.line(text)

    def pytest_unconfigure(self) -> None:
        """Remove the files."""
        self._folder.cleanup()

    def _text(self, name: str) -> str:
        path = Path(self._folder.name) / name
        text = path.read_text(errors="replace") if path.exists() else ""
        return text[-_SHOWN_CHARACTERS:].strip()


def _ending(process: "subprocess.Popen[bytes]") -> str:
    try:
        code = process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        return f"closed its connection, still runs as process {process.pid}, and was last"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"exited with status {code}"
