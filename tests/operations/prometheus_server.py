"""A real Prometheus for tests: Debian's program on a free port, with a folder of its own."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from deploy.stack import process
from deploy.stack.errors import ServerFailed

_READY_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Target:
    """One `/metrics` to scrape: `host:port`, the job it belongs to, and labels added to it."""

    address: str
    job: str = "orderflow"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and its (Unix seconds, value) points in order."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def value(self) -> float:
        """The newest value."""
        return self.points[-1][1]


class QueryFailed(Exception):
    """Prometheus refused an expression; the text is its own."""


class PrometheusServer:
    """A Prometheus that scrapes `targets` and evaluates `rule_files` every `interval_seconds`.

    A context manager: started on entry (ServerFailed when it does not start), ended on exit by its
    process id. Exemplars are stored. The folder keeps its data and its log, `prometheus.log`.
    The first scrape comes five seconds after the start: Prometheus collects its targets that often.
    """

    def __init__(
        self,
        folder: Path,
        targets: Sequence[Target],
        *,
        rule_files: Sequence[Path] = (),
        interval_seconds: float = 0.5,
    ) -> None:
        self._folder = folder
        self._wanted = len(targets)
        self._config = _config(targets, rule_files, interval_seconds)
        self._identity: process.Identity | None = None
        self._client = httpx.Client(timeout=30)
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the program and wait until it is ready to answer.

        Raises:
            ServerFailed: it is not installed, or it ended; the text has the end of its log.
        """
        path = shutil.which("prometheus")
        if path is None:
            raise ServerFailed("prometheus is not on PATH: run deploy/operations.sh")
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(self._config), encoding="utf-8")
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        program = _program(path, self._folder, config, port)
        self._identity = process.start(program)
        process.wait_ready(program, self._identity, self._is_ready, _READY_SECONDS)

    def stop(self) -> None:
        """End the program; nothing when it does not run."""
        if self._identity is not None:
            process.stop(self._identity, "prometheus", signal.SIGTERM, _STOP_SECONDS)
            self._identity = None
        self._client.close()

    def query(self, expression: str) -> list[Series]:
        """Series of an expression now.

        Raises:
            QueryFailed: the expression is not PromQL, or cannot be evaluated.
        """
        result = self._get("query", {"query": expression})
        if result["resultType"] == "scalar":
            return [Series({}, (_point(result["result"]),))]
        return [Series(each["metric"], (_point(each["value"]),)) for each in result["result"]]

    def query_range(
        self, expression: str, start: float, end: float, step_seconds: float
    ) -> list[Series]:
        """Series of an expression between two instants (Unix seconds).

        Raises:
            QueryFailed: the expression is not PromQL, or cannot be evaluated.
        """
        parameters = {"query": expression, "start": start, "end": end, "step": step_seconds}
        result = self._get("query_range", parameters)
        return [
            Series(each["metric"], tuple(_point(one) for one in each["values"]))
            for each in result["result"]
        ]

    def exemplars(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """Exemplars of the series in an expression, as Prometheus returns them."""
        parameters = {"query": expression, "start": start, "end": end}
        found: list[dict[str, Any]] = self._get("query_exemplars", parameters)
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts pending or firing, with `labels` (`alertname`), `annotations` and `state`."""
        found: list[dict[str, Any]] = self._get("alerts", {})["alerts"]
        return found

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        return {each["labels"]["alertname"] for each in self.alerts() if each["state"] == "firing"}

    def targets(self) -> list[dict[str, Any]]:
        """Targets with `scrapeUrl`, `health` (up, down, unknown) and `lastError`."""
        found: list[dict[str, Any]] = self._get("targets", {})["activeTargets"]
        return found

    async def until(
        self, condition: Callable[[PrometheusServer], bool], what: str, seconds: float = 30
    ) -> None:
        """Ask again until the condition is true; the event loop goes on meanwhile.

        Raises:
            AssertionError: it was not true within `seconds`; names `what`, targets and alerts.
        """
        deadline = time.monotonic() + seconds
        while not await asyncio.to_thread(condition, self):
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {seconds:g} seconds: {what}\n"
                    f"targets: {self.targets()}\nalerts: {self.alerts()}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def until_scraped(self, seconds: float = 30) -> None:
        """Wait until the samples of each target can be queried."""

        def all_up(server: PrometheusServer) -> bool:
            return len(server.query("up == 1")) == self._wanted

        await self.until(all_up, "each target was scraped", seconds)

    def _is_ready(self) -> bool:
        try:
            return self._client.get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _get(self, path: str, parameters: Mapping[str, Any]) -> Any:
        if path.startswith("query"):
            response = self._client.post(f"{self.url}/api/v1/{path}", data=dict(parameters))
        else:
            response = self._client.get(f"{self.url}/api/v1/{path}", params=dict(parameters))
        body = response.json()
        if body["status"] != "success":
            raise QueryFailed(f"{body['errorType']}: {body['error']}: {parameters.get('query')}")
        return body["data"]


def _config(
    targets: Sequence[Target], rule_files: Sequence[Path], interval_seconds: float
) -> dict[str, Any]:
    interval = f"{round(interval_seconds * 1000)}ms"
    jobs: dict[str, list[dict[str, Any]]] = {}
    for target in targets:
        one = {"targets": [target.address], "labels": dict(target.labels)}
        jobs.setdefault(target.job, []).append(one)
    return {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "evaluation_interval": interval,
        },
        "rule_files": [str(path.resolve()) for path in rule_files],
        "scrape_configs": [
            {"job_name": name, "static_configs": configs} for name, configs in jobs.items()
        ],
    }


def _program(path: str, folder: Path, config: Path, port: int) -> process.Program:
    arguments = [
        path,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=1d",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    return process.Program("prometheus", arguments, folder / "prometheus.log", signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _point(pair: Sequence[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
