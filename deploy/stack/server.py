"""One server of the local stack: its folder, port, log file and process, for Kafka and Postgres."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deploy.stack import process
from deploy.stack.errors import ServerFailed
from deploy.stack.machine import check_port, free_port, is_free
from deploy.stack.process import Identity, Program

STOP_SECONDS = 30
"""How long a server may take to stop before it is killed."""
_TRIES = 3


class Server(ABC):
    """A server that stores its data in one folder and listens on one port of the loopback address.

    The data remain after the server has stopped or was killed. A subclass names the server, says
    which program to run, and whether the server answers.
    """

    name: ClassVar[str]
    """The name in error messages; in lower case also the name of the log file."""
    port_setting: ClassVar[str]
    """The environment variable that chooses the port."""
    stop_signal: ClassVar[signal.Signals]
    """The signal that ends the server in an orderly way."""
    start_seconds: ClassVar[float]
    """How long the server may take until it answers."""
    environment: ClassVar[Mapping[str, str]] = {}
    """Environment variables for every program of the server."""

    def __init__(self, folder: Path, *, port: int | None, detached: bool) -> None:
        self._folder = folder
        self._asked_port = port
        self._detached = detached
        self._identity: Identity | None = None
        self.port = port or 0

    @property
    def pid(self) -> int | None:
        """The server's process id, or None when it does not run."""
        return self._identity.pid if self._identity and process.is_alive(self._identity) else None

    @property
    def identity(self) -> Identity | None:
        """The process that was started last."""
        return self._identity

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._folder / f"{self.name.lower()}.log"

    def start(self) -> None:
        """Start the server and wait until it answers. A new folder is initialized first.

        Raises PortTaken when the port that was asked for is not free, and ServerFailed.
        """
        if self.pid is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(_TRIES):
            self._choose_port()
            try:
                self._run()
            except ServerFailed as error:
                # Another process may have taken the port since it was chosen.
                lost_race = "Address already in use" in str(error) and not self._asked_port
                if not lost_race or attempt == _TRIES - 1:
                    raise
                self.port = 0
            else:
                return

    def stop(self) -> None:
        """End the server in an orderly way; nothing happens when it does not run."""
        if self._identity:
            process.stop(self._identity, self.name, self.stop_signal, STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL the server and its child processes.

        What they had written to files is kept by the operating system: a loss of power loses more.
        """
        if self._identity:
            process.kill(self._identity)

    @abstractmethod
    def is_up(self) -> bool:
        """Whether the server answers its clients."""

    @abstractmethod
    def _server_program(self) -> Program:
        """Write what the server reads at its start, with the chosen port; return the server."""

    def _choose_port(self) -> None:
        if self._asked_port:
            check_port(self._asked_port, self.name, f"choose another with {self.port_setting}")
        elif not self.port or not is_free(self.port):
            # A server that starts again keeps its port where it can: clients know the address.
            self.port = free_port()

    def _run(self) -> None:
        server = self._server_program()
        self._identity = process.start(server)
        process.wait_ready(server, self._identity, self.is_up, self.start_seconds)

    def _program(self, name: str, arguments: Sequence[str]) -> Program:
        return Program(
            name=name,
            arguments=arguments,
            log=self.log,
            stop_signal=self.stop_signal,
            user=self._user(),
            environment=self.environment,
            detached=self._detached,
        )

    def _user(self) -> tuple[int, int] | None:
        """User and group id of the server's programs; None: those of this process."""
        return None
