"""docker-compose.yml as the player reads it. A key that the player does not honour is an error."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SERVERS = {"apache/kafka": 9092, "postgres": 5432}
"""Images that the local stack stands for, with the port that the other services use."""
HEALTHY, COMPLETED, STARTED = (
    "service_healthy", "service_completed_successfully", "service_started",
)  # fmt: skip
_OURS = {
    "image", "build", "restart", "read_only", "tmpfs", "cap_drop", "security_opt",
    "stop_grace_period", "command", "environment", "secrets", "depends_on", "deploy",
    "healthcheck", "ports",
}  # fmt: skip
_RIGHTS = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
_SECONDS = re.compile(r"(?:(\d+)m)?(?:(\d+)s)?")


class ComposeError(Exception):
    """The compose file cannot be played; the message names the service and what is wrong."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the file."""

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, Path]
    depends_on: Mapping[str, str]
    """The condition for each service that must be there before."""
    replicas: int
    lasts: bool
    """Whether it runs until it is stopped; else it ends by itself."""
    tmpfs: Mapping[str, str]
    grace_seconds: float
    healthcheck: Mapping[str, Any]
    """What the file says instead of the image: `disable`, `test`, `interval` …"""
    ports: Sequence[tuple[int, int]]
    """Port of this machine and port of the container."""

    @property
    def server(self) -> str | None:
        """The image, without its version, of a service that the local stack stands for."""
        image = self.image.partition(":")[0]
        return image if image in SERVERS else None


def read(file: Path) -> dict[str, Service]:
    """The services of a compose file by name. Raises ComposeError, OSError, yaml.YAMLError."""
    text = yaml.safe_load(file.read_text("utf-8"))
    declared = {
        name: file.parent / each["file"] for name, each in (text.get("secrets") or {}).items()
    }
    services = {name: _service(name, said, declared) for name, said in text["services"].items()}
    for service in services.values():
        _check_dependencies(service, services)
    return services


def seconds(text: str) -> float:
    """A duration such as 30s or 1m30s. Raises ComposeError for another form."""
    found = _SECONDS.fullmatch(text)
    if not text or found is None:
        raise ComposeError(f"{text}: durations are read as 30s or 1m30s")
    return 60.0 * int(found[1] or 0) + int(found[2] or 0)


def _service(name: str, said: Mapping[str, Any], declared: Mapping[str, Path]) -> Service:
    service = Service(
        name=name,
        image=said["image"],
        command=said.get("command") or [],
        environment={key: str(value) for key, value in (said.get("environment") or {}).items()},
        secrets=_secrets(name, said.get("secrets") or [], declared),
        depends_on={key: each["condition"] for key, each in (said.get("depends_on") or {}).items()},
        replicas=(said.get("deploy") or {}).get("replicas", 1),
        lasts=said.get("restart", "no") != "no",
        tmpfs=dict(_tmpfs(each) for each in said.get("tmpfs") or []),
        grace_seconds=seconds(said.get("stop_grace_period", "10s")),
        healthcheck=said.get("healthcheck") or {},
        ports=[_ports(name, each) for each in said.get("ports") or []],
    )
    if service.server is None:
        _check_keys(name, said)
    return service


def _check_keys(name: str, said: Mapping[str, Any]) -> None:
    unknown = sorted(set(said) - _OURS)
    if unknown:
        raise ComposeError(f"{name}: the player does not honour {', '.join(unknown)}")
    for key, wanted in _RIGHTS.items():
        if said.get(key) != wanted:
            raise ComposeError(f"{name}: {key} is {said.get(key)}; the player knows {wanted} alone")


def _check_dependencies(service: Service, services: Mapping[str, Service]) -> None:
    for name, condition in service.depends_on.items():
        if name not in services:
            raise ComposeError(f"{service.name}: depends on {name}, which is no service")
        if condition not in {HEALTHY, COMPLETED, STARTED}:
            raise ComposeError(f"{service.name}: {condition} is no condition of depends_on")
        if condition == HEALTHY and services[name].healthcheck.get("disable"):
            raise ComposeError(f"{service.name}: {name} has no health check to wait for")
        if condition == COMPLETED and services[name].lasts:
            raise ComposeError(f"{service.name}: {name} does not end by itself")


def _secrets(name: str, said: Sequence[str], declared: Mapping[str, Path]) -> dict[str, Path]:
    for secret in said:
        if secret not in declared:
            raise ComposeError(
                f"{name}: the secret {secret} is not declared at the end of the file"
            )
        if not declared[secret].is_file():
            raise ComposeError(
                f"{name}: the file {declared[secret]} of a secret is not there: deploy/secrets.sh"
            )
    return {secret: declared[secret] for secret in said}


def _tmpfs(text: str) -> tuple[str, str]:
    path, _, options = text.partition(":")
    return path, options or "mode=1777"


def _ports(name: str, text: str) -> tuple[int, int]:
    address, _, rest = text.partition(":")
    if address != "127.0.0.1":
        raise ComposeError(f"{name}: the port {text} is not published on 127.0.0.1")
    outside, _, inside = rest.partition(":")
    return int(outside), int(inside)
