"""`make bench-gateway`: the gateway beside a bare producer, on this machine, over 127.0.0.1.

Both put the same commands on the same broker, from as many senders that each wait for their answer.
The last line is for scripts.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import math
import os
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import structlog
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from deploy.stack import LocalStack
from schemas.topics import ORDERS_COMMANDS
from services.gateway.access.keys import SHOP
from services.gateway.operations import keys
from services.gateway.operations.keys import Owner
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.kafka.clients import make_producer
from services.runtime.operations.audit import Signature
from services.runtime.postgres.migrate import migrate

SENDERS = 32
BATCH = 50
QUIET_RATE = 100.0
"""Requests a second of the lap that measures how long one takes while little else is to be done."""
SECRET = "a-secret-of-the-benchmark"
SHOP_NAME = "demo-shop"
START_SECONDS = 30.0
_LINES = [{"sku": f"MUG-{n}", "quantity": 2, "price": "12.95", "title": "Mug"} for n in range(4)]

Send = Callable[[int], Awaitable[None]]
"""Sends one request or record and waits until it is acknowledged; the number makes its id."""


@dataclass(frozen=True, slots=True)
class Lap:
    """One measured lap."""

    name: str
    per_second: float
    messages_per_second: float
    p50_ms: float
    p99_ms: float
    gateway_cpu_ms: float
    """CPU of the gateway for one request."""


def command(number: int) -> bytes:
    """A command of some 700 bytes."""
    order = {
        "order_number": str(number),
        "order_placed_at": "2026-03-01T09:30:00+01:00",
        "email_id": "kim@example.org",
        "currency": "EUR",
        "total_order_price": "103.60",
        "address": {"name": "Kim", "street": "Weg 1", "zip_code": "10115", "country_code": "DE"},
        "products": _LINES,
    }
    return json.dumps({"shop_slug": SHOP_NAME, "order": order}).encode()


@dataclass(slots=True)
class Client:
    """A connection that stays open: one request after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def post(self, path: str, headers: Sequence[str], body: bytes) -> None:
        """Send a request and read its answer.

        Raises:
            RuntimeError: the answer is not 202.
        """
        lines = (f"POST {path} HTTP/1.1", "host: x", f"content-length: {len(body)}", *headers)
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await self.reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 202 "):
            raise RuntimeError(f"{head.decode()}{answer.decode()}")


async def measure(
    name: str, sends: Sequence[Send], seconds: float, process: psutil.Process, *, messages: int = 1
) -> Lap:
    """Let senders send for a time, each one after the other."""
    took: list[float] = []
    cpu, began = _cpu(process), time.perf_counter()
    end = began + seconds

    async def run(sender: int, send: Send) -> None:
        number = sender * 10_000_000
        while time.perf_counter() < end:
            at = time.perf_counter()
            await send(number)
            took.append(time.perf_counter() - at)
            number += messages

    await asyncio.gather(*(run(n, send) for n, send in enumerate(sends)))
    return _lap(name, took, time.perf_counter() - began, _cpu(process) - cpu, messages)


async def measure_quiet(
    name: str, sends: Sequence[Send], seconds: float, process: psutil.Process
) -> Lap:
    """Send at a fixed rate; what a request waits for others counts."""
    took: list[float] = []
    cpu, began = _cpu(process), time.perf_counter()

    async def run(sender: int, send: Send) -> None:
        for step in range(int(seconds * QUIET_RATE / len(sends))):
            due = began + (step * len(sends) + sender) / QUIET_RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await send(900_000_000 + sender * 1_000_000 + step)
            took.append(time.perf_counter() - due)

    await asyncio.gather(*(run(n, send) for n, send in enumerate(sends)))
    return _lap(name, took, time.perf_counter() - began, _cpu(process) - cpu, 1)


def _lap(name: str, took: list[float], seconds: float, cpu: float, messages: int) -> Lap:
    ordered = sorted(took)

    def quantile(share: float) -> float:
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)))] * 1000

    rate = len(took) / seconds
    cost = cpu / len(took) * 1000
    return Lap(name, rate, rate * messages, quantile(0.5), quantile(0.99), cost)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@dataclass(slots=True)
class Ground:
    """Servers, a gateway as a process, and a key."""

    settings: Settings
    port: int
    process: psutil.Process
    key: str

    async def clients(self, count: int) -> list[Client]:
        """Connections to the gateway."""
        opened = [asyncio.open_connection("127.0.0.1", self.port) for _ in range(count)]
        return [Client(*await each) for each in opened]

    def commands(self, client: Client) -> Send:
        """One command a request."""

        async def send(number: int) -> None:
            await client.post(
                f"/shops/{SHOP_NAME}/commands",
                (
                    f"authorization: Bearer {self.key}",
                    "content-type: application/json",
                    "ce-type: order.place",
                    f"ce-id: {number}",
                ),
                command(number),
            )

        return send

    def batches(self, client: Client) -> Send:
        """BATCH commands a request."""

        async def send(number: int) -> None:
            events = [
                b'{"type":"order.place","id":"%d","data":%s}' % (number + n, command(number + n))
                for n in range(BATCH)
            ]
            await client.post(
                f"/shops/{SHOP_NAME}/commands",
                (
                    f"authorization: Bearer {self.key}",
                    "content-type: application/cloudevents-batch+json",
                ),
                b"[" + b",".join(events) + b"]",
            )

        return send

    def tracking(self, client: Client) -> Send:
        """A signed body of tracking a request."""

        async def send(number: int) -> None:
            body = command(number)  # Not read by the gateway: what is in it plays no part.
            said = str(int(time.time())).encode()
            signed = hmac.new(SECRET.encode(), said + b"." + body, hashlib.sha256).hexdigest()
            await client.post(
                "/carriers/standard",
                (
                    f"karla-signature: t={said.decode()},v1={signed}",
                    "content-type: application/json",
                ),
                body,
            )

        return send


async def measure_all(ground: Ground, seconds: float) -> list[Lap]:
    """All laps, one after the other."""
    process = ground.process
    clients = await ground.clients(SENDERS)
    await asyncio.gather(*(ground.commands(each)(n) for n, each in enumerate(clients)))
    producer = make_producer(ground.settings)
    await producer.start()
    topic = ground.settings.topic(ORDERS_COMMANDS)

    async def bare(number: int) -> None:
        headers = [("ce_type", b"order.place"), ("ce_id", str(number).encode())]
        key = f"{SHOP_NAME}/{number}".encode()
        await producer.send_and_wait(topic, command(number), key=key, headers=headers)

    await bare(0)
    laps = [
        await measure("bare producer", [bare] * SENDERS, seconds, process),
        await measure("gateway, commands", [ground.commands(c) for c in clients], seconds, process),
        await measure("gateway, tracking", [ground.tracking(c) for c in clients], seconds, process),
        await measure(
            f"gateway, batches of {BATCH}",
            [ground.batches(c) for c in clients[:4]],
            seconds,
            process,
            messages=BATCH,
        ),
        await measure_quiet("bare producer, quiet", [bare] * SENDERS, seconds, process),
        await measure_quiet(
            "gateway, quiet", [ground.commands(c) for c in clients], seconds, process
        ),
    ]
    await producer.stop()
    for client in clients:
        client.writer.close()
    return laps


async def run(servers: LocalStack, folder: Path, seconds: float) -> list[Lap]:
    """Start a gateway on the servers and measure it."""
    addresses = servers.addresses
    secrets = folder / "signature-keys"
    secrets.mkdir()
    (secrets / "standard").write_text(SECRET)
    settings = Settings(
        database_url=addresses.database_url,
        kafka_bootstrap_servers=addresses.kafka_bootstrap_servers,
    )
    await migrate(addresses.database_url, ["gateway"])
    await topics.create(settings)
    async with keys.opened_by_owner(settings) as connection:
        made = await keys.add(
            connection,
            Owner(SHOP, SHOP_NAME, f"/shops/{SHOP_NAME}"),
            Signature("bench", "to measure"),
            per_second=None,
            expires_at=None,
        )
    port = _free_port()
    environment = os.environ | addresses.environment() | {
        "HTTP_PORT": "0",
        "LOG_LEVEL": "WARNING",
        "ORDERFLOW_GATEWAY_PORT": str(port),
        "ORDERFLOW_GATEWAY_SIGNATURE_KEYS_DIR": str(secrets),
        "ORDERFLOW_GATEWAY_REQUESTS_PER_SECOND": "1000000",
    }  # fmt: skip
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orderflow", "serve", "gateway"), env=environment
    )
    try:
        await _until_open(port)
        ground = Ground(settings, port, psutil.Process(child.pid), made.text)
        return await measure_all(ground, seconds)
    finally:
        child.terminate()
        await child.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _until_open(port: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            await asyncio.sleep(1.0)  # Until it has reached Kafka and Postgres, too.
            return


def report(laps: Sequence[Lap]) -> Table:
    """The laps as a table."""
    table = Table(box=None)
    for title in ("", "requests/s", "messages/s", "p50 ms", "p99 ms", "CPU ms a request"):
        table.add_column(title, justify="right" if title else "left")
    for lap in laps:
        is_bare = lap.name.startswith("bare")
        table.add_row(
            lap.name,
            f"{lap.per_second:,.0f}",
            f"{lap.messages_per_second:,.0f}",
            f"{lap.p50_ms:.1f}",
            f"{lap.p99_ms:.1f}",
            "" if is_bare else f"{lap.gateway_cpu_ms:.2f}",
        )
    return table


def main(
    *, seconds: Annotated[float, typer.Option(min=1, max=60, help="Of each lap.")] = 8.0
) -> None:
    """Measure the gateway beside a bare producer; the last line is for scripts."""
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="orderflow-gateway-") as folder:
        Path(folder).chmod(0o755)  # Postgres may run as another user.
        with LocalStack(Path(folder) / "stack") as servers:
            servers.start()
            laps = uvloop.run(run(servers, Path(folder), seconds))
    bare, commands, tracking, batches, bare_quiet, quiet = laps
    console = Console(width=100, highlight=False)
    console.print(report(laps))
    console.print(
        f"gateway: commands_per_s={commands.per_second:.0f} "
        f"tracking_per_s={tracking.per_second:.0f} "
        f"batched_per_s={batches.messages_per_second:.0f} bare_per_s={bare.per_second:.0f} "
        f"vs_bare={commands.per_second / bare.per_second:.2f} p99_ms={commands.p99_ms:.1f} "
        f"quiet_p99_ms={quiet.p99_ms:.1f} bare_p99_ms={bare.p99_ms:.1f} "
        f"bare_quiet_p99_ms={bare_quiet.p99_ms:.1f} cpu_ms={commands.gateway_cpu_ms:.2f}",
        soft_wrap=True,
    )


if __name__ == "__main__":
    typer.run(main)
