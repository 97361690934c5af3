"""Kafka and Postgres from their container images, where a container engine runs."""

import secrets
from typing import Any

from deploy.stack import kafka as broker
from deploy.stack.addresses import Addresses, Stack
from deploy.stack.errors import StackError
from deploy.stack.jars import KAFKA_VERSION
from deploy.stack.machine import LOOPBACK, free_port
from deploy.stack.process import wait_until
from deploy.stack.progress import Silent, StepDisplay

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
POSTGRES_IMAGE = "postgres:18"


class ImageStack(Stack):
    """Two containers, removed with their data when they are stopped."""

    def __init__(self) -> None:
        self._containers: list[Any] = []

    def start(self, progress: StepDisplay | None = None) -> Addresses:
        """Fetch the images where needed, start both and wait until they serve.

        Raises StackError when there is no engine or a container does not come up.
        """
        display = progress or Silent()
        try:
            with display.step(f"Starting {POSTGRES_IMAGE}"):
                url = self._start_postgres()
            with display.step(f"Starting {KAFKA_IMAGE}"):
                servers = self._start_kafka()
        except StackError:
            self.stop()
            raise
        except Exception as error:
            self.stop()
            raise StackError(
                f"the container engine could not run the servers ({error}): see that it runs "
                "(docker info), or unset ORDERFLOW_STACK to run them without one"
            ) from error
        return Addresses(servers, url)

    def stop(self) -> None:
        """Remove the containers."""
        while self._containers:
            self._containers.pop().stop()

    def _start_postgres(self) -> str:
        from testcontainers.postgres import PostgresContainer

        container = PostgresContainer(
            POSTGRES_IMAGE,
            username="postgres",
            password=secrets.token_hex(8),
            dbname="postgres",
            driver=None,
        ).with_command("postgres -c max_connections=200")
        container.start()
        self._containers.append(container)
        return str(container.get_connection_url())

    def _start_kafka(self) -> str:
        from testcontainers.core.container import DockerContainer

        port = free_port()
        container = DockerContainer(KAFKA_IMAGE).with_bind_ports(
            9092,
            (LOOPBACK, port),  # type: ignore[arg-type]  # The engine's client takes pairs.
        )
        for name, value in _kafka_environment(port).items():
            container.with_env(name, value)
        container.start()
        self._containers.append(container)
        if not wait_until(lambda: broker.answers(LOOPBACK, port), broker.START_SECONDS):
            raise StackError(
                f"{KAFKA_IMAGE} did not answer within {broker.START_SECONDS} seconds: look at its "
                "log with docker logs"
            )
        return f"{LOOPBACK}:{port}"


def _kafka_environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    }
