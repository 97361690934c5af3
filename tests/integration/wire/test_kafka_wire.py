"""Commands and events over TLS, with client certificates and with logins."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from deploy.stack.kafka import Kafka
from deploy.stack.machine import free_port
from deploy.stack.process import wait_until
from services.runtime.postgres.migrate import migrate
from services.runtime.postgres.sessions import role_of

from .conftest import Run, Serve, Settings, password_of
from .rules import GROUP, OPERATIONS, TOPIC, Rule, documented, give

pytestmark = [pytest.mark.stack, pytest.mark.slow]
SHOP, NUMBER = "demo-shop", "1Z999AA10123456784"
FAILURES = (
    "not authorized",
    "permission denied",
    "sweep_failed",
    "measuring_failed",
    "interrupted",
)
EVENTS = ("tail", "orders.events", "--from", "beginning", "--no-follow", "--json")


def _line(type_: str, **value: object) -> str:
    return json.dumps({"type": type_, "value": value})


PLACED = _line(
    "order.place",
    shop_slug=SHOP,
    order={
        "order_number": "1001",
        "address": {"zip_code": "10115"},
        "products": [{"sku": "cup", "title": "Cup", "quantity": 1}],
    },
)
SHIPPED = _line(
    "order.upsert",
    shop_slug=SHOP,
    id="1001",
    trackings=[{"tracking_number": NUMBER, "carrier_reference": "ups"}],
)
DAMAGED = _line(
    "claim.open",
    shop_slug=SHOP,
    id="1001",
    tracking_number=NUMBER,
    reason="support",
    description="Broken.",
)


@pytest.fixture
async def rules(broker: Kafka, topic_prefix: str, project_folder: Path) -> None:
    """Exactly the rights of the operators' page for each user."""
    await give(broker.bootstrap_servers, topic_prefix, documented(project_folder))


@pytest.mark.usefixtures("rules")
def test_kafka_documented_rules_are_enough_for_the_services(
    run: Run, login: Settings, serve: Serve, common: Mapping[str, str]
) -> None:
    """Each service has its user in Kafka and logs in to Postgres as its role."""
    names = ("orders", "claims", "analytics", "gateway")
    port = free_port()
    logins = asyncio.run(_let_roles_log_in(common["DATABASE_URL"], names))
    often = {"ORDERFLOW_SWEEP_INTERVAL_SECONDS": "0.2", "ORDERFLOW_METRICS_INTERVAL_SECONDS": "0.2"}
    made = run(login("operator"), "topics", "create")
    assert made.exit_code == 0, made.output
    exactly: dict[str, str] = {
        "ORDERFLOW_PUBLICATION": "exactly_once",
        "ORDERFLOW_OUTBOX_SHARDS": "2",
    }
    modes = {"orders": exactly, "claims": {}, "analytics": exactly}
    modes["gateway"] = {"ORDERFLOW_GATEWAY_PORT": str(port)}
    services = [
        serve(name, {**login(name, **often), **modes[name], "DATABASE_URL": logins[name]})
        for name in names
    ]
    key = _a_key(run, common)
    for service in services:
        service.wait_ready()

    sent = run(login("shop"), "send", "-", "--wait", input=f"{PLACED}\n{SHIPPED}\n")
    claimed = run(login("shop"), "send", "-", "--wait", input=f"{DAMAGED}\n")
    by_http = httpx.post(
        f"http://127.0.0.1:{port}/shops/{SHOP}/commands",
        json={"type": "order.cancel", "id": "c9", "data": {"shop_slug": SHOP, "id": "1001"}},
        headers={
            "authorization": f"Bearer {key}",
            "content-type": "application/cloudevents+json",
        },
    )

    assert (sent.exit_code, claimed.exit_code) == (0, 0), sent.output + claimed.output
    assert by_http.status_code == 202, by_http.text
    followed = run(login("shop"), "tail", "claims.events", "--from", "beginning", "--max", "1")
    assert "claim.created" in followed.stdout
    asyncio.run(_until_analysed(common["DATABASE_URL"]))
    refused = run(login("shop"), "tail", "carrier.tracking", "--no-follow")
    assert refused.exit_code == 1
    for act in ("check", "apply"):
        assert run(login("operator"), "topics", act).exit_code == 0
    for service in services:
        service.stop()
        written = service.log.read_text()
        for failure in FAILURES:
            assert failure not in written, f"{service.name}: {failure}"


def _a_key(run: Run, common: Mapping[str, str]) -> str:
    """An API key of the shop, made by the login that migrates."""
    added = run(common, "keys", "add", "--shop", SHOP, "--why", "a test", "--json")
    assert added.exit_code == 0, added.output
    key: str = json.loads(added.stdout)["key"]
    return key


@pytest.mark.parametrize(
    "listener",
    [
        "certificate",
        pytest.param("PLAIN", marks=pytest.mark.long),
        pytest.param("SCRAM without TLS", marks=pytest.mark.long),
    ],
)
def test_kafka_listener_carries_a_command_and_its_event(
    listener: str,
    run: Run,
    login: Settings,
    card: Settings,
    broker: Kafka,
    serve: Serve,
    topic_prefix: str,
    project_folder: Path,
) -> None:
    _allow_all(broker, topic_prefix, "orders", documented(project_folder))
    settings = {
        "PLAIN": lambda: login("orders", "PLAIN"),
        "certificate": lambda: card("orders"),
        "SCRAM without TLS": lambda: login(
            "orders",
            "SCRAM-SHA-256",
            KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
            KAFKA_BOOTSTRAP_SERVERS=broker.address("BARE"),
        ),
    }[listener]()
    assert run(settings, "topics", "create").exit_code == 0
    service = serve("orders", settings)
    service.wait_ready()

    sent = run(settings, "send", "-", "--wait", input=PLACED)
    read = run(settings, *EVENTS)

    assert sent.exit_code == 0, sent.output
    (event,) = [json.loads(line) for line in read.stdout.splitlines()]
    assert event["value"]["event_name"] == "ORDER_PLACED"


@pytest.mark.usefixtures("rules")
def test_kafka_missing_rights_show_in_health(run: Run, login: Settings, serve: Serve) -> None:
    assert run(login("operator"), "topics", "create").exit_code == 0

    service = serve("orders", login("claims"))

    assert wait_until(lambda: "do not let claims" in service.health(), 30), service.log_end()
    assert (service.is_live(), service.is_alive) == (True, True)


async def _let_roles_log_in(url: str, services: Sequence[str]) -> dict[str, str]:
    """Make the database's address for the role of each service."""
    await migrate(url, services, {name: password_of(name) for name in services})
    parts = urlsplit(url)
    place = parts.netloc.split("@")[-1]
    own = {name: f"{role_of(name)}:{password_of(name)}@{place}" for name in services}
    return {name: parts._replace(netloc=netloc).geturl() for name, netloc in own.items()}


def _allow_all(broker: Kafka, prefix: str, user: str, page: list[Rule]) -> None:
    topics = {name for _, _, kind, name in page if kind == TOPIC}
    every = [(user, number, TOPIC, name) for name in topics for number in OPERATIONS.values()]
    group = (user, OPERATIONS["Read"], GROUP, f"orderflow.{user}")
    asyncio.run(give(broker.bootstrap_servers, prefix, [*every, group]))


async def _until_analysed(url: str) -> None:
    """Wait until the order and its claim have reached analytics."""
    ask = "SELECT (SELECT count(*) FROM analytics.{}_fact)"
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(60):
            for what in ("order", "claim"):
                while not await connection.fetchval(ask.format(what)):
                    await asyncio.sleep(0.05)
    finally:
        await connection.close()
