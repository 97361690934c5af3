"""Operating-system processes of servers: start, watch, stop and kill them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.stack.errors import ServerFailed

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_SECONDS = 0.05
_TAIL_LINES = 12

# The kernel ties a server to the *thread* that started it, so all are started from one thread that
# lives as long as this process does.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="orderflow-stack")


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run, and the signal that ends it in an orderly way."""

    name: str
    arguments: Sequence[str]
    log: Path
    stop_signal: signal.Signals
    user: tuple[int, int] | None = None
    """User and group id to change to; None keeps those of this process."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the few variables that a server gets."""
    detached: bool = False
    """Whether the program outlives this process and its terminal."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process id with its start time: an id alone may be given to another process later."""

    pid: int
    started: float

    def process(self) -> psutil.Process | None:
        """The living process, or None."""
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def start(program: Program) -> Identity:
    """Start `program`; its output is appended to its log."""
    return _starter.submit(_spawn, program).result()


def _spawn(program: Program) -> Identity:
    with program.log.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-I", str(_LAUNCHER), _options(program), *program.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment() | dict(program.environment),
            # Ctrl-C must reach this process alone, which then stops the servers in order.
            start_new_session=True,
        )
    _children[child.pid] = child
    return identity_of(child.pid)


_children: dict[int, "subprocess.Popen[bytes]"] = {}


def _options(program: Program) -> str:
    options: dict[str, int] = {}
    if not program.detached:
        options |= {"parent": os.getpid(), "parent_death_signal": int(program.stop_signal)}
    if program.user is not None:
        options |= {"user_id": program.user[0], "group_id": program.user[1]}
    return json.dumps(options)


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def identity_of(pid: int) -> Identity:
    """The identity of a process that lives now."""
    return Identity(pid, psutil.Process(pid).create_time())


def is_alive(identity: Identity) -> bool:
    """Whether this process, and not another with its id, runs."""
    child = _children.get(identity.pid)
    if child is None:
        return identity.process() is not None
    if child.poll() is None:
        return True
    del _children[identity.pid]
    return False


def stop(identity: Identity, program_name: str, stop_signal: int, seconds: float) -> None:
    """Send `stop_signal`, wait `seconds`, then kill the process with its children if it still runs.

    Raises ServerFailed when it runs even then.
    """
    if not is_alive(identity):
        return
    process = identity.process()
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
    if not wait_until(lambda: not is_alive(identity), seconds):
        kill(identity)
    if is_alive(identity):
        raise ServerFailed(f"{program_name} (pid {identity.pid}) does not end: kill it by hand")


def kill(identity: Identity, seconds: float = 10) -> None:
    """SIGKILL the process and its descendants, and wait until all have ended."""
    process = identity.process()
    family = [] if process is None else [process]
    with contextlib.suppress(psutil.NoSuchProcess):
        family += [] if process is None else process.children(recursive=True)
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    wait_until(lambda: not is_alive(identity), seconds)
    psutil.wait_procs(family[1:], timeout=seconds)


def wait_ready(
    program: Program, identity: Identity, is_ready: Callable[[], bool], seconds: float
) -> None:
    """Wait for a server to answer.

    Raises ServerFailed, with its log's end, when it ends or stays silent.
    """
    wait_until(lambda: is_ready() or not is_alive(identity), seconds)
    if not is_alive(identity):
        raise ServerFailed(f"{program.name} ended while starting; {_end_of(program.log)}")
    if not is_ready():
        kill(identity)
        raise ServerFailed(
            f"{program.name} did not answer within {seconds:.0f} seconds (a busy machine may need "
            f"a second try); {_end_of(program.log)}"
        )


def run(program: Program, seconds: float) -> None:
    """Run a program until it ends.

    Raises ServerFailed, with its log's end, when it fails or takes more than `seconds`.
    """
    identity = start(program)
    child = _children[identity.pid]
    try:
        code = child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(identity)
        raise ServerFailed(
            f"{program.name} took more than {seconds:.0f} seconds; {_end_of(program.log)}"
        ) from None
    finally:
        _children.pop(identity.pid, None)
    if code != 0:
        raise ServerFailed(f"{program.name} failed ({code}); {_end_of(program.log)}")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
    return f"the end of {log}:\n" + "\n".join(f"  {line}" for line in lines)
