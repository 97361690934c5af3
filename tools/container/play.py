"""Play docker-compose.yml without a container engine, from the image that `make image` built.

    deploy/secrets.sh && .venv/bin/python -m tools.container.play

Starts each service when its conditions hold, in namespaces of its own, checks its health, and stops
all in reverse order on Ctrl-C. Kafka and Postgres are those of the local stack. What this does not
play: docs/image.md.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.stack.addresses import Addresses
from deploy.stack.errors import StackError
from tools.container import compose
from tools.container.build import TAG
from tools.container.compose import ComposeError, Service
from tools.container.health import HealthCheck, HealthRules
from tools.container.network import Ports
from tools.container.process import Container, ContainerOptions
from tools.container.servers import POSTGRES, Servers
from tools.container.store import PROJECT, ImageConfig, ImageError, Store

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a service."""

    seconds: float
    """Since the play began."""
    service: str
    what: str
    """started, healthy, completed, stopped."""
    detail: str = ""


class Play:
    """The services of a compose file. A `with` block stops them at its end."""

    def __init__(
        self,
        file: Path,
        root: Path,
        config: ImageConfig,
        folder: Path,
        *,
        free_ports: bool = False,
    ) -> None:
        """`root` is the image's file system. `free_ports`: publish at any port, not the file's.

        Raises ComposeError.
        """
        self.services = compose.read(file)
        self.events: list[Event] = []
        self.containers: dict[str, list[Container]] = {}
        self.published: dict[tuple[str, int], int] = {}
        """The port of this machine for each service and port of its container."""
        self._root, self._config, self._folder = root, config, folder
        self._free_ports = free_ports
        self._ports = Ports()
        self._servers = Servers(folder / "stack")
        self._addresses: Addresses | None = None
        self._health: dict[str, list[HealthCheck]] = {}
        self._began = time.monotonic()
        self._runs = 0

    def __enter__(self) -> Self:
        self._ports.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.down()
        finally:
            self._ports.__exit__()
            self._servers.stop()

    @property
    def addresses(self) -> Addresses:
        """Kafka and Postgres, once they were started."""
        assert self._addresses is not None, "a service that is a server was started"
        return self._addresses

    def up(self, seconds: float = 300) -> None:
        """Start every service when its conditions hold; return when all are healthy or completed.

        Raises ComposeError when one ends or stays unhealthy, or after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not all(self._is_up(service) for service in self.services.values()):
            for service in self.services.values():
                if not self._has(service.name, "started") and self._may_start(service):
                    self._start(service)
                self._look_after(service)
            if time.monotonic() > deadline:
                missing = [name for name, each in self.services.items() if not self._is_up(each)]
                raise ComposeError(f"not up after {seconds:.0f} seconds: {', '.join(missing)}")
            time.sleep(_POLL_SECONDS)

    def watch(self) -> None:
        """Return never; raises ComposeError when a service ends that should last."""
        while True:
            for service in self.services.values():
                self._look_after(service)
            time.sleep(_POLL_SECONDS)

    def run(self, name: str, *command: str, seconds: float = 60) -> str:
        """The output of a command in a new container of a service, as `compose run --rm`.

        Raises ComposeError when its status is not 0.
        """
        self._runs += 1
        container = self._make(self.services[name], f"{name}-run-{self._runs}", command)
        container.start()
        status = container.wait(seconds)
        output = container.output()
        if status != 0:
            raise ComposeError(f"{name} {' '.join(command)}: status {status}:\n{output}")
        return output

    def down(self) -> None:
        """Stop in reverse order: a service before those that it depends on."""
        for service in reversed(self._in_order()):
            self._stop(service, self.containers.pop(service.name, []))

    def order(self, what: str) -> list[str]:
        """The services to which this happened, in that order."""
        return [event.service for event in self.events if event.what == what]

    def _stop(self, service: Service, containers: Sequence[Container]) -> None:
        for container in containers:
            container.terminate()
        for container in containers:
            began = time.monotonic()
            status = container.stop(service.grace_seconds)
            if service.lasts:
                detail = f"status {status} after {time.monotonic() - began:.1f} s"
                self._note(service.name, "stopped", detail)

    def _start(self, service: Service) -> None:
        self._note(service.name, "started")
        if service.server is not None:
            self._start_servers()
            self._note(service.name, "healthy")
            return
        names = [f"{service.name}-{at}" for at in range(1, service.replicas + 1)]
        containers = [self._make(service, name, service.command) for name in names]
        self.containers[service.name] = containers
        for container in containers:
            container.start()
        rules = HealthRules.of(self._config.healthcheck, service.healthcheck)
        self._health[service.name] = [HealthCheck(rules, each) for each in containers]

    def _start_servers(self) -> None:
        """Both at the first of the two; containers that run already reach them from now on."""
        if self._addresses is not None:
            return
        servers = {each.server: each for each in self.services.values()}
        self._addresses = self._servers.start(servers.get(POSTGRES))
        for containers in self.containers.values():
            for container in containers:
                self._lead_out(container)

    def _lead_out(self, container: Container) -> None:
        if self._addresses is not None:
            for port, target in self._servers.ports(self.services, self._addresses).items():
                self._ports.lead_out(container.pid, port, target)

    def _make(self, service: Service, name: str, command: Sequence[str]) -> Container:
        options = ContainerOptions(
            name=name,
            command=command,
            environment=service.environment,
            tmpfs=service.tmpfs,
            secrets=service.secrets,
            hosts=[each.name for each in self.services.values() if each.server],
        )
        container = Container(self._root, self._config, options, self._folder)
        container.prepare()
        self._lead_out(container)
        if command == service.command:
            for outside, inside in service.ports:
                at = 0 if self._free_ports else outside
                self.published[service.name, inside] = self._ports.lead_in(
                    container.pid, inside, at
                )
        return container

    def _look_after(self, service: Service) -> None:
        for container in self.containers.get(service.name, []):
            if container.is_running():
                continue
            status = container.wait(0)
            if service.lasts or status != 0:
                raise ComposeError(
                    f"{container.options.name} ended with status {status}:\n{container.text()}"
                )
            if not self._has(service.name, "completed"):
                self._note(service.name, "completed")
        checks = self._health.get(service.name, [])
        if not checks or not service.lasts or self._has(service.name, "healthy"):
            return
        passed = [check.passes() for check in checks]
        if all(passed):
            self._note(service.name, "healthy")

    def _may_start(self, service: Service) -> bool:
        happened = {compose.HEALTHY: "healthy", compose.COMPLETED: "completed"}
        return all(
            self._has(name, happened.get(condition, "started"))
            for name, condition in service.depends_on.items()
        )

    def _is_up(self, service: Service) -> bool:
        return self._has(service.name, "healthy" if service.lasts else "completed")

    def _in_order(self) -> list[Service]:
        started = self.order("started")
        return [self.services[name] for name in started]

    def _has(self, name: str, what: str) -> bool:
        return any(event.service == name and event.what == what for event in self.events)

    def _note(self, service: str, what: str, detail: str = "") -> None:
        self.events.append(Event(time.monotonic() - self._began, service, what, detail))


def main() -> int:
    """Play until Ctrl-C or SIGTERM. Returns the exit status: 1 where it could not be played."""
    parser = argparse.ArgumentParser(description="Play a compose file without an engine.")
    parser.add_argument("--file", type=Path, default=PROJECT / "docker-compose.yml")
    parser.add_argument("--image", default=TAG)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        store = Store.open()
        config = store.config(arguments.image)
        with store.mounted(arguments.image) as root, tempfile.TemporaryDirectory() as folder:
            _play(Play(arguments.file, root, config, Path(folder)))
    except (ComposeError, ImageError, StackError, OSError) as error:
        sys.stderr.write(f"play: {error}\n")
        return 1
    return 0


def _play(play: Play) -> None:
    try:
        with play:
            play.up()
            _show(play.events, play.published)
            play.watch()
    except KeyboardInterrupt:
        _show([event for event in play.events if event.what == "stopped"], {})


def _show(events: Sequence[Event], published: Mapping[tuple[str, int], int]) -> None:
    for event in events:
        sys.stdout.write(
            f"{event.seconds:7.1f} {event.service:12} {event.what} {event.detail}".rstrip() + "\n"
        )
    for (service, _), port in published.items():
        sys.stdout.write(f"{service}: http://127.0.0.1:{port}\n")


if __name__ == "__main__":
    sys.exit(main())
