"""The replicas of the campaign: forked by a nursery, killed, frozen, stopped and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from chaos import planted, points
from chaos.plan import COPIES
from demo.replicas import PROJECT, Replica
from deploy.stack import process
from deploy.stack.process import Identity
from services import registry

SERVICES = registry.consumers()
GATEWAY = "gateway"
LOG_LINES = 40


class Nursery:
    """The process that forks replicas. It and they end when this process does."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stderr: IO[str] | None = None

    def __enter__(self) -> Self:
        self._stderr = self._log.open("a")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.prefork"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
        assert self._answer() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
        if self._stderr:
            self._stderr.close()

    def fork(self, order: Mapping[str, object]) -> Identity:
        """A new replica."""
        with self._lock:
            assert self._process
            assert self._process.stdin
            self._process.stdin.write(f"{json.dumps(order)}\n")
            self._process.stdin.flush()
            pid = self._answer()
        assert isinstance(pid, int)
        return process.identity_of(pid)

    def _answer(self) -> object:
        assert self._process
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the nursery ended: {self._log.read_text()[-2000:]}")
        return json.loads(line)


@dataclass(slots=True)
class Ward(Replica):
    """A replica out of the nursery."""

    nursery: Nursery | None = None
    control: Path = field(default_factory=Path)
    plants: tuple[str, ...] = ()
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a fault acts on the replica."""
    kills: int = 0

    def start(self) -> None:
        """Fork it."""
        assert self.nursery
        self._port = None
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self.order_file.unlink(missing_ok=True)
        orders = {
            "service": self.service,
            "name": self.name,
            "control": str(self.control),
            "plants": self.plants,
        }
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HTTP_PORT": "0",
            "LOG_FORMAT": "json",
            **self.environment,
        }
        self.identity = self.nursery.fork(
            {"log": str(self.log), "environment": environment, "orders": orders}
        )

    @property
    def order_file(self) -> Path:
        """The control file of points and gaps."""
        return points.order_file(self.control, self.name)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still runs."""
        found = self.identity.process() if self.identity else None
        if found:
            found.send_signal(number)

    def last_words(self) -> list[str]:
        """The last lines of its log."""
        if not self.log.exists():
            return []
        return self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]


def wards(
    nursery: Nursery, folder: Path, environment: Mapping[str, str], plants: Sequence[str]
) -> dict[str, Ward]:
    """Two replicas of each service that consumes, and a gateway, by name, not started."""
    folder.mkdir(parents=True, exist_ok=True)
    control = folder / "control"
    control.mkdir(exist_ok=True)
    names = [(service, n) for service in SERVICES for n in range(1, COPIES + 1)]
    return {
        f"{service}-{number}": Ward(
            service=service,
            name=f"{service}-{number}",
            folder=folder,
            environment=environment,
            nursery=nursery,
            control=control,
            plants=planted.planted_in(plants, is_gateway=service == GATEWAY),
        )
        for service, number in [*names, (GATEWAY, 1)]
    }
