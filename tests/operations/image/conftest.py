"""The image, built by buildah, and containers of it that reach the tests' Kafka and Postgres."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from deploy.stack import Addresses
from tools.container import build
from tools.container.network import Ports
from tools.container.process import Container, ContainerOptions
from tools.container.servers import port_of
from tools.container.store import ImageConfig, Store

# A first build makes the base and installs all packages.
BUILD_SECONDS = 1500
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """The image of this checkout."""

    store: Store
    name: str
    config: ImageConfig
    root: Path
    """Its file system."""


class Launch(Protocol):
    """Starts a container; a fixture stops it at the end of the test."""

    def __call__(
        self,
        *command: str,
        environment: Mapping[str, str] | None = None,
        program: tuple[str, ...] | None = None,
    ) -> Container: ...


@pytest.fixture(scope="session")
def image() -> Iterator[BuiltImage]:
    """`make image`, then its file system."""
    store = Store.open()
    build.build(store, build.TAG)
    with store.mounted(build.TAG) as root:
        yield BuiltImage(store, build.TAG, store.config(build.TAG), root)


@pytest.fixture
def launch(image: BuiltImage, stack: Addresses, tmp_path: Path) -> Iterator[Launch]:
    """Starts containers whose 127.0.0.1 has the ports of the tests' Kafka and Postgres."""
    started: list[Container] = []
    servers = [int(stack.kafka_bootstrap_servers.rpartition(":")[2]), port_of(stack.database_url)]
    with Ports() as ports:

        def start(
            *command: str,
            environment: Mapping[str, str] | None = None,
            program: tuple[str, ...] | None = None,
        ) -> Container:
            options = ContainerOptions(
                name=f"container-{len(started)}",
                command=command,
                environment=environment or {},
                program=program,
            )
            container = Container(image.root, image.config, options, tmp_path)
            started.append(container)
            container.prepare()
            for port in servers:
                ports.lead_out(container.pid, port, port)
            container.start()
            return container

        yield start
        for container in started:
            container.stop(STOP_SECONDS)


@pytest.fixture
def installation(stack: Addresses, empty_database_url: str, topic_prefix: str) -> dict[str, str]:
    """Settings for a database and topics of this test's own; both empty."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": topic_prefix,
        "KAFKA_PARTITIONS": "2",
        "KAFKA_REPLICATION_FACTOR": "1",
        "DATABASE_URL": empty_database_url,
        "ORDERFLOW_DRAIN_TIMEOUT_SECONDS": "20",
    }
