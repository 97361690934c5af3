"""A Postgres on a disk of its own that can be filled: a small file system only its process sees.

`SmallDisk` starts `python -m tests.faults.small_disk FOLDER` in a mount namespace, with the file
system mounted on the folder. That process obeys a word a line, and ends when it hears no more.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from demo.replicas import PROJECT
from deploy.stack.postgres import Postgres

SIZE = "256m"
LITTLE_LOG = "max_wal_size = 48MB\nmin_wal_size = 32MB\n"
MOUNT = 'mount -t tmpfs -o size="$0",mode=755 none "$1" && shift && exec "$@"'
CHUNK = bytes(64 * 1024)
BALLAST = "ballast"
WAY_OUT = (
    "a test of a full disk needs a small file system of its own, and this machine does not "
    "allow to mount one: run it as root with CAP_SYS_ADMIN, or allow user namespaces (sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces)"
)


class SmallDisk:
    """The server as seen from the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder.with_suffix(".log")

    def __enter__(self) -> Self:
        self._folder.mkdir()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                _in_a_namespace(self._folder),
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def serve(self) -> str:
        """Start the server, where it does not run; returns its address."""
        return self._ask("serve")

    def fill(self) -> None:
        """Leave no byte free."""
        self._ask("fill")

    def make_room(self) -> None:
        """Take away what filled it."""
        self._ask("make_room")

    def _ask(self, word: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise AssertionError(f"{WAY_OUT}\n{self._log.read_text()}")
        return answer.strip()


def _in_a_namespace(folder: Path) -> list[str]:
    """Root needs a mount namespace; anybody else, a user namespace to be let mount in it."""
    as_user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    server = [sys.executable, "-m", "tests.faults.small_disk", str(folder)]
    return ["unshare", *as_user, "--mount", "sh", "-c", MOUNT, SIZE, str(folder), *server]


def main(folder: Path) -> None:
    """Obey until standard input ends."""
    postgres = Postgres(folder / "postgres")
    for line in sys.stdin:
        word = line.strip()
        if word == "serve":
            postgres.start()
            _keep_the_log_small(postgres)
        elif word == "fill":
            _fill(folder / BALLAST)
        elif word == "make_room":
            (folder / BALLAST).unlink()
        sys.stdout.write(f"{postgres.url}\n")
        sys.stdout.flush()
    postgres.stop()


def _keep_the_log_small(postgres: Postgres) -> None:
    """By default it may grow to four times the size of the disk."""
    postgres._data.joinpath("postgresql.auto.conf").write_text(LITTLE_LOG, encoding="utf-8")
    os.kill(postgres.pid, signal.SIGHUP)


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(CHUNK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


if __name__ == "__main__":
    main(Path(sys.argv[1]))
