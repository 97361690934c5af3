"""One Apache Kafka broker (KRaft, its own controller) that listens on the loopback address only."""

import shutil
import signal
import socket
import struct
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from deploy.stack import process
from deploy.stack.errors import ServerFailed
from deploy.stack.listeners import Entrances
from deploy.stack.machine import LOOPBACK, check_port, free_port, is_free
from deploy.stack.process import Identity, Program

START_SECONDS = 90
STOP_SECONDS = 30
FORMAT_SECONDS = 60
TOOL_SECONDS = 60
_TRIES = 3
_API_METADATA = 3

# Written once per folder. Replication is 1 because there is one broker; the first rebalance of a
# group waits for nobody because tests and demos start groups all the time; topics are made by
# `orderflow topics create` alone, so that a mistyped name is an error.
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
# A group may ask to miss a dead member sooner; the default minimum is 6 s.
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
# A broker that was killed is let back in once its last session is over; the default is 9 s.
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
# 50 MB of producer deduplication state by default; ours is small.
log.cleaner.dedupe.buffer.size=16777216
log.segment.bytes=67108864
num.network.threads=2
num.io.threads=4
"""


class Kafka:
    """The broker of one folder. Its data outlive stops, kills and this process."""

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
        self._folder = folder
        self._java = java
        self._jars = jars
        self._asked_port = port
        self._detached = detached
        self._entrances = entrances or Entrances()
        self._more_ports: dict[str, int] = {}
        self._identity: Identity | None = None
        self.port = port or 0

    @property
    def bootstrap_servers(self) -> str:
        """What clients connect to first."""
        return f"{LOOPBACK}:{self.port}"

    def address(self, listener: str) -> str:
        """What clients of one of the further listeners connect to first."""
        return f"{LOOPBACK}:{self._more_ports[listener]}"

    @property
    def pid(self) -> int | None:
        """The broker's process id, or None when it does not run."""
        return self._identity.pid if self._identity and process.is_alive(self._identity) else None

    @property
    def identity(self) -> Identity | None:
        """The process that was started last."""
        return self._identity

    @property
    def log(self) -> Path:
        """The broker's log file."""
        return self._folder / "kafka.log"

    def start(self) -> None:
        """Start the broker and wait until it serves; a new folder is formatted first.

        Raises PortTaken when the port that was asked for is not free, and ServerFailed.
        """
        if self.pid is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(_TRIES):
            self._choose_port()
            try:
                self._run()
            except ServerFailed as error:
                # Between choosing a port and taking it, somebody else may have.
                lost_race = "Address already in use" in str(error) and not self._asked_port
                if not lost_race or attempt == _TRIES - 1:
                    raise
                self.port = 0
            else:
                return

    def tool(self, *arguments: str) -> None:
        """Run one of Kafka's own programs, by its class. Raises ServerFailed."""
        process.run(self._program("Kafka's tool", ["-Xmx256m"], list(arguments)), TOOL_SECONDS)

    def stop(self) -> None:
        """End the broker in an orderly way."""
        if self._identity:
            process.stop(self._identity, "Kafka", signal.SIGTERM, STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL, as a crash or an operator would."""
        if self._identity:
            process.kill(self._identity)

    def is_up(self) -> bool:
        """Whether the broker answers a metadata request and counts itself alive."""
        return self.port != 0 and answers(LOOPBACK, self.port)

    def _choose_port(self) -> None:
        if self._asked_port:
            way_out = "choose another with ORDERFLOW_STACK_KAFKA_PORT"
            check_port(self._asked_port, "Kafka", way_out)
        elif not self.port or not is_free(self.port):
            # Clients know the address by now, so a broker that comes back keeps its port.
            self.port = free_port()
        for listener in self._entrances.listeners:
            if not is_free(self._more_ports.setdefault(listener.name, free_port())):
                self._more_ports[listener.name] = free_port()

    def _run(self) -> None:
        properties = self._write_properties()
        data = self._folder / "data"
        if not (data / "meta.properties").exists():
            shutil.rmtree(data, ignore_errors=True)
            process.run(self._format(properties), FORMAT_SECONDS)
        server = self._program("Kafka", ["-Xms256m", "-Xmx512m"], ["kafka.Kafka", str(properties)])
        self._identity = process.start(server)
        process.wait_ready(server, self._identity, self.is_up, START_SECONDS)

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
        # With `-t` an id that begins with a dash, one in 64, would be taken for an option.
        cluster = f"--cluster-id={cluster_id}"
        arguments = ["kafka.tools.StorageTool", "format", cluster, "-c", str(properties)]
        arguments += self._entrances.scram_options()
        return self._program("Kafka's storage tool", ["-Xmx256m"], arguments)

    def _program(self, name: str, memory: list[str], arguments: list[str]) -> Program:
        temporary = self._folder.resolve() / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        options = {
            # A killed broker leaves the native libraries that it unpacked there.
            "java.io.tmpdir": str(temporary),
            "org.slf4j.simpleLogger.showDateTime": "true",
            "org.slf4j.simpleLogger.dateTimeFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS",
            "org.slf4j.simpleLogger.defaultLogLevel": "info",
        }
        return Program(
            name=name,
            arguments=[
                str(self._java),
                *memory,
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",  # Its files would lie in the machine's temporary folder.
                *(f"-D{key}={value}" for key, value in options.items()),
                "-cp",
                f"{self._jars}/*",
                *arguments,
            ],
            log=self.log,
            stop_signal=signal.SIGTERM,
            stop_seconds=STOP_SECONDS,
            environment=_quiet_java(),
            detached=self._detached,
        )


def _quiet_java() -> Mapping[str, str]:
    return {"JAVA_TOOL_OPTIONS": ""}


def answers(host: str, port: int, timeout_seconds: float = 2) -> bool:
    """Whether a broker there answers a metadata request and names at least one live broker.

    A broker that is not yet let into its cluster answers with none.
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
