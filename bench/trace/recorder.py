"""Records the path of each command, in the process of the service.

`python -m bench.trace.recorder serve orders` is `orderflow serve orders` with the recording.
"""

from __future__ import annotations

import asyncio
import dis
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import aiokafka
import asyncpg
from asyncpg.transaction import Transaction

from bench.trace.figures import Paths, Step
from demo.replicas import PROJECT

FOLDERS = ("services", "schemas")
FOLDER = "BENCH_TRACE_FOLDER"
STATEMENTS = ("execute", "fetch", "fetchrow", "fetchval")
COMPREHENSIONS = ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>")
_RESUME, _YIELD = dis.opmap["RESUME"], dis.opmap["YIELD_VALUE"]
_AT_START, _AFTER_AWAIT, _PLACE_MASK = 0, 3, 3  # Of RESUME's argument, its two low bits.


class Recorder:
    """Steps of this thread by path: a task that runs a step is a path, with the tasks it starts.

    Counts code whose file is in one of the folders. `waits` is called with a path when its task
    suspends.
    """

    def __init__(self, root: Path, folders: Sequence[str]) -> None:
        self.steps: dict[int, list[Step]] = {}
        self.waits: Callable[[int], None] = _ignore
        self._root = f"{root}{os.sep}"
        self._folders = tuple(f"{root / folder}{os.sep}" for folder in folders)
        self._names: dict[CodeType, tuple[str, str] | None] = {}
        self._path: ContextVar[int | None] = ContextVar("_path", default=None)

    def begin(self) -> None:
        """Record from here on."""
        sys.setprofile(self._profile)

    def end(self) -> None:
        """Record no more."""
        sys.setprofile(None)

    def path(self) -> int:
        """The path of the task that runs."""
        found = self._path.get()
        if found is None:
            found = len(self.steps)
            self.steps[found] = []
            self._path.set(found)
        return found

    def _profile(self, frame: FrameType, event: str, _arg: Any) -> None:
        if event not in ("call", "return") or (name := self._name(frame.f_code)) is None:
            return
        if event == "call":
            place = _resumed_at(frame.f_code, frame.f_lasti)
            is_entry = place == _AT_START and not frame.f_code.co_name.startswith(COMPREHENSIONS)
            if place != _AFTER_AWAIT:
                self.steps[self.path()].append(Step(is_entry, *name))
            return
        caller = self._caller(frame)
        is_await = _suspends_in_await(frame.f_code, frame.f_lasti)
        if caller is not None and not is_await:
            self.steps[self.path()].append(Step(False, *caller))
        elif caller is None and is_await:
            self.waits(self.path())

    def _caller(self, frame: FrameType) -> tuple[str, str] | None:
        """The nearest caller that counts."""
        above = frame.f_back
        while above is not None and self._name(above.f_code) is None:
            above = above.f_back
        return above and self._name(above.f_code)

    def _name(self, code: CodeType) -> tuple[str, str] | None:
        """File and function; None for code that does not count."""
        if code not in self._names:
            is_counted = code.co_filename.startswith(self._folders)
            file = code.co_filename.removeprefix(self._root)
            self._names[code] = (file, code.co_qualname) if is_counted else None
        return self._names[code]


def _ignore(_: int) -> None:
    pass


def _resumed_at(code: CodeType, at: int) -> int:
    """Where a frame begins to run: at its start, after a yield (1, 2), or after an await."""
    opcode, argument = code.co_code[at : at + 2]
    if opcode == _RESUME:
        return argument & _PLACE_MASK
    return _AFTER_AWAIT if opcode == _YIELD else _AT_START  # The former: an error is thrown in.


def _suspends_in_await(code: CodeType, at: int) -> bool:
    """Whether a frame that returns does so because what it awaits suspends.

    Python 3.13 then stands behind the yield already, earlier versions at it.
    """
    behind = at + 2 if code.co_code[at] == _YIELD else at
    opcode, argument = code.co_code[behind : behind + 2].ljust(2, b"\0")
    return opcode == _RESUME and argument & _PLACE_MASK == _AFTER_AWAIT


@dataclass(slots=True)
class _Command:
    """One command on its way: what the drivers do for it begins and ends the paths."""

    written: Callable[[Paths], None]
    """Called once, with what was recorded."""
    recorder: Recorder = field(default_factory=lambda: Recorder(PROJECT, FOLDERS))
    batch: int | None = None
    relay: int | None = None
    is_committed: bool = False
    unacknowledged: int = 0
    is_deleted: bool = False
    done: dict[str, Sequence[Step]] = field(default_factory=dict)

    def polled(self) -> None:
        """A poll has returned the command, in the task that runs."""
        self.batch = self.recorder.path()
        self.recorder.waits = self._waits
        self.recorder.begin()

    def polls(self) -> None:
        """A poll begins: after the commit it is the end of the batch."""
        if self.is_committed and self.recorder.path() == self.batch:
            self._end("batch", self.batch)

    def committed(self) -> None:
        """A transaction has committed: the relay's path begins with that of the batch."""
        if self.batch is not None and self.recorder.path() == self.batch:
            self.is_committed = True
            for path, steps in self.recorder.steps.items():
                if path != self.batch:
                    steps.clear()

    def sent(self, acknowledgement: asyncio.Future[Any]) -> None:
        """Kafka's producer has taken records of a task, which is the relay."""
        if self.is_committed and not self.is_deleted:
            self.relay = self.recorder.path()
            self.unacknowledged += 1
            acknowledgement.add_done_callback(self._acknowledged)

    def _acknowledged(self, _: asyncio.Future[Any]) -> None:
        self.unacknowledged -= 1

    def answered(self) -> None:
        """Postgres has answered: the first answer after the acknowledgement is of the deletion."""
        if self.relay is not None and self.recorder.path() == self.relay:
            self.is_deleted = not self.unacknowledged

    def _waits(self, path: int) -> None:
        if self.is_deleted and path == self.relay:
            self._end("relay", path)

    def _end(self, name: str, path: int) -> None:
        if name in self.done:
            return
        self.done[name] = tuple(self.recorder.steps[path])
        if len(self.done) == 2:
            self.recorder.end()
            self.written(self.done)


def _follow(written: Callable[[Paths], None]) -> None:
    """Let the drivers report what they do for the command that was polled last."""
    getmany, send = aiokafka.AIOKafkaConsumer.getmany, aiokafka.AIOKafkaProducer.send_batch
    commit = Transaction.commit
    command, polled_ids = _Command(written), set[bytes | None]({None})

    async def getmany_followed(consumer: Any, *args: Any, **options: Any) -> Any:
        nonlocal command
        command.polls()
        polled = await getmany(consumer, *args, **options)
        ids = {dict(each.headers).get("ce_id") for found in polled.values() for each in found}
        if ids - polled_ids:  # Others than the poll loop read what it has read.
            polled_ids.update(ids)
            command = _Command(written)
            command.polled()
        return polled

    async def send_followed(producer: Any, *args: Any, **options: Any) -> Any:
        acknowledgement = await send(producer, *args, **options)
        command.sent(acknowledgement)
        return acknowledgement

    async def commit_followed(transaction: Any) -> None:
        await commit(transaction)
        command.committed()

    def answered() -> None:
        command.answered()

    aiokafka.AIOKafkaConsumer.getmany = getmany_followed
    aiokafka.AIOKafkaProducer.send_batch = send_followed
    Transaction.commit = commit_followed  # type: ignore[method-assign, assignment]
    for name in STATEMENTS:
        run = getattr(asyncpg.Connection, name)
        setattr(asyncpg.Connection, name, _answered(run, answered))


def _answered(run: Callable[..., Any], answered: Callable[[], None]) -> Callable[..., Any]:
    async def run_followed(connection: Any, *args: Any, **options: Any) -> Any:
        answer = await run(connection, *args, **options)
        answered()
        return answer

    return run_followed


def serve() -> None:
    """Run the command line as `orderflow` does, and write the paths of each command to a file."""
    from orderflow.main import app

    folder, numbers = Path(os.environ[FOLDER]), count(1)

    def write(paths: Paths) -> None:
        file = path_file(folder, next(numbers))
        part = file.with_suffix(".part")
        part.write_text(json.dumps(paths), "utf-8")
        part.rename(file)

    _follow(write)
    app()


def path_file(folder: Path, number: int) -> Path:
    """The file with the paths of one command; commands are numbered from 1."""
    return folder / f"trace-{number}.json"


def read_paths(file: Path) -> Paths:
    """The paths as the recorder wrote them."""
    found = json.loads(file.read_text("utf-8"))
    return {name: [Step(*step) for step in found[name]] for name in ("batch", "relay")}


if __name__ == "__main__":
    serve()
