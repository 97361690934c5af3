"""One Apache Kafka broker (KRaft, its own controller) that listens on the loopback address only."""

import shutil
import signal
import socket
import struct
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deploy.stack import process
from deploy.stack.listeners import Entrances
from deploy.stack.machine import KAFKA_PORT, LOOPBACK, free_port, is_free
from deploy.stack.process import Program
from deploy.stack.server import Server

START_SECONDS = 90
FORMAT_SECONDS = 60
TOOL_SECONDS = 60
_API_METADATA = 3

# Written at every start. Replication is 1 because there is one broker. The first rebalance of a
# group is not delayed, because tests and demos start many groups. Topics are created only by
# `orderflow topics create`, so that a mistyped name is an error.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}{more}
advertised.listeners=PLAINTEXT://{host}:{port}{more_advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{more_protocols}
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
# A consumer may ask for a shorter session timeout than the default minimum of 6 s.
group.min.session.timeout.ms=1000
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A killed broker may register again when its last session has expired; the default is 9 s.
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
# The log cleaner reserves 128 MB by default; the topics of tests and demos are small.
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=67108864
num.network.threads=2
num.io.threads=4
"""


class Kafka(Server):
    """The broker of one folder."""

    name = "Kafka"
    port_setting = KAFKA_PORT
    stop_signal = signal.SIGTERM
    start_seconds = START_SECONDS
    environment: ClassVar[Mapping[str, str]] = {"JAVA_TOOL_OPTIONS": ""}

    def __init__(
        self,
        folder: Path,
        *,
        java: Path,
        jars: Path,
        port: int | None = None,
        detached: bool = False,
        entrances: Entrances | None = None,
    ) -> None:
        super().__init__(folder, port=port, detached=detached)
        self._java = java
        self._jars = jars
        self._entrances = entrances or Entrances()
        self._more_ports: dict[str, int] = {}

    @property
    def bootstrap_servers(self) -> str:
        """The address that clients are configured with, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def address(self, listener: str) -> str:
        """The address for clients of one of the further listeners, `host:port`."""
        return f"{LOOPBACK}:{self._more_ports[listener]}"

    def tool(self, *arguments: str) -> None:
        """Run a program that Kafka brings, named by its Java class. Raises ServerFailed."""
        process.run(self._java_program("Kafka's tool", ["-Xmx256m"], arguments), TOOL_SECONDS)

    def is_up(self) -> bool:
        """Whether the broker answers a metadata request and has joined its cluster."""
        return self.port != 0 and answers(LOOPBACK, self.port)

    def _choose_port(self) -> None:
        super()._choose_port()
        for listener in self._entrances.listeners:
            if not is_free(self._more_ports.setdefault(listener.name, free_port())):
                self._more_ports[listener.name] = free_port()

    def _server_program(self) -> Program:
        properties = self._write_properties()
        data = self._folder / "data"
        if not (data / "meta.properties").exists():
            shutil.rmtree(data, ignore_errors=True)
            process.run(self._format(properties), FORMAT_SECONDS)
        memory = ["-Xms256m", "-Xmx512m"]
        return self._java_program(self.name, memory, ["kafka.Kafka", str(properties)])

    def _write_properties(self) -> Path:
        properties = self._folder / "server.properties"
        text = _PROPERTIES.format(
            host=LOOPBACK,
            port=self.port,
            controller_port=free_port(),
            data=self._folder.resolve() / "data",
            more=self._entrances.addresses(LOOPBACK, self._more_ports),
            more_advertised=self._entrances.advertised(LOOPBACK, self._more_ports),
            more_protocols=self._entrances.protocols,
        )
        lines = "".join(f"{line}\n" for line in self._entrances.properties())
        properties.touch(mode=0o600)  # It may hold passwords.
        properties.write_text(text + lines, encoding="utf-8")
        return properties

    def _format(self, properties: Path) -> Program:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # `-t ID` would take an id that begins with a dash, one in 64, for an option.
        cluster = f"--cluster-id={cluster_id}"
        arguments = ["kafka.tools.StorageTool", "format", cluster, "-c", str(properties)]
        arguments += self._entrances.scram_options()
        return self._java_program("Kafka's storage tool", ["-Xmx256m"], arguments)

    def _java_program(self, name: str, memory: list[str], arguments: Sequence[str]) -> Program:
        temporary = self._folder.resolve() / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        options = {
            # A broker unpacks native libraries there, and leaves them when it is killed.
            "java.io.tmpdir": str(temporary),
            "org.slf4j.simpleLogger.showDateTime": "true",
            "org.slf4j.simpleLogger.dateTimeFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS",
            "org.slf4j.simpleLogger.defaultLogLevel": "info",
            **self._entrances.system_properties(),
        }
        return self._program(
            name,
            [
                str(self._java),
                *memory,
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",  # Its files would lie in the machine's temporary folder.
                *(f"-D{key}={value}" for key, value in options.items()),
                "-cp",
                f"{self._jars}/*",
                *arguments,
            ],
        )


def answers(host: str, port: int, timeout_seconds: float = 2) -> bool:
    """Whether a broker at this address answers a metadata request with at least one live broker.

    A broker that has not joined its cluster yet answers with none.
    """
    header = struct.pack(
        ">hhih", _API_METADATA, 1, 1, -1
    )  # Version 1, correlation 1, no client id.
    request = header + struct.pack(">i", 0)  # No topics.
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as stream:
                answer = stream.read(12)
    except OSError:
        return False
    return len(answer) == 12 and struct.unpack(">iii", answer)[2] > 0
