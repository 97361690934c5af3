"""Size, layers, memory and time to start of the image: `python -m tools.container.measure`.

The time from the start of a process until `/health/ready` is green is taken inside a container and
outside of it, in turns, on the same servers. Prints the tables of docs/image.md.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from deploy.stack.local import LocalStack
from deploy.stack.machine import free_port
from deploy.stack.process import wait_until
from orderflow.commands.health import is_ready
from services import registry
from services.runtime.postgres.migrate import migrate
from tools.container.build import TAG
from tools.container.network import Ports
from tools.container.process import Container, ContainerOptions
from tools.container.servers import port_of
from tools.container.store import ImageConfig, Store

_ROUNDS = 5
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0


def main() -> None:
    """Measure the image that `make image` built last. Raises ImageError."""
    store = Store.open()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_layers(store, folder)
        with store.mounted(TAG) as root:
            _write_largest(root)
            with LocalStack(folder / "stack") as servers:
                addresses = servers.start()
                asyncio.run(migrate(addresses.database_url, services=registry.names()))
                environment = addresses.environment()
                subprocess.run(
                    [sys.executable, "-m", "orderflow", "topics", "create"],
                    check=True, capture_output=True, env={**os.environ, **environment},
                )  # fmt: skip
                _write_starts(root, store.config(TAG), environment, folder)


def _write_layers(store: Store, folder: Path) -> None:
    """Compressed as a registry keeps them, and as they lie on a disk."""
    archive = folder / "image.tar"
    store.run("push", "--quiet", TAG, f"oci-archive:{archive}")
    whole = folder / "whole.tar"
    store.run("push", "--quiet", TAG, f"docker-archive:{whole}")
    with tarfile.open(archive) as content:
        packed = sorted((member.size for member in content if member.isfile()), reverse=True)
    with tarfile.open(whole) as content:
        sizes = [member.size for member in content if member.name.endswith(".tar")]
    for size in sizes:
        _write(f"layer {size / 1e6:.1f} MB")
    _write(f"all {sum(sizes) / 1e6:.1f} MB, compressed {sum(packed) / 1e6:.1f} MB")


def _write_largest(root: Path) -> None:
    packages = next((root / "opt/orderflow/lib").glob("python3*")) / "site-packages"
    answer = subprocess.run(
        ["du", "-sb", *packages.iterdir()], capture_output=True, text=True, check=True
    )
    rows = [line.split("\t") for line in answer.stdout.splitlines()]
    for size, path in sorted(rows, key=lambda row: -int(row[0]))[:10]:
        _write(f"{Path(path).name} {int(size) / 1e6:.1f} MB")


def _write_starts(
    root: Path, config: ImageConfig, environment: Mapping[str, str], folder: Path
) -> None:
    inside, outside, memory = [], [], []
    for turn in range(_ROUNDS):
        container = _container(root, config, environment, folder / str(turn))
        with Ports() as ports:
            for port in (port_of(environment["DATABASE_URL"]), _kafka_port(environment)):
                ports.lead_out(container.pid, port, port)
            port = ports.lead_in(container.pid, 8080)
            inside.append(_seconds_until_ready(container.start, port))
            memory.append(psutil.Process(container.pid).memory_full_info().pss)
            container.stop(_STOP_SECONDS)
        outside.append(_start_outside(environment))
    _write(f"inside {statistics.median(inside):.2f} s of {_shown(inside)}")
    _write(f"outside {statistics.median(outside):.2f} s of {_shown(outside)}")
    _write(f"memory of orders when ready {statistics.median(memory) / 1e6:.0f} MB")


def _container(
    root: Path, config: ImageConfig, environment: Mapping[str, str], folder: Path
) -> Container:
    options = ContainerOptions(name="orders", command=("serve", "orders"), environment=environment)
    container = Container(root, config, options, folder)
    container.prepare()
    return container


def _start_outside(environment: Mapping[str, str]) -> float:
    port = free_port()
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(
            subprocess.Popen(
                [Path(sys.executable).with_name("orderflow"), "serve", "orders"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, **environment, "HTTP_PORT": str(port)},
            )
        )  # fmt: skip

    taken = _seconds_until_ready(start, port)
    started[0].terminate()
    started[0].wait(_STOP_SECONDS)
    return taken


def _seconds_until_ready(start: Callable[[], None], port: int) -> float:
    began = time.monotonic()
    start()
    if not wait_until(lambda: is_ready(port), _READY_SECONDS):
        raise TimeoutError(f"not ready after {_READY_SECONDS:.0f} seconds")
    return time.monotonic() - began


def _kafka_port(environment: Mapping[str, str]) -> int:
    return int(environment["KAFKA_BOOTSTRAP_SERVERS"].rpartition(":")[2])


def _shown(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in sorted(values))


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
