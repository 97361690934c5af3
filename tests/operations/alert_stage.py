"""Services as processes, scraped by a real Prometheus with our rules, their durations shortened."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shlex
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from aiokafka import AIOKafkaProducer

from chaos.proxy import LOOPBACK, Proxy, proxied
from demo.installation import Installation, installation_of
from demo.messages import cloud_headers, encode
from demo.replicas import PROJECT, Replica, start_all, stop_all
from deploy.stack.machine import free_port
from services.runtime.config.settings import Settings
from services.runtime.observability.health import health_app, serve_http
from services.runtime.observability.metrics import Metrics
from tests.faults.outages import Servers
from tests.operations.prometheus_server import PrometheusServer, Target
from tests.processes import NOON
from tools.alerts import RULES

SHOP = "demo-shop"
PAUSE_FACTOR = 3_600
"""`for:` is divided by it: a day is 24 seconds."""
RANGE_FACTOR = 60
"""Ranges and offsets are divided by it, down to RANGE_LEAST: an hour is a minute."""
RANGE_LEAST_SECONDS = 5
SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
ALERT_SECONDS = 90.0
COMMAND_SECONDS = 60
QUICK = {
    "ORDERFLOW_METRICS_INTERVAL_SECONDS": "0.5",
    "ORDERFLOW_SWEEP_INTERVAL_SECONDS": "0.5",
    "DATABASE_LOCK_TIMEOUT_SECONDS": "0.5",
    "DATABASE_CONNECT_TIMEOUT_SECONDS": "3",
    "KAFKA_REQUEST_TIMEOUT_MS": "6000",
    "ORDERFLOW_GATEWAY_PUBLISH_SECONDS": "3",
    # A parked item is tried again by an operator alone.
    "ORDERFLOW_PARKING_FIRST_DELAY_SECONDS": "3600",
    "ORDERFLOW_PARKING_LONGEST_DELAY_SECONDS": "3600",
    "ORDERFLOW_FUSE_PARKED_SHARE": "0",
    "ORDERFLOW_FUSE_PARKED_IN_A_ROW": "20",
    "ORDERFLOW_FUSE_WINDOW_ITEMS": "100",
    "ORDERFLOW_DELIVERIES_KEY": base64.b64encode(bytes(range(32))).decode(),
    "ORDERFLOW_DELIVERIES_ALLOW_HTTP": "true",
    "ORDERFLOW_DELIVERIES_NETWORKS": "127.0.0.0/8",
}


def shortened(text: str) -> str:
    """The rules with shorter durations; nothing else of them is changed."""
    text = re.sub(
        r"\bfor: (\d+)([mhd])$",
        lambda found: f"for: {_seconds(found) * 1_000 // PAUSE_FACTOR}ms",
        text,
        flags=re.MULTILINE,
    )
    text = text.replace("interval: 1m\n", "interval: 500ms\n")
    return re.sub(
        r"(?<=\[)(\d+)([mhdw])(?=\])|(?<=offset )(\d+)([mhdw])\b",
        lambda found: f"{max(RANGE_LEAST_SECONDS, _seconds(found) // RANGE_FACTOR)}s",
        text,
    )


def _seconds(found: re.Match[str]) -> int:
    number, unit = (each for each in found.groups() if each is not None)
    return int(number) * SECONDS[unit]


@dataclass(slots=True)
class Stage:
    """All that runs; a test breaks a part of it, and mends it again."""

    servers: Servers
    installation: Installation
    replicas: dict[str, Replica]
    prometheus: PrometheusServer
    producer: AIOKafkaProducer
    claims_postgres: Proxy
    """Between the second replica of claims and Postgres."""
    registry: Metrics
    """Real metrics on a real `/metrics`, for values that no break gives in time."""
    gateway_port: int
    receiver_port: int
    """The port that webhooks may have."""
    folder: Path

    async def fires(self, *names: str, seconds: float = ALERT_SECONDS) -> None:
        """Wait until all these alerts fire at the same time."""
        await self.prometheus.until(
            lambda server: server.firing() >= set(names), f"{names} fire", seconds
        )

    async def resolves(self, *names: str, seconds: float = ALERT_SECONDS) -> None:
        """Wait until none of these alerts is firing or pending."""
        await self.prometheus.until(
            lambda server: (
                not set(names) & {each["labels"]["alertname"] for each in server.alerts()}
            ),
            f"{names} are resolved",
            seconds,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Settings of the services, whose Kafka is behind a proxy that stays when Kafka ends."""
        found = {**self.installation.environment, **self.servers.environment, **QUICK}
        return _without_clock(found)

    async def operate(self, line: str) -> str:
        """Run `orderflow` with the arguments of a line, as an operator does; returns its output.

        Raises:
            AssertionError: it ended with another status than 0.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orderflow", *shlex.split(line)),
            env={**os.environ, **self.environment, "PYTHONPATH": str(PROJECT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(COMMAND_SECONDS):
            out, error = await process.communicate()
        assert process.returncode == 0, f"{line}: {out.decode()} {error.decode()}"
        return out.decode()

    async def send(
        self,
        topic: str,
        type_: str,
        bodies: Sequence[dict[str, Any] | bytes],
        *,
        key: str = SHOP,
        source: str = "shops/demo-shop",
        **record: Any,
    ) -> None:
        """Publish messages in order; `record`: partition and timestamp_ms of each record."""
        sent = []
        for number, body in enumerate(bodies):
            headers = list(cloud_headers(type_, source, os.urandom(8).hex(), NOON, f"{number}"))
            value = body if isinstance(body, bytes) else encode(body)
            name = self.installation.prefix + topic
            sent.append(
                await self.producer.send(name, value, key.encode(), headers=headers, **record)
            )
        await asyncio.gather(*sent)

    async def place(self, *numbers: str, **changes: Any) -> None:
        """Place orders; `changes`: `partition`, `timestamp_ms`, further members of the order."""
        record = {
            name: changes.pop(name) for name in ("partition", "timestamp_ms") if name in changes
        }
        orders = [
            {"order_number": number, "address": {"zip_code": "1"}, **changes} for number in numbers
        ]
        for order in orders:
            body = {"shop_slug": SHOP, "order": order}
            key = f"{SHOP}/{order['order_number']}"
            await self.send("orders.commands", "order.place", [body], key=key, **record)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection as the owner of the database."""
        connection = await asyncpg.connect(self.installation.database_url)
        try:
            yield connection
        finally:
            await connection.close()

    async def ask(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run a statement as the owner of the database."""
        async with self.connected() as connection:
            return list(await connection.fetch(statement, *arguments))

    async def until_row(self, statement: str, *arguments: object, seconds: float = 60) -> None:
        """Wait until a statement finds a row."""
        async with asyncio.timeout(seconds):
            while not await self.ask(statement, *arguments):
                await asyncio.sleep(0.1)

    def now_ms(self) -> int:
        """The time of this machine, as timestamps of records have it."""
        return int(time.time() * 1000)

    @property
    def settings(self) -> Settings:
        """Settings for a client of the database beside the services."""
        return self.installation.settings


@asynccontextmanager
async def staged(servers: Servers, folder: Path) -> AsyncIterator[Stage]:
    """Orders (with bugs), two replicas of claims, deliveries, gateway, and Prometheus."""
    installation = installation_of(servers.addresses, folder)
    await installation.create()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(installation.drop)
        postgres = await stack.enter_async_context(proxied())
        postgres.lead_to(LOOPBACK, servers.stack.postgres.port)
        replicas = _replicas(servers, installation, postgres, folder)
        stack.push_async_callback(asyncio.to_thread, stop_all, list(replicas.values()))
        await asyncio.to_thread(start_all, list(replicas.values()))
        registry = Metrics()
        http = await serve_http(health_app(registry.registry, {}), LOOPBACK, 0)
        stack.push_async_callback(http.stop)
        ports = [replica.environment["HTTP_PORT"] for replica in replicas.values()]
        rules = folder / "orderflow.rules.yaml"
        rules.write_text(shortened(RULES.read_text("utf-8")), encoding="utf-8")
        targets = [Target(f"{LOOPBACK}:{port}") for port in (*ports, str(http.port))]
        prometheus = stack.enter_context(
            PrometheusServer(folder / "prometheus", targets, rule_files=[rules])
        )
        producer = AIOKafkaProducer(**installation.options)
        await producer.start()
        stack.push_async_callback(producer.stop)
        await prometheus.until_scraped()
        yield Stage(
            servers=servers,
            installation=installation,
            replicas=replicas,
            prometheus=prometheus,
            producer=producer,
            claims_postgres=postgres,
            registry=registry,
            gateway_port=int(replicas["gateway"].environment["ORDERFLOW_GATEWAY_PORT"]),
            receiver_port=int(replicas["deliveries"].environment["ORDERFLOW_DELIVERIES_PORTS"]),
            folder=folder,
        )


def _replicas(
    servers: Servers, installation: Installation, postgres: Proxy, folder: Path
) -> dict[str, Replica]:
    environment = _without_clock({**installation.environment, **servers.environment, **QUICK})
    environment |= {
        "POISON_MENDED_FILE": str(folder / "poison-mended"),
        "REVIEWS_MENDED_FILE": str(folder / "reviews-mended"),
    }
    logs = folder / "logs"
    logs.mkdir(parents=True)
    through = urlsplit(installation.database_url)
    through = through._replace(netloc=f"postgres@{LOOPBACK}:{postgres.port}")

    def one(service: str, name: str, **more: str) -> Replica:
        ports = {"HTTP_PORT": str(free_port())}
        return Replica(service, name, logs, {**environment, **ports, **more})

    broken = one("orders", "orders")
    broken.command = [sys.executable, "-m", "tests.operations.broken_orders"]
    return {
        "orders": broken,
        "claims": one("claims", "claims"),
        "claims-2": one("claims", "claims-2", DATABASE_URL=through.geturl()),
        "deliveries": one("deliveries", "deliveries", ORDERFLOW_DELIVERIES_PORTS=str(free_port())),
        "gateway": one("gateway", "gateway", ORDERFLOW_GATEWAY_PORT=str(free_port())),
    }


def _without_clock(environment: dict[str, str]) -> dict[str, str]:
    """Business time is that of the machine: pauses between attempts must end."""
    return {name: value for name, value in environment.items() if name != "ORDERFLOW_CLOCK_FILE"}
