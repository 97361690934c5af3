"""N processes of the same services under one parent, which answers for all on HTTP_PORT.

Each child listens on a port of 127.0.0.1 that the parent bound for it, and reads from a pipe that
closes when the parent ends, however it ends: no child outlives the parent.

`orderflow serve --processes` turns into this program (`become`), which imports nothing but the
standard library: what the command line has imported is gone from memory with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NoReturn

from services.runtime.processes import plain_logging
from services.runtime.processes.front import Backend, front

KILL_MARGIN_SECONDS = 5.0
"""What a child gets to end beyond its drain timeout."""

log = logging.getLogger("services.runtime.processes.supervisor")


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a child gets of its parent: its number from 1, and two file descriptors."""

    number: int
    listener: int
    """A socket bound to a port of 127.0.0.1; it does not listen yet."""
    lifeline: int
    """The end of a pipe that is at its end when the parent has ended."""

    def __str__(self) -> str:
        return f"{self.number},{self.listener},{self.lifeline}"

    @classmethod
    def parse(cls, text: str) -> Inherited:
        """From what `str` gave; ValueError when it is something else."""
        number, listener, lifeline = map(int, text.split(","))
        return cls(number, listener, lifeline)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a parent needs to know; its only argument, as JSON."""

    processes: int
    command: Sequence[str]
    """Starts a child, with `--child` and an `Inherited` behind it."""
    listener: int
    """File descriptor of a socket that listens on HTTP_PORT."""
    drain_seconds: float
    log_format: str
    log_level: str


@dataclass(frozen=True, slots=True)
class _Child:
    process: asyncio.subprocess.Process
    backend: Backend

    @property
    def number(self) -> int:
        return self.backend.number


def become(options: Sequence[str], plan: Plan) -> NoReturn:
    """Replace the program of this process by the parent's; the process id stays.

    `options` are the interpreter's. The listener's descriptor is passed on. OSError when the
    program cannot be started.
    """
    os.set_inheritable(plan.listener, True)  # noqa: FBT003 - it takes no keywords
    program = ("-m", "services.runtime.processes.supervisor", json.dumps(asdict(plan)))
    os.execv(sys.executable, [sys.executable, *options, *program])  # noqa: S606


async def supervise(plan: Plan) -> int:
    """Run the children until SIGTERM or SIGINT, or until one ends by itself.

    Either way all are asked to stop, and killed when they take longer than the drain timeout and
    five seconds. Returns the exit status: 0 when stopped in good order, else that of the first
    child that did not end well (128 and the signal's number where a signal ended it; 1 for a child
    that ended by itself with 0).
    """
    stopping = asyncio.Event()
    for asked in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(asked, stopping.set)
    listener = socket.socket(fileno=plan.listener)
    listener.set_inheritable(False)
    children: list[_Child] = []
    lifeline, held = os.pipe()
    http: asyncio.Server | None = None
    try:
        for number in range(1, plan.processes + 1):
            child = await _start(plan.command, number, lifeline)
            children.append(child)  # At once: a failure further on must not leave it behind.
        http = await front([child.backend for child in children], listener)
        _tell("http_listening", port=listener.getsockname()[1], processes=plan.processes)
        status = await _until_one_ends(children, stopping)
        others = await _stop(children, plan.drain_seconds + KILL_MARGIN_SECONDS)
        return status or others
    finally:
        for child in children:
            if child.process.returncode is None:
                child.process.kill()
        os.close(held)
        os.close(lifeline)
        if http:
            http.close()


async def _start(command: Sequence[str], number: int, lifeline: int) -> _Child:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        inherited = Inherited(number, listener.fileno(), lifeline)
        process = await asyncio.create_subprocess_exec(
            *command,
            "--child",
            str(inherited),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(inherited.listener, inherited.lifeline),
            process_group=0,  # Ctrl-C in a terminal is for the parent, which passes it on.
        )
        _tell("process_started", of=number, pid=process.pid)
        return _Child(process, Backend(number, listener.getsockname()[1]))


async def _until_one_ends(children: Sequence[_Child], stopping: asyncio.Event) -> int:
    """0 when it was SIGTERM, else the status for the child that ended."""
    stopped = asyncio.create_task(stopping.wait())
    ends = [asyncio.create_task(child.process.wait()) for child in children]
    await asyncio.wait([stopped, *ends], return_when=asyncio.FIRST_COMPLETED)
    for task in (stopped, *ends):
        task.cancel()
    if stopping.is_set():
        return 0
    ended = next(child for child in children if child.process.returncode is not None)
    code = ended.process.returncode
    _tell("process_ended", logging.ERROR, of=ended.number, pid=ended.process.pid, status=code)
    return _status(code) or 1


async def _stop(children: Sequence[_Child], seconds: float) -> int:
    """Ask all to stop and wait for them; the status of the first that did not end well."""
    for child in children:
        if child.process.returncode is None:
            child.process.terminate()
    waits = [asyncio.create_task(child.process.wait()) for child in children]
    _, late = await asyncio.wait(waits, timeout=seconds)
    if late:
        for child in children:
            if child.process.returncode is None:
                _tell("process_killed", logging.ERROR, of=child.number, pid=child.process.pid)
                child.process.kill()
        await asyncio.wait(late)
    codes = [child.process.returncode for child in children]
    # Asked before it could listen for SIGTERM, a child had nothing in hand.
    return next((_status(code) for code in codes if code not in (0, -signal.SIGTERM)), 0)


def _status(code: int | None) -> int:
    return 0 if code is None else (code if code >= 0 else 128 - code)


def _tell(event: str, level: int = logging.INFO, **fields: object) -> None:
    log.log(level, event, extra={"fields": fields})


def main() -> int:
    """Be the parent; the exit status."""
    plan = Plan(**json.loads(sys.argv[1]))
    plain_logging.configure(plan.log_format, plan.log_level, process=0)
    return asyncio.run(supervise(plan))


if __name__ == "__main__":
    raise SystemExit(main())
