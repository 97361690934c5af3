"""The parent of `serve --processes`: starts N processes and answers for all on HTTP_PORT.

Each child listens on a port of 127.0.0.1 that the parent bound for it, and watches a pipe that
closes when the parent ends, however it ends: no child outlives the parent.

`orderflow serve --processes` replaces its program by this one (`exec_supervisor`), which imports
only the standard library: the memory of the modules that the command line imported is freed.
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

from services.runtime.processes import stdlib_logging
from services.runtime.processes.health_proxy import Backend, serve_proxy

KILL_MARGIN_SECONDS = 5.0
"""Time for a child to end, beyond its drain timeout."""

log = logging.getLogger("services.runtime.processes.supervisor")


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a child gets from its parent: a number from 1, and two file descriptors."""

    number: int
    listener: int
    """Socket bound to a port of 127.0.0.1; it does not listen yet."""
    parent_pipe: int
    """Read end of a pipe; end of file means that the parent has ended."""

    def __str__(self) -> str:
        return f"{self.number},{self.listener},{self.parent_pipe}"

    @classmethod
    def parse(cls, text: str) -> Inherited:
        """Read what `str` gave; ValueError for another text."""
        number, listener, parent_pipe = map(int, text.split(","))
        return cls(number, listener, parent_pipe)


@dataclass(frozen=True, slots=True)
class Plan:
    """Configuration of the parent, which is its only argument, as JSON."""

    processes: int
    command: Sequence[str]
    """Command of a child; `--child` and an `Inherited` are appended."""
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


def exec_supervisor(options: Sequence[str], plan: Plan) -> NoReturn:
    """Replace the program of this process by the supervisor; the process id stays.

    `options` are those of the interpreter. The descriptor of the listener is passed on. Raises
    OSError when the program cannot be started.
    """
    os.set_inheritable(plan.listener, True)  # noqa: FBT003 - it takes no keywords
    program = ("-m", "services.runtime.processes.supervisor", json.dumps(asdict(plan)))
    os.execv(sys.executable, [sys.executable, *options, *program])  # noqa: S606


async def supervise(plan: Plan) -> int:
    """Run the children until SIGTERM or SIGINT, or until one ends by itself.

    Then all get SIGTERM, and SIGKILL when they take longer than the drain timeout and five
    seconds. Returns the exit status: 0 when all stopped normally, else that of the first child
    that did not (128 and the signal's number where a signal ended it; 1 for a child
    that ended by itself with 0).
    """
    stopping = asyncio.Event()
    for stop_signal in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop_signal, stopping.set)
    listener = socket.socket(fileno=plan.listener)
    listener.set_inheritable(False)
    children: list[_Child] = []
    parent_pipe, held = os.pipe()
    http: asyncio.Server | None = None
    try:
        for number in range(1, plan.processes + 1):
            child = await _start(plan.command, number, parent_pipe)
            children.append(child)  # At once: after a failure below it must be killed too.
        http = await serve_proxy([child.backend for child in children], listener)
        _log("http_listening", port=listener.getsockname()[1], processes=plan.processes)
        status = await _until_one_ends(children, stopping)
        others = await _stop(children, plan.drain_seconds + KILL_MARGIN_SECONDS)
        return status or others
    finally:
        for child in children:
            if child.process.returncode is None:
                child.process.kill()
        os.close(held)
        os.close(parent_pipe)
        if http:
            http.close()


async def _start(command: Sequence[str], number: int, parent_pipe: int) -> _Child:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        inherited = Inherited(number, listener.fileno(), parent_pipe)
        process = await asyncio.create_subprocess_exec(
            *command,
            "--child",
            str(inherited),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(inherited.listener, inherited.parent_pipe),
            process_group=0,  # Ctrl-C reaches only the parent, which stops the children.
        )
        _log("process_started", of=number, pid=process.pid)
        return _Child(process, Backend(number, listener.getsockname()[1]))


async def _until_one_ends(children: Sequence[_Child], stopping: asyncio.Event) -> int:
    """0 after a signal, else the status for the child that ended."""
    stopped = asyncio.create_task(stopping.wait())
    ends = [asyncio.create_task(child.process.wait()) for child in children]
    await asyncio.wait([stopped, *ends], return_when=asyncio.FIRST_COMPLETED)
    for task in (stopped, *ends):
        task.cancel()
    if stopping.is_set():
        return 0
    ended = next(child for child in children if child.process.returncode is not None)
    code = ended.process.returncode
    _log("process_ended", logging.ERROR, of=ended.number, pid=ended.process.pid, status=code)
    return _status(code) or 1


async def _stop(children: Sequence[_Child], seconds: float) -> int:
    """Stop all and wait for them; the status of the first that did not end normally."""
    for child in children:
        if child.process.returncode is None:
            child.process.terminate()
    waits = [asyncio.create_task(child.process.wait()) for child in children]
    _, late = await asyncio.wait(waits, timeout=seconds)
    if late:
        for child in children:
            if child.process.returncode is None:
                _log("process_killed", logging.ERROR, of=child.number, pid=child.process.pid)
                child.process.kill()
        await asyncio.wait(late)
    codes = [child.process.returncode for child in children]
    # A child that got SIGTERM before it handled the signal had begun no work.
    return next((_status(code) for code in codes if code not in (0, -signal.SIGTERM)), 0)


def _status(code: int | None) -> int:
    return 0 if code is None else (code if code >= 0 else 128 - code)


def _log(event: str, level: int = logging.INFO, **fields: object) -> None:
    log.log(level, event, extra={"fields": fields})


def main() -> int:
    """Run the supervisor with the plan of the command line; returns the exit status."""
    plan = Plan(**json.loads(sys.argv[1]))
    stdlib_logging.configure(plan.log_format, plan.log_level, process=0)
    return asyncio.run(supervise(plan))


if __name__ == "__main__":
    raise SystemExit(main())
