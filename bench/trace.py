"""`make trace`: the path of one `order.upsert` through the code, from poll to published event.

A real orders service runs on real servers, in a separate process, and has applied other orders
before. Then commands of new orders are sent one by one, and every function of `services/` and
`schemas/` that is entered for one is recorded, in two paths:

- *batch*: the task that polls, from the `getmany` that returns the record to its next `getmany`;
- *relay*: the task that sends the event, from the commit of the batch until the event is
  acknowledged, its row is deleted, and the task waits for the next one.

What other tasks do meanwhile is not counted. Of the last commands (COUNTED_MESSAGES) the path with
the fewest calls counts: it has nothing that is done only once in a while. The figures of a path:

- *files*: files with a function that was entered;
- *changes*: a function is entered that is in another file than the one entered before it. A return
  to the caller is not a change, nor is a coroutine or a generator that continues;
- *changes with returns*: the same, where a return to a caller in another file is a change too, and
  so is a generator that continues. An await that suspends is not: the same coroutine continues;
- *functions*: different functions that were entered. A comprehension, or a generator expression,
  belongs to the function that it stands in;
- *calls*: how often a function was entered.

Code in C, in libraries, and code that dataclasses generate has no file of this project: a path goes
through it without a change. Ends with status 1 where a figure is above trace.json, which `--write`
lowers and never raises.
"""

from __future__ import annotations

import asyncio
import dis
import json
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from itertools import count, groupby, pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Annotated, Any, NamedTuple

import aiokafka
import asyncpg
import structlog
import typer
from asyncpg.transaction import Transaction
from rich.console import Console
from rich.table import Table

from bench.contenders import OURS
from bench.race import Track
from bench.running import Ground, ready
from bench.traffic import Letter, mix
from demo.replicas import PROJECT
from deploy.stack import stack_for

FOLDERS = ("services", "schemas")
WARM_MESSAGES, COUNTED_MESSAGES = 30, 5
ANSWER_SECONDS = 30.0
LOOK_SECONDS = 0.02
BUDGET = Path(__file__).with_suffix(".json")
FOLDER = "BENCH_TRACE_FOLDER"
ENVIRONMENT = {
    # Nothing but a command ends a wait of the poll loop or of the relay.
    "ORDERFLOW_POLL_TIMEOUT_MS": "5000",
    "ORDERFLOW_RELAY_POLL_SECONDS": "60",
    "PYTHONHASHSEED": "0",  # Sets have the same order in every run.
}
STATEMENTS = ("execute", "fetch", "fetchrow", "fetchval")
COMPREHENSIONS = ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>")


class NotTraced(Exception):
    """The command was not applied, or its event was not published, within the deadline."""


class Step(NamedTuple):
    """Control comes to a function: it is entered, or continues after a call or a yield."""

    is_entry: bool
    file: str
    function: str


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts of one path; the module's docstring defines them."""

    files: int
    changes: int
    changes_with_returns: int
    functions: int
    calls: int


Paths = Mapping[str, Sequence[Step]]
"""Steps in order, of `batch` and of `relay`."""


# The counting.


def figures(steps: Sequence[Step]) -> Figures:
    """Count one path."""
    entries = [step for step in steps if step.is_entry]
    return Figures(
        files=len({step.file for step in entries}),
        changes=len(_changes(entries)),
        changes_with_returns=len(_changes(steps)),
        functions=len({(step.file, step.function) for step in entries}),
        calls=len(entries),
    )


def _changes(steps: Sequence[Step]) -> list[tuple[Step, Step]]:
    return [(one, next_) for one, next_ in pairwise(steps) if one.file != next_.file]


def pairs(steps: Sequence[Step]) -> list[tuple[int, str, str, list[str]]]:
    """Changes of file by how often: count, from, to, and each pair of functions with its count."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for one, next_ in _changes([step for step in steps if step.is_entry]):
        between = f"{one.function} -> {next_.function}"
        found.setdefault((one.file, next_.file), Counter())[between] += 1
    listed = [
        (counts.total(), *files, [f"{n} {name}" for name, n in counts.most_common()])
        for files, counts in found.items()
    ]
    return sorted(listed, key=lambda each: -each[0])


def lines(steps: Sequence[Step]) -> list[str]:
    """The path for a reader: a line for each file in order, with the functions entered there."""
    entries = (step for step in steps if step.is_entry)
    return [
        f"{file}: " + ", ".join(_repeats([step.function for step in group]))
        for file, group in groupby(entries, key=lambda step: step.file)
    ]


def _repeats(names: Sequence[str]) -> list[str]:
    counted = [(name, len(list(group))) for name, group in groupby(names)]
    return [name if n == 1 else f"{name} x{n}" for name, n in counted]


def flat(paths: Paths) -> dict[str, int]:
    """The figures that have a budget, by path and name: `batch_files` and so on."""
    counted = {path: figures(steps) for path, steps in paths.items()}
    names = ("files", "changes", "functions")
    return {f"{path}_{n}": getattr(found, n) for path, found in counted.items() for n in names}


def above(found: Mapping[str, int], budget: Mapping[str, int]) -> list[str]:
    """Figures above what was accepted, as text."""
    return [f"{n}: {budget[n]} accepted, now {found[n]}" for n in budget if found[n] > budget[n]]


def lowered(found: Mapping[str, int], budget: Mapping[str, int]) -> dict[str, int]:
    """The budget with what was gained; a figure that may grow is changed by hand, for review."""
    return {name: min(found[name], accepted) for name, accepted in budget.items()}


def judge(found: Mapping[str, int], budget: Mapping[str, int]) -> int:
    """Print the figures as the last line, after those above the budget; returns the exit status."""
    too_many = above(found, budget)
    for line in too_many:
        _say(f"more than accepted: {line}")
    _say("trace: " + " ".join(f"{name}={figure}" for name, figure in found.items()))
    return 1 if too_many else 0


def load_budget() -> dict[str, int]:
    """What was accepted, by the names of `flat`."""
    return json.loads(BUDGET.read_text("utf-8"))


# The recording, in the process of the service.

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
    Transaction.commit = commit_followed
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
        file = _file(folder, next(numbers))
        part = file.with_suffix(".part")
        part.write_text(json.dumps(paths), "utf-8")
        part.rename(file)

    _follow(write)
    app()


def _file(folder: Path, number: int) -> Path:
    return folder / f"trace-{number}.json"


def _read(file: Path) -> Paths:
    found = json.loads(file.read_text("utf-8"))
    return {name: [Step(*step) for step in found[name]] for name in ("batch", "relay")}


# The generator, in this process.


async def trace(ground: Ground, letters: Sequence[Letter]) -> list[Paths]:
    """Send commands one by one, each when the one before is published; the paths of each.

    Raises:
        NotTraced: one was not applied and published within ANSWER_SECONDS.
    """
    installation = ground.installation
    folder = installation.folder
    assert __spec__ is not None
    environment = {FOLDER: str(folder), **ENVIRONMENT}
    arguments = (__spec__.name, *OURS.arguments[1:])
    producer = aiokafka.AIOKafkaProducer(acks="all", **installation.options)
    traced = replace(OURS, arguments=arguments, environment=environment)
    async with producer, ready(traced, ground) as replica:
        for number, each in enumerate(letters, 1):
            topic = installation.prefix + each.topic
            await producer.send_and_wait(topic, each.value, each.key, headers=list(each.headers))
            deadline = time.monotonic() + ANSWER_SECONDS
            while not _file(folder, number).exists():
                if time.monotonic() > deadline:
                    raise NotTraced(f"command {number} was not published; {replica.log_end()}")
                await asyncio.sleep(LOOK_SECONDS)
    return [_read(_file(folder, number)) for number, _ in enumerate(letters, 1)]


def shortest(found: Sequence[Paths]) -> Paths:
    """Of each path the one with the fewest calls."""
    return {
        name: min((paths[name] for paths in found), key=lambda steps: figures(steps).calls)
        for name in found[0]
    }


async def measure(track: Track) -> Paths:
    """The path of one `order.upsert` on the track's servers."""
    letters = mix("upserts", WARM_MESSAGES + COUNTED_MESSAGES).letters
    async with track.ground() as ground:
        return shortest((await trace(ground, letters))[WARM_MESSAGES:])


# The report.


def table(paths: Paths) -> Table:
    """The figures of each path."""
    counted = {path: asdict(figures(steps)) for path, steps in paths.items()}
    made = Table("one order.upsert", *counted)
    for name in next(iter(counted.values())):
        made.add_row(name.replace("_", " "), *(str(found[name]) for found in counted.values()))
    return made


def _say(text: str) -> None:
    typer.echo(text)


def _list_path(name: str, steps: Sequence[Step]) -> None:
    _say(f"\n{name}: the path\n")
    for line in lines(steps):
        _say(line)


def _list_pairs(name: str, steps: Sequence[Step], most: int) -> None:
    _say(f"\n{name}: the most frequent changes of file\n")
    for times, one, next_, functions in pairs(steps)[:most]:
        _say(f"{times:3} {one} -> {next_}: {'; '.join(functions)}")


def main(
    is_listed: Annotated[bool, typer.Option("--list", help="Print the path, by file.")] = False,
    pairs_shown: Annotated[int, typer.Option("--pairs", help="Print so many changes.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures.")] = None,
    is_written: Annotated[bool, typer.Option("--write", help="Lower trace.json.")] = False,
) -> None:
    """Trace one order.upsert on real servers and print the figures; the last line is one."""
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="orderflow-trace-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user.
        with stack_for(folder / "stack") as stack:
            paths = asyncio.run(measure(Track(stack.start(), {}, folder, print)))
    for name, steps in paths.items():
        if is_listed:
            _list_path(name, steps)
        if pairs_shown:
            _list_pairs(name, steps, pairs_shown)
    Console(width=100).print(table(paths))
    found = flat(paths)
    if json_file:
        counted = {path: asdict(figures(steps)) for path, steps in paths.items()}
        json_file.write_text(json.dumps(counted, indent=2) + "\n", "utf-8")
    if is_written:
        budget = lowered(found, load_budget())
        BUDGET.write_text(json.dumps(budget, indent=2) + "\n", "utf-8")
    raise typer.Exit(judge(found, load_budget()))


if __name__ == "__main__":
    serve() if FOLDER in os.environ else typer.run(main)
