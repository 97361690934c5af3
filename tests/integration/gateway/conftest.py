"""The gateway on the real stack, in this process: a database and topics of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.gateway.access.keys import ACTIVITY, CARRIER, SHOP
from services.gateway.operations import keys
from services.gateway.operations.keys import Owner
from services.gateway.service import GatewayService
from services.orders.messages.carriers.registry import TYPE_OF
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.observability.metrics import Metrics
from services.runtime.operations.audit import Signature

DEADLINE_SECONDS = 40
SECRET = "the-secret-of-a-sender"
BY = Signature("a test", "to send")


@pytest.fixture
async def settings(database_url, kafka_bootstrap_servers, topic_prefix, tmp_path) -> Settings:
    """Settings of a fresh database and fresh topics, with limits that tests can reach."""
    made = Settings(
        database_url=database_url,
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=3,
        http_port=0,
        gateway_signature_keys_dir=secrets_in(tmp_path / "secrets"),
        gateway_max_body_bytes=100_000,
        gateway_header_seconds=1.0,
        gateway_body_seconds=1.5,
        gateway_max_connections=50,
        drain_timeout_seconds=5,
    )
    await topics.create(made)
    return made


def secrets_in(folder: Path) -> Path:
    """A folder with a secret of each sender that signs."""
    folder.mkdir()
    for sender in TYPE_OF:
        (folder / sender).write_text(SECRET)
    return folder


@dataclass(slots=True)
class Running:
    """A gateway that takes requests, and a client of it."""

    service: GatewayService
    settings: Settings
    client: httpx.AsyncClient

    @property
    def port(self) -> int:
        assert self.service.web is not None
        return self.service.web.port

    async def shop_key(self, shop: str = "demo-shop", rate: float | None = None) -> str:
        """A new API key of a shop."""
        return await self._key(Owner(SHOP, shop, f"/shops/{shop}"), rate)

    async def carrier_key(self, name: str) -> str:
        """A new API key of the sender of a form."""
        return await self._key(Owner(CARRIER, name, f"/carriers/{name}"), None)

    async def page_key(self, shop: str = "demo-shop", rate: float | None = None) -> str:
        """A new API key that may send activity of a shop alone."""
        return await self._key(Owner(ACTIVITY, shop, f"/shops/{shop}/pages"), rate)

    async def _key(self, owner: Owner, rate: float | None) -> str:
        async with keys.opened_by_owner(self.settings) as connection:
            made = await keys.add(connection, owner, BY, per_second=rate, expires_at=None)
        await self.service.keys.refresh()
        return made.text

    async def records(self, topic: str) -> list:
        """All records of a topic."""
        return await read_all(self.settings, topic)

    def refused(self, sender: str, reason: str) -> float:
        """How many requests were refused so."""
        return self.service.metrics.http_refusals_total.labels(
            "gateway", sender, reason
        )._value.get()


@pytest.fixture
async def start() -> AsyncIterator[Callable[[Settings], Awaitable[Running]]]:
    """Starts gateways; all are stopped after the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start_one(settings: Settings) -> Running:
            service = GatewayService(settings, Metrics(), TYPE_OF)
            stack.push_async_callback(service.stop)
            await service.start()
            await until(lambda: not service.publisher.trouble)
            scheme = "https" if settings.gateway_tls_certfile else "http"
            client = httpx.AsyncClient(
                base_url=f"{scheme}://127.0.0.1:{service.web.port}", timeout=30, verify=False
            )
            await stack.enter_async_context(client)
            return Running(service, settings, client)

        yield start_one


@pytest.fixture
async def gateway(start, settings) -> Running:
    """A gateway that takes requests."""
    return await start(settings)


async def until(is_so: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.02)


async def read_all(settings: Settings, topic: str) -> list:
    """All records of a topic, by partition and offset."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_auto_commit=False
    )
    await consumer.start()
    try:
        name = settings.topic(topic)
        partitions = [TopicPartition(name, n) for n in range(settings.kafka_partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < sum(ends.values()):
                batches = await consumer.getmany(timeout_ms=500)
                found += [record for batch in batches.values() for record in batch]
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()
