"""Kafka and Postgres away, and gateways that are killed: 503 and back; each 202 is on its topic."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from deploy.stack import LocalStack
from schemas.topics import ORDERS_COMMANDS
from services.gateway.access.keys import SHOP
from services.gateway.operations import keys
from services.gateway.operations.keys import Owner
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.postgres.migrate import migrate

from .conftest import BY, DEADLINE_SECONDS, read_all, until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(240)]

KILLS = 4
SENDERS = 6


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack of this module's own, whose servers are killed."""
    with LocalStack(tmp_path_factory.mktemp("gateway-stack")) as stack:
        stack.start()
        yield stack


@pytest.fixture
async def settings(servers: LocalStack, topic_prefix: str) -> Settings:
    """Settings of fresh topics, and of the one database of the stack."""
    made = Settings(
        database_url=servers.addresses.database_url,
        kafka_bootstrap_servers=servers.addresses.kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        kafka_partitions=3,
        http_port=0,
        gateway_publish_seconds=1.0,
        gateway_key_cache_seconds=3.0,
        gateway_requests_per_second=1_000_000.0,
        drain_timeout_seconds=5,
    )
    await migrate(servers.addresses.database_url, ["gateway"])
    await topics.create(made)
    return made


def event_of(number):
    order = {"order_number": str(number), "address": {"zip_code": "10115"}}
    return {
        "id": f"place-{number}",
        "type": "order.place",
        "data": {"shop_slug": "demo-shop", "order": order},
    }


async def post(client, key, *events):
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/cloudevents-batch+json",
    }
    return await client.post("/shops/demo-shop/commands", json=list(events), headers=headers)


async def accept(client, key, event):
    """Send a command until it is accepted: a busy machine may need longer than Kafka is given."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (answer := await post(client, key, event)).status_code == 503:
            await asyncio.sleep(0.05)
    assert answer.status_code == 202


async def ids_on_kafka(settings):
    """The ids of all commands of orders."""
    return [
        dict(each.headers)["ce_id"].decode() for each in await read_all(settings, ORDERS_COMMANDS)
    ]


async def test_kafka_that_is_away_gives_503_and_takes_nothing_and_is_found_again(
    start, settings, servers, caplog
):
    gateway = await start(settings)
    key = await gateway.shop_key()
    await accept(gateway.client, key, event_of(0))

    servers.kafka.kill()
    answers = await asyncio.gather(*(post(gateway.client, key, event_of(n)) for n in range(1, 21)))
    began = time.monotonic()
    later = await post(gateway.client, key, event_of(21))
    took = time.monotonic() - began

    assert {each.status_code for each in [*answers, later]} == {503}
    assert {each.json()["code"] for each in [*answers, later]} == {"kafka_unavailable"}
    assert all(int(each.headers["retry-after"]) >= 1 for each in [*answers, later])
    assert took < 0.5, "once Kafka is known to be away, no request waits for it"
    ok, _ = await gateway.service.publisher.check()
    assert not ok
    assert gateway.service._requests._held._held == 0

    await asyncio.to_thread(servers.kafka.start)
    await until(lambda: not gateway.service.publisher.trouble)
    assert set(await ids_on_kafka(settings)) == {"place-0"}, "nothing was kept to be sent later"
    for number in range(1, 22):
        await accept(gateway.client, key, event_of(number))

    assert set(await ids_on_kafka(settings)) == {f"place-{n}" for n in range(22)}
    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []


async def test_kafka_that_is_silent_gives_503_in_time(start, settings, servers):
    gateway = await start(settings)
    key = await gateway.shop_key()
    await accept(gateway.client, key, event_of(0))

    os.kill(servers.kafka.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answers = await asyncio.gather(*(post(gateway.client, key, event_of(n)) for n in range(8)))
        took = time.monotonic() - began
    finally:
        os.kill(servers.kafka.pid, signal.SIGCONT)

    assert {each.status_code for each in answers} == {503}
    assert took < settings.gateway_publish_seconds + 3
    await until(lambda: not gateway.service.publisher.trouble)
    await accept(gateway.client, key, event_of(1))


@pytest.mark.parametrize(
    ("publish_seconds", "is_back", "status"), [(20.0, True, 202), (1.0, False, 503)]
)
async def test_requests_that_wait_for_kafka_are_answered_by_a_stop(
    start, settings, servers, publish_seconds, is_back, status
):
    gateway = await start(settings.model_copy(update={"gateway_publish_seconds": publish_seconds}))
    key = await gateway.shop_key()
    await accept(gateway.client, key, event_of(0))

    os.kill(servers.kafka.pid, signal.SIGSTOP)
    try:
        requests = [
            asyncio.create_task(post(gateway.client, key, event_of(n))) for n in range(1, 9)
        ]
        await until(lambda: gateway.service.publisher._requests == 8)
        stopping = asyncio.create_task(gateway.service.stop())
        await until(lambda: not gateway.service.web.is_running())
        if is_back:
            os.kill(servers.kafka.pid, signal.SIGCONT)
        answers = await asyncio.gather(*requests)
    finally:
        os.kill(servers.kafka.pid, signal.SIGCONT)
    await stopping

    assert {each.status_code for each in answers} == {status}
    if is_back:
        assert set(await ids_on_kafka(settings)) == {f"place-{n}" for n in range(9)}


async def test_requests_beyond_those_that_may_wait_for_kafka_are_503_at_once(
    start, settings, servers
):
    gateway = await start(settings.model_copy(update={"gateway_max_in_flight": 5}))
    key = await gateway.shop_key()
    await accept(gateway.client, key, event_of(0))

    os.kill(servers.kafka.pid, signal.SIGSTOP)
    try:
        answers = await asyncio.gather(*(post(gateway.client, key, event_of(n)) for n in range(20)))
    finally:
        os.kill(servers.kafka.pid, signal.SIGCONT)

    codes = [each.json()["code"] for each in answers]
    assert {each.status_code for each in answers} == {503}
    assert codes.count("too_many_in_flight") == 15
    assert codes.count("kafka_unavailable") == 5


async def test_postgres_that_is_away_stops_keys_when_they_are_old_and_not_before(
    start, settings, servers
):
    gateway = await start(settings)
    key = await gateway.shop_key()
    await accept(gateway.client, key, event_of(0))

    servers.postgres.kill()
    await accept(gateway.client, key, event_of(1))
    await until(lambda: not gateway.service.keys.is_fresh())
    answer = await post(gateway.client, key, event_of(2))
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")

    await asyncio.to_thread(servers.postgres.start)
    await until(gateway.service.keys.is_fresh)
    await accept(gateway.client, key, event_of(2))


class Process:
    """A gateway as a process of its own, on one port, that can be killed and started again."""

    def __init__(self, settings: Settings, port: int, folder: Path) -> None:
        self.port = port
        self._log = folder / "gateway.log"
        assert settings.database_url is not None
        self._environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
            "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "HTTP_PORT": "0",
            "ORDERFLOW_GATEWAY_PORT": str(port),
            "ORDERFLOW_GATEWAY_REQUESTS_PER_SECOND": "1000000",
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and wait until it takes requests."""
        with self._log.open("ab") as stream:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "orderflow", "serve", "gateway"),
                env=self._environment,
                stdout=stream,
                stderr=stream,
            )
        lines = self._log.read_text().count("service_started")
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self._log.read_text().count("service_started") == lines:
                assert self._process.returncode is None, self._log.read_text()
                await asyncio.sleep(0.05)

    async def end(self, number: int) -> int:
        """End by a signal; the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return await self._process.wait()


@pytest.fixture
async def process(settings: Settings, tmp_path: Path) -> AsyncIterator[Process]:
    """A gateway on a free port, not started yet."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    made = Process(settings, port, tmp_path)
    yield made
    with contextlib.suppress(ProcessLookupError, AssertionError):
        await made.end(signal.SIGKILL)


async def a_key(settings):
    async with keys.opened_by_owner(settings) as connection:
        owner = Owner(SHOP, "demo-shop", "/shops/demo-shop")
        made = await keys.add(connection, owner, BY, per_second=None, expires_at=None)
    return made.text


async def send_until(stop, url, key, sender, accepted):
    """Send commands one after the other, each until it is accepted."""
    number = 0
    while not stop.is_set():
        number += 1
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            with contextlib.suppress(httpx.HTTPError):
                for _ in range(20):
                    answer = await post(client, key, event_of(f"{sender}-{number}"))
                    if answer.status_code == 202:
                        (record,) = answer.json()["records"]
                        accepted[record["partition"], record["offset"]] = record["id"]
                    number += 1
        await asyncio.sleep(0.02)


async def test_every_202_of_a_gateway_that_is_killed_is_on_kafka(settings, process):
    key = await a_key(settings)
    accepted: dict[tuple[int, int], str] = {}
    stop = asyncio.Event()
    url = f"http://127.0.0.1:{process.port}"
    senders = [
        asyncio.create_task(send_until(stop, url, key, sender, accepted))
        for sender in range(SENDERS)
    ]
    try:
        for _ in range(KILLS):
            await process.start()
            before = len(accepted)
            await until(lambda enough=before + 30: len(accepted) >= enough)
            assert await process.end(signal.SIGKILL) == -signal.SIGKILL
    finally:
        stop.set()
        await asyncio.gather(*senders)
    placed = {
        (each.partition, each.offset): dict(each.headers)["ce_id"].decode()
        for each in await read_all(settings, ORDERS_COMMANDS)
    }

    assert len(accepted) >= KILLS * 30
    assert {at: placed.get(at) for at in accepted} == accepted


async def test_gateway_that_is_stopped_finishes_what_it_has_and_ends_well(settings, process):
    key = await a_key(settings)
    await process.start()
    url = f"http://127.0.0.1:{process.port}"
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        body = json.dumps(event_of(1)).encode()

        async def slowly():
            yield body[:10]
            ending.append(asyncio.create_task(process.end(signal.SIGTERM)))
            await asyncio.sleep(0.3)
            yield body[10:]

        ending: list[asyncio.Task[int]] = []
        headers = {
            "authorization": f"Bearer {key}",
            "content-type": "application/cloudevents+json",
        }
        answer = await client.post("/shops/demo-shop/commands", content=slowly(), headers=headers)

    assert answer.status_code == 202
    assert await ending[0] == 0
    assert len(await read_all(settings, ORDERS_COMMANDS)) == 1
