"""The chart without a cluster: what it renders is run as processes, as the kubelet would do it.

Each container's arguments run with the pod's environment and mounted files, beside a real Kafka and
Postgres; the probes of the manifest are asked, and SIGTERM is sent with its grace period.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import yaml

from deploy.stack.machine import free_port
from deploy.stack.process import wait_until
from services import registry
from tests.operations.chart import merged, render, split
from tests.operations.pods import Pod, environment, mount, pods

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
READY_SECONDS = 120
JOB_SECONDS = 120
SHAPES = {
    "Deployments": {"defaults": {"replicas": 1}},
    "StatefulSets of two processes": {
        "defaults": {"replicas": 1, "processes": 2, "staticMembership": True}
    },
}


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod, run as a process."""

    pod: Pod
    process: subprocess.Popen[bytes]
    log: Path

    def passes(self, probe: str) -> bool:
        """Whether a probe of the manifest succeeds now."""
        asked = self.pod.container[f"{probe}Probe"]["httpGet"]
        ports = {each["name"]: each["containerPort"] for each in self.pod.container["ports"]}
        try:
            answer = httpx.get(f"http://127.0.0.1:{ports[asked['port']]}{asked['path']}")
        except httpx.TransportError:
            return False
        return 200 <= answer.status_code < 400

    def waits_for_migration(self) -> bool:
        """Whether it is alive, not ready, and says why."""
        says_so = b"waiting_for_migration" in self.log.read_bytes()
        return says_so and self.passes("liveness") and not self.passes("readiness")

    def wait(self) -> int:
        """The exit status of a container that ends by itself."""
        return self.process.wait(JOB_SECONDS)

    def terminate(self) -> int:
        """The exit status after SIGTERM, within the grace period of the pod."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(self.pod.spec["terminationGracePeriodSeconds"])


class Kubelet:
    """Runs the containers of rendered pods, each with ports of its own."""

    def __init__(self, values: Mapping[str, Any], database_url: str, folder: Path) -> None:
        self._values = values
        self._held = {"DATABASE_URL": database_url}
        self._folder = folder
        self._stack = ExitStack()
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, component: str) -> Container:
        """Start the container of a service or Job."""
        self._number += 1
        folder = self._folder / f"{self._number}-{component}"
        folder.mkdir()
        ports = {"ports": {"health": free_port(), "gateway": free_port()}}
        objects = map(yaml.safe_load, split(render(merged(self._values, ports), folder)))
        (pod,) = [each for each in pods(objects) if each.name == component]
        mount(pod, folder, self._held)
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [Path(sys.executable).with_name("orderflow"), *pod.container["args"]],
                cwd=folder,
                env={"PATH": os.environ["PATH"], **environment(pod, folder)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._stack.callback(_end, process)
        return Container(pod, process, log)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def kubelet(
    request: pytest.FixtureRequest,
    kafka_bootstrap_servers: str,
    topic_prefix: str,
    empty_database_url: str,
    tmp_path: Path,
) -> Iterator[Kubelet]:
    """Values of a shape, with the servers of the tests."""
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": topic_prefix,
        "KAFKA_PARTITIONS": 2,
    }
    # Ports of the tests' servers are any; no policy holds a process back here.
    given = {"settings": settings, "networkPolicy": {"enabled": False}}
    with Kubelet(merged(request.param, given), empty_database_url, tmp_path) as it:
        yield it


def test_chart_objects_start_in_any_order_and_stop_within_their_grace(kubelet: Kubelet) -> None:
    early, *others = registry.names()
    services = [kubelet.start(early)]
    assert wait_until(services[0].waits_for_migration, READY_SECONDS)

    for job in [kubelet.start("topics"), kubelet.start("migrate")]:
        assert job.wait() == 0, job.log.read_text()
    services += [kubelet.start(name) for name in others]

    for each in services:
        for probe in ("startup", "liveness", "readiness"):
            up = wait_until(lambda each=each, probe=probe: each.passes(probe), READY_SECONDS)
            assert up, f"{each.pod.name}: {probe}\n{each.log.read_text()}"
    assert [each.terminate() for each in services] == [0] * len(services)
    for each in services:
        assert "Traceback" not in each.log.read_text()
