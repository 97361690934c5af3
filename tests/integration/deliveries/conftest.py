"""The deliveries service on real servers, with receivers on HTTP in the test's own process."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from dnslib.server import DNSServer
from pydantic import SecretStr
from typer.testing import CliRunner

from orderflow.main import app
from schemas.envelope import CloudEvent, write_headers
from schemas.identity import order_id
from schemas.topics import DELIVERIES_COMMANDS, DELIVERIES_OUTCOMES, SHIPMENTS_EVENTS
from services.deliveries.app import build
from services.runtime.config.settings import Settings
from services.runtime.kafka import topics
from services.runtime.messages.records import named_uuid

DEADLINE_SECONDS = 30
SHOP = "demo-shop"


@dataclass
class Received:
    """One request that a receiver got."""

    headers: dict
    body: bytes
    status: int | None = None
    """What was answered; None: nothing yet."""

    @property
    def event(self) -> dict:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """A webhook receiver: notes requests, and answers by `answer`."""

    answer: Callable = lambda received: 204
    requests: list[Received] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def sequences(self, number="1") -> list[int]:
        """The sequences of the events of an order, in the order of the requests."""
        order = str(order_id(SHOP, number))
        events = (each.event for each in self.requests)
        return [each["sequence"] for each in events if each["order_id"] == order]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Take one request."""
        received = Received(dict(request.headers), await request.read())
        self.requests.append(received)
        answer = self.answer(received)
        if asyncio.iscoroutine(answer):
            answer = await answer
        received.status = getattr(answer, "status", answer)
        return answer if isinstance(answer, web.StreamResponse) else web.Response(status=answer)


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    site_app = web.Application()
    site_app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(site_app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = site._server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that answers 204."""
    async with listening(Receiver()) as found:
        yield found


@pytest.fixture
async def settings(database_url, kafka_bootstrap_servers, topic_prefix) -> Settings:
    """Settings of a fresh database and fresh topics; receivers on this machine are allowed."""
    made = Settings(
        database_url=database_url,
        kafka_bootstrap_servers=kafka_bootstrap_servers,
        kafka_topic_prefix=topic_prefix,
        relay_poll_seconds=0.05,
        http_port=0,
        deliveries_key=SecretStr(base64.b64encode(bytes(range(32))).decode()),
        deliveries_allow_http=True,
        deliveries_ports=",".join(map(str, range(1024, 65536))),
        deliveries_networks="127.0.0.0/8",
    )
    await topics.create(made)
    return made


@pytest.fixture
def operate(settings, monkeypatch) -> Callable:
    """Runs `orderflow` with arguments; returns its exit status and what it printed."""
    values = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": settings.kafka_topic_prefix,
        "ORDERFLOW_DELIVERIES_KEY": settings.deliveries_key.get_secret_value(),
        "ORDERFLOW_DELIVERIES_ALLOW_HTTP": "true",
        "ORDERFLOW_DELIVERIES_PORTS": settings.deliveries_ports,
        "ORDERFLOW_DELIVERIES_NETWORKS": settings.deliveries_networks,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)

    async def run(*words):
        result = await asyncio.to_thread(CliRunner().invoke, app, list(words))
        return result.exit_code, result.stdout or result.stderr

    return run


@pytest.fixture
async def running(settings) -> AsyncIterator[None]:
    """One replica of the service."""
    service = build(settings)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def send(settings) -> AsyncIterator[Callable]:
    """Publishes one message; a body that is bytes as it is."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()

    async def one(topic, type_, body, *, ce_id, key):
        headers = write_headers(CloudEvent(type=type_, source="/tests", id=ce_id))
        value = body if isinstance(body, bytes) else json.dumps(body).encode()
        await producer.send_and_wait(settings.topic(topic), value, key.encode(), headers=headers)

    yield one
    await producer.stop()


def an_event(number="1", sequence=1, ref="shipments/in_transit/SORTED", shop=SHOP, **changes):
    """The body of an event of the orders service."""
    order = str(order_id(shop, number))
    return {
        "source": ref.partition("/")[0],
        "ref": ref,
        "event_name": ref.rpartition("/")[2],
        "event_group": "shipment_in_transit",
        "version": 1,
        "triggered_at": "2026-03-04T10:00:00Z",
        "shop_slug": shop,
        "event_id": named_uuid(f"{order}/{ref}/{sequence}"),
        "order_id": order,
        "sequence": sequence,
        "order_version": sequence,
        "event_data": {"notify": True},
        "context": {"order": {"uuid": order, "order_number": number}, "shipments": []},
        **changes,
    }


def a_destination(url, name="erp", shop=SHOP, **changes):
    """The body of `destination.upsert`."""
    return {"shop_slug": shop, "destination_id": name, "url": url, **changes}


async def until(condition, seconds=DEADLINE_SECONDS):
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def asked(settings, statement, *arguments):
    """The rows of a statement, as the owner of the database sees them."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


async def until_row(settings, statement, *arguments, seconds=DEADLINE_SECONDS):
    """Wait until a statement finds a row; returns it."""
    async with asyncio.timeout(seconds):
        while not (found := await asked(settings, statement, *arguments)):
            await asyncio.sleep(0.05)
    return found[0]


@pytest.fixture
async def publish(send) -> Callable:
    """Publishes events of shipments, in the order given."""

    async def all_of(*events):
        for each in events:
            await send(
                SHIPMENTS_EVENTS,
                "shipment.scanned",
                each,
                ce_id=each["event_id"],
                key=each["order_id"],
            )

    return all_of


@pytest.fixture
async def command(send, settings) -> Callable:
    """Sends a command of a destination and waits until it has an outcome."""
    numbers = itertools.count(1)

    async def one(type_, body):
        id_ = f"{body['destination_id']}-{next(numbers)}"
        await send(DELIVERIES_COMMANDS, type_, body, ce_id=id_, key=body["shop_slug"])
        return await outcome_of(settings, id_)

    return one


async def outcome_of(settings, command_id):
    """The outcome of a command, read from its topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_auto_commit=False
    )
    await consumer.start()
    try:
        places = [TopicPartition(settings.topic(DELIVERIES_OUTCOMES), n) for n in range(6)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        body = json.loads(record.value)
                        if body["command_id"] == command_id:
                            return body
    finally:
        await consumer.stop()


@contextmanager
def name_server(answers):
    """A name server on this machine with the answers of a resolver; yields its address."""
    server = DNSServer(answers, port=0, address="127.0.0.1")
    server.start_thread()
    try:
        yield f"127.0.0.1:{server.server.server_address[1]}"
    finally:
        server.stop()
        server.server.server_close()
