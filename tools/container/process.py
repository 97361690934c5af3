"""A container: one program of an image, in namespaces of its own, on a read-only file system."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tools.container.store import ImageConfig, ImageError

_ENTER = Path(__file__).with_name("enter.py")
_NAMESPACES = ("--mount", "--pid", "--ipc", "--uts", "--net")
_PREPARED_SECONDS = 20.0
KILLED = 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True)
class ContainerOptions:
    """How a container differs from what its image says."""

    name: str
    command: Sequence[str] = ()
    """Instead of the command of the image, behind its entry point."""
    environment: Mapping[str, str] = field(default_factory=dict)
    tmpfs: Mapping[str, str] = field(default_factory=lambda: {"/tmp": "size=64m,mode=1777"})  # noqa: S108
    """Folders that can be written, in memory: path -> options of the mount."""
    secrets: Mapping[str, Path] = field(default_factory=dict)
    """Files below /run/secrets, by name."""
    hosts: Sequence[str] = ()
    """Names that lead to 127.0.0.1, where ports lead out of the container."""
    program: Sequence[str] | None = None
    """Instead of the entry point and the command."""


class Container:
    """A container of an image whose file system is mounted at `root`.

    Its first process is the program itself: as user and group of the image, without capabilities
    and without new privileges. It ends with this process.
    """

    def __init__(
        self, root: Path, config: ImageConfig, options: ContainerOptions, folder: Path
    ) -> None:
        """`folder` is for the log and for files that the container sees."""
        self.options = options
        self._root = root
        self._config = config
        self._folder = folder / options.name
        self._folder.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._go = -1
        self._is_ending = False
        self.pid = 0
        """The id of the first process, as this machine counts."""

    def prepare(self) -> None:
        """Make the namespaces and the file system; the program waits for `start`.

        Raises ImageError when the kernel refuses.
        """
        ready, ready_end = os.pipe()
        go, self._go = os.pipe()
        options = {
            **self._identity(),
            "root": str(self._root),
            "tmpfs": dict(self.options.tmpfs),
            "files": {path: str(file) for path, file in self._files().items()},
            "hostname": self.options.name,
            "join": 0,
            "ready": ready_end,
            "go": go,
            "command": self._command(),
        }
        # setpriv: the container ends when the thread that prepares it ends.
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", *_NAMESPACES, "--fork"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--kill-child", sys.executable, "-I", str(_ENTER), json.dumps(options)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                pass_fds=(ready_end, go), start_new_session=True,
            )  # fmt: skip
        os.close(ready_end)
        os.close(go)
        os.read(ready, 1)
        os.close(ready)
        children = psutil.Process(self._process.pid).children()
        if not children:
            raise ImageError(f"{self.options.name} could not be prepared: {self.text()}")
        self.pid = children[0].pid

    def start(self) -> None:
        """Run the program of a prepared container."""
        os.close(self._go)

    def is_running(self) -> bool:
        """Whether the program has not ended."""
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float) -> int:
        """The exit status of the program, waited for; 128 and the number after a signal.

        Raises TimeoutError, with the log.
        """
        assert self._process is not None, "prepare it first"
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{self.options.name} runs after {seconds:.0f} seconds:\n{self.text()}"
            ) from None
        return status if status >= 0 else 128 - status

    def terminate(self) -> None:
        """Send the image's signal to a program that runs and was not sent it."""
        if self.is_running() and not self._is_ending:
            self._is_ending = True
            os.kill(self.pid, signal.Signals[self._config.stop_signal])

    def stop(self, seconds: float) -> int:
        """Send the image's signal, wait, and kill what still runs. Returns the exit status."""
        self.terminate()
        try:
            return self.wait(seconds)
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(seconds)
            return KILLED

    def execute(self, *command: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a program of the image beside the first one: same files, user, rights, network.

        Raises subprocess.TimeoutExpired.
        """
        options = {**self._identity(), "join": self.pid, "command": list(command)}
        return subprocess.run(
            [sys.executable, "-I", str(_ENTER), json.dumps(options)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip

    def check_health(self, check: Sequence[str], seconds: float) -> bool:
        """Whether a health check of the image or of a compose file (CMD, CMD-SHELL) passes."""
        kind, *words = check
        command = words if kind == "CMD" else ["/bin/sh", "-c", *words]
        try:
            return self.execute(*command, seconds=seconds).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def output(self) -> str:
        """All that the program wrote, to both outputs."""
        return (self._folder / "log").read_text("utf-8", errors="replace")

    def text(self) -> str:
        """The end of what it wrote, for error messages."""
        lines = self.output().splitlines()
        return "\n".join(lines[-25:])

    def _command(self) -> list[str]:
        if self.options.program is not None:
            return list(self.options.program)
        return [*self._config.entrypoint, *(self.options.command or self._config.command)]

    def _identity(self) -> dict[str, Any]:
        user, _, group = self._config.user.partition(":")
        if not (user.isdigit() and group.isdigit()):
            raise ImageError(
                f"USER {self._config.user}: only numbers are read here, as 10001:10001"
            )
        return {
            "user": int(user),
            "group": int(group),
            "folder": self._config.working_folder,
            "environment": {
                **self._config.environment,
                "HOSTNAME": self.options.name,
                **self.options.environment,
            },
        }

    def _files(self) -> dict[str, Path]:
        """Files that the container sees beside its image: names of hosts, and secrets."""
        names = ["localhost", self.options.name, *self.options.hosts]
        hosts = self._folder / "hosts"
        hosts.write_text(f"127.0.0.1 {' '.join(names)}\n", encoding="utf-8")
        resolv = self._folder / "resolv.conf"
        resolv.write_text("", encoding="utf-8")
        secrets = {f"/run/secrets/{name}": file for name, file in self.options.secrets.items()}
        missing = [str(file) for file in secrets.values() if not file.is_file()]
        if missing:
            raise ImageError(f"{self.options.name}: there is no file {shlex.join(missing)}")
        return {"/etc/hosts": hosts, "/etc/resolv.conf": resolv, **secrets}
