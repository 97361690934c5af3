"""A stack that is left running: started, inspected and stopped by separate commands.

`stack.json` in the folder of the stack lists its processes, each with its id and start time: the
operating system may have given the id alone to another process since.
"""

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.stack import process
from deploy.stack.addresses import Addresses
from deploy.stack.errors import AlreadyRunning, NotRunning
from deploy.stack.kafka import answers
from deploy.stack.local import LocalStack
from deploy.stack.machine import KAFKA_PORT, LOOPBACK, POSTGRES_PORT, is_free, named_port
from deploy.stack.process import Identity, Program
from deploy.stack.progress import Silent, StepDisplay

FOLDER = Path(".orderflow")
"""The folder of the stack of `make up`, relative to the project's folder."""
_STATE = "stack.json"
_SERVERS = frozenset({"postgres", "kafka"})
STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Running:
    """One process of a stack that was left running."""

    name: str
    pid: int
    started: float
    """When the process was started, in seconds since 1970, by the operating system's record."""
    stop_signal: int
    log: str
    alive: bool = True

    @property
    def identity(self) -> Identity:
        """The process id with the start time."""
        return Identity(self.pid, self.started)


@dataclass(frozen=True, slots=True)
class State:
    """A stack that `up` started: its addresses and processes."""

    addresses: Addresses
    processes: tuple[Running, ...]

    @property
    def is_up(self) -> bool:
        """Whether every process of the stack lives."""
        return bool(self.processes) and all(one.alive for one in self.processes)

    @property
    def has_servers(self) -> bool:
        """Whether Kafka and Postgres live, whether or not the other processes do."""
        return {one.name for one in self.processes if one.alive} >= _SERVERS


def up(
    folder: Path = FOLDER,
    progress: StepDisplay | None = None,
    *,
    kafka_port: int | None = None,
    postgres_port: int | None = None,
) -> Addresses:
    """Start Kafka and Postgres so that they outlive this process; return their addresses.

    Servers that run already are left as they are. When one of them has died, both are started
    again, at the same addresses where their ports are still free. Raises StackError.
    """
    with _alone(folder):
        before = status(folder)
        if before is not None and before.has_servers:
            return before.addresses
        if before is not None:
            _stop_all(before, Silent())
        ports = _ports(before)
        stack = LocalStack(
            folder,
            kafka_port=kafka_port or named_port(os.environ, KAFKA_PORT) or ports[0],
            postgres_port=postgres_port or named_port(os.environ, POSTGRES_PORT) or ports[1],
            detached=True,
        )
        addresses = stack.start(progress)
        try:
            _write(folder, State(addresses, _servers(stack)))
        except BaseException:
            stack.stop()
            raise
        stack.release()
        return addresses


def add(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path = FOLDER,
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Running:
    """Start a further process (a service, say) that lives and is stopped with the stack.

    `environment` is added to that of this process; output goes to `<name>.log` in the folder.
    Raises NotRunning without a stack, AlreadyRunning when a process of that name runs.
    """
    with _alone(folder):
        state = _need(folder)
        if any(one.name == name and one.alive for one in state.processes):
            raise AlreadyRunning(f"{name} runs already: stop everything with `make down` first")
        log = (folder / f"{name}.log").resolve()
        program = Program(
            name=name,
            arguments=list(command),
            log=log,
            stop_signal=stop_signal,
            environment={**os.environ, **environment},
            detached=True,
        )
        added = _running(name, process.start(program), stop_signal, log)
        others = tuple(one for one in state.processes if one.name != name)
        _write(folder, State(state.addresses, (*others, added)))
        return added


def down(folder: Path = FOLDER, progress: StepDisplay | None = None) -> list[str]:
    """Stop everything that `up` and `add` left running, last started first; return the names.

    Data stay in the folder. Nothing happens when nothing runs.
    """
    if not (folder / _STATE).exists():
        return []
    with _alone(folder):
        state = status(folder)
        if state is None:
            return []
        stopped = _stop_all(state, progress or Silent())
        # Ports are remembered, so that the next `up` is found at the same addresses.
        _write(folder, State(state.addresses, ()))
        return stopped


def status(folder: Path = FOLDER) -> State | None:
    """The stack of the folder, or None when none was ever started there.

    Each process says in `alive` whether it lives. After `down` there are no processes.
    """
    try:
        noted: dict[str, Any] = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    processes = tuple(
        Running(**{**one, "alive": process.is_alive(Identity(one["pid"], one["started"]))})
        for one in noted["processes"]
    )
    return State(Addresses(**noted["addresses"]), processes)


def answers_at(addresses: Addresses) -> bool:
    """Whether the Kafka of a stack answers at its address."""
    host, port = addresses.kafka_bootstrap_servers.rsplit(":", 1)
    return answers(host, int(port))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: one `up`, `add` or `down` at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _need(folder: Path) -> State:
    state = status(folder)
    if state is None or not state.has_servers:
        raise NotRunning(f"no stack runs in {folder}: start it with `make up`")
    return state


def _ports(before: State | None) -> tuple[int | None, int | None]:
    """The ports of Kafka and Postgres at the last start, None where they are not free."""
    if before is None:
        return None, None
    urls = (before.addresses.kafka_bootstrap_servers, before.addresses.database_url)
    found: list[int | None] = []
    for url in urls:
        port = int(url.rsplit(f"{LOOPBACK}:", 1)[1].split("/")[0])
        found.append(port if is_free(port) else None)
    return found[0], found[1]


def _servers(stack: LocalStack) -> tuple[Running, ...]:
    return tuple(
        _running(server.name.lower(), server.identity, server.stop_signal, server.log)
        for server in (stack.postgres, stack.kafka)
        if server.identity is not None
    )


def _running(name: str, identity: Identity, stop_signal: int, log: Path) -> Running:
    return Running(name, identity.pid, identity.started, int(stop_signal), str(log.resolve()))


def _stop_all(state: State, display: StepDisplay) -> list[str]:
    stopped: list[str] = []
    for one in reversed(state.processes):
        if one.alive:
            with display.step(f"Stopping {one.name}"):
                process.stop(one.identity, one.name, one.stop_signal, STOP_SECONDS)
            stopped.append(one.name)
    return stopped


def _write(folder: Path, state: State) -> None:
    """Replace `stack.json` by a rename, so that a reader never sees half of it."""
    noted = {
        "addresses": asdict(state.addresses),
        "processes": [_without_alive(one) for one in state.processes],
    }
    draft = folder / f".{_STATE}"
    try:
        draft.write_text(json.dumps(noted, indent=2), encoding="utf-8")
        draft.replace(folder / _STATE)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()


def _without_alive(one: Running) -> dict[str, Any]:
    noted = asdict(one)
    del noted["alive"]
    return noted
