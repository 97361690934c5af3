"""The services as processes of ours: started, asked whether they are ready, stopped, killed."""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.stack import process
from deploy.stack.process import Identity, Program
from services import registry

SERVICES = registry.consumers()
READY_SECONDS = 60.0
STOP_SECONDS = 40.0
POLL_SECONDS = 0.05
LOG_LINES_SHOWN = 15
PROJECT = Path(__file__).resolve().parents[1]


class NotReady(Exception):
    """A replica did not come up; the text holds the end of its log."""


@dataclass(slots=True)
class Replica:
    """One process that serves `service`; it ends when this process does, however that ends."""

    service: str
    name: str
    folder: Path
    environment: Mapping[str, str]
    command: Sequence[str] = ()
    identity: Identity | None = None
    _port: int | None = field(default=None, repr=False)
    _log_start: int = 0

    @property
    def log(self) -> Path:
        """Everything it wrote, over all its starts."""
        return self.folder / f"{self.name}.log"

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.identity is not None and process.is_alive(self.identity)

    def start(self) -> None:
        """Start the process; `wait_ready` waits until it serves."""
        self._port = None
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self.identity = process.start(self._program())

    def stop(self) -> None:
        """SIGTERM: finish the batch, publish, leave the group. Killed when that takes too long."""
        if self.identity:
            process.stop(self.identity, self.name, signal.SIGTERM, STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self.identity:
            process.kill(self.identity)

    def wait_ready(self, deadline_seconds: float = READY_SECONDS) -> None:
        """Wait until it answers that it is ready.

        Raises:
            NotReady: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + deadline_seconds
        while not self.is_ready():
            if not self.is_alive:
                raise NotReady(f"{self.name} ended; {self.log_end()}")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} is not ready: {self.health()}; {self.log_end()}")
            time.sleep(POLL_SECONDS)

    def is_ready(self) -> bool:
        """Whether /health/ready is green."""
        return self._get("/health/ready")[0] == 200

    def health(self) -> str:
        """What /health/ready says, as text."""
        return self._get("/health/ready")[1]

    def is_live(self) -> bool:
        """Whether /health/live is green."""
        return self._get("/health/live")[0] == 200

    def metrics(self) -> str:
        """What /metrics says."""
        return self._get("/metrics")[1]

    def log_end(self) -> str:
        """The last lines of the log, for a person."""
        lines = self._written().splitlines()[-LOG_LINES_SHOWN:]
        return f"the end of {self.log}:\n" + "\n".join(f"  {line}" for line in lines)

    def _get(self, path: str) -> tuple[int, str]:
        port = self._find_port()
        if port is None:
            return 0, "it does not listen yet"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def _find_port(self) -> int | None:
        """The port it chose, as its log says."""
        if self._port is None:
            for line in self._written().splitlines():
                if "http_listening" in line:
                    self._port = int(json.loads(line)["port"])
        return self._port

    def _written(self) -> str:
        if not self.log.exists():
            return ""
        return self.log.read_bytes()[self._log_start :].decode("utf-8", "replace")

    def _program(self) -> Program:
        default = [sys.executable, "-m", "orderflow", "serve", self.service]
        return Program(
            name=self.name,
            arguments=list(self.command) or default,
            log=self.log,
            stop_signal=signal.SIGTERM,
            environment={
                "PYTHONPATH": str(PROJECT),
                "HTTP_PORT": "0",
                "LOG_FORMAT": "json",
                **self.environment,
            },
        )


def replicas(folder: Path, environment: Mapping[str, str], count: int = 1) -> list[Replica]:
    """`count` replicas of each service, not started."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        Replica(service, f"{service}-{number}", folder, environment)
        for service in SERVICES
        for number in range(1, count + 1)
    ]


def start_all(wanted: Sequence[Replica], deadline_seconds: float = READY_SECONDS) -> None:
    """Start them together and wait until all are ready; none is left when one fails."""
    try:
        for replica in wanted:
            replica.start()
        for replica in wanted:
            replica.wait_ready(deadline_seconds)
    except BaseException:
        for replica in wanted:
            replica.kill()
        raise


def stop_all(wanted: Sequence[Replica]) -> None:
    """Stop them in an orderly way, all asked at once."""
    for replica in wanted:
        found = replica.identity.process() if replica.identity else None
        if found:
            found.send_signal(signal.SIGTERM)
    for replica in wanted:
        replica.stop()
