"""A real PgBouncer for tests: Debian's program before the stack's Postgres."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stack.errors import ServerFailed
from deploy.stack.process import Program
from deploy.stack.server import Server

START_SECONDS = 15.0
SERVER_SESSIONS = 2
"""Sessions of each role at Postgres: fewer than clients, so that clients must share them."""
_INI = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = {mode}
default_pool_size = {sessions}
max_client_conn = 200
server_round_robin = 1
ignore_startup_parameters = {ignored}
logfile =
"""


class PgBouncer(Server):
    """One pooler before the server of `database_url`; `users` are passwords by role."""

    name = "PgBouncer"
    port_setting = "ORDERFLOW_TEST_PGBOUNCER_PORT"
    stop_signal = signal.SIGINT
    start_seconds = START_SECONDS

    def __init__(
        self,
        folder: Path,
        database_url: str,
        users: Mapping[str, str],
        mode: str = "transaction",
        ignored: str = "",
    ) -> None:
        super().__init__(folder, port=None, detached=False)
        self._server = urlsplit(database_url)
        self._users, self._mode, self._ignored = users, mode, ignored

    def url(self, role: str, database: str) -> str:
        """The address of a database through the pooler, with the login of a role."""
        return f"postgresql://{role}:{self._users[role]}@127.0.0.1:{self.port}/{database}"

    def is_up(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return self.port != 0 and probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _user(self) -> tuple[int, int] | None:
        if os.geteuid() != 0:
            return None
        user = pwd.getpwnam("nobody")  # PgBouncer does not run as root.
        return user.pw_uid, user.pw_gid

    def _server_program(self) -> Program:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        if program is None:
            raise ServerFailed("pgbouncer is not here: deploy/operations.sh installs it")
        users = "".join(f'"{name}" "{password}"\n' for name, password in self._users.items())
        self._own("users.txt", users)
        ini = self._own(
            "pgbouncer.ini",
            _INI.format(
                host=self._server.hostname,
                port=self._server.port,
                listen_port=self.port,
                folder=self._folder.resolve(),
                mode=self._mode,
                sessions=SERVER_SESSIONS,
                ignored=self._ignored,
            ),
        )
        return self._program(self.name, [program, ini])

    def _own(self, name: str, text: str) -> str:
        """Write a file that the user of the server can read."""
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        user = self._user()
        if user:
            os.chown(file, *user)
        return str(file.resolve())
