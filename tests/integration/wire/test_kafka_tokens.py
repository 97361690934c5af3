"""Logins by tokens (SASL OAUTHBEARER): services go on while tokens and sessions end."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.stack.kafka import Kafka
from deploy.stack.process import wait_until
from services.runtime.kafka.tokens.cache import cache_of

from .conftest import SESSION_MS, Run, Serve, Settings
from .rules import documented, give
from .token_server import TokenServer

# aiokafka leaves the transport of a connection that the broker refused to the collector.
_LEFT = "ignore::pytest.PytestUnraisableExceptionWarning"
pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings(_LEFT),
    pytest.mark.usefixtures("collected"),
]
ENDED_SESSION = ("Failed fetch", "coordinator dead", "error produce response")
TOKEN_SECONDS = 4.0
SESSIONS = 3


@pytest.fixture(autouse=True)
def _no_token_of_another_test() -> Iterator[None]:
    """Commands of tests share a process, and so its tokens."""
    cache_of.cache_clear()
    yield
    cache_of.cache_clear()


@pytest.fixture
async def rules(broker: Kafka, topic_prefix: str, project_folder: Path) -> None:
    """Exactly the rights of the operators' page for each user."""
    await give(broker.bootstrap_servers, topic_prefix, documented(project_folder))


def _place(number: int) -> str:
    order = {"order_number": str(number), "address": {"zip_code": "10115"}}
    return json.dumps({"type": "order.place", "value": {"shop_slug": "demo-shop", "order": order}})


def _placed(run: Run, settings: Mapping[str, str]) -> list[str]:
    """The numbers of the orders whose events are in the topic, in its order."""
    read = run(settings, "tail", "orders.events", "--from", "beginning", "--no-follow", "--json")
    assert read.exit_code == 0, read.output
    events = [json.loads(line)["value"] for line in read.stdout.splitlines()]
    return [event["context"]["order"]["order_number"] for event in events]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("rules")
def test_kafka_tokens_are_renewed_and_no_request_meets_an_ended_session(
    run: Run, by_token: Settings, tokens: TokenServer, serve: Serve
) -> None:
    assert run(by_token("operator"), "topics", "create").exit_code == 0
    tokens.lifetime_seconds = TOKEN_SECONDS
    service = serve("orders", by_token("orders", KAFKA_PARTITIONS="1"))
    service.wait_ready()

    until, sent = time.monotonic() + SESSIONS * SESSION_MS / 1000, 0
    while time.monotonic() < until:
        result = run(by_token("shop"), "send", "-", "--wait", input=_place(sent))
        assert result.exit_code == 0, result.output + service.log_end()
        sent += 1

    assert sorted(_placed(run, by_token("shop")), key=int) == [str(n) for n in range(sent)]
    assert tokens.given.count("orders") >= SESSIONS - 1
    written = service.log.read_text()
    assert [text for text in ENDED_SESSION if text in written] == []


@pytest.mark.slow
@pytest.mark.usefixtures("rules")
def test_kafka_token_server_that_is_away_turns_readiness_red_until_it_is_back(
    run: Run, by_token: Settings, tokens: TokenServer, serve: Serve
) -> None:
    assert run(by_token("operator"), "topics", "create").exit_code == 0
    tokens.lifetime_seconds = TOKEN_SECONDS
    service = serve("orders", by_token("orders"))
    service.wait_ready()

    tokens.stop()

    reason = f"the token server {tokens.url} cannot be reached"
    assert wait_until(lambda: reason in service.health(), 30), service.health()
    assert (service.is_live(), service.is_ready(), service.is_alive) == (True, False, True)
    tokens.start()
    service.wait_ready()
    sent = run(by_token("shop"), "send", "-", "--wait", input=_place(1))
    assert sent.exit_code == 0, sent.output
    assert "the-secret-of" not in service.log.read_text()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(
            {"KAFKA_OAUTH_CLIENT_SECRET": "the-secret-of-another"},
            "refuses client operator (invalid_client): check KAFKA_OAUTH_CLIENT_ID, "
            "KAFKA_OAUTH_CLIENT_SECRET",
            id="wrong secret",
        ),
        pytest.param(
            {"KAFKA_OAUTH_TOKEN_URL": "http://127.0.0.1:1/token"},
            "the token server http://127.0.0.1:1/token cannot be reached",
            id="no token server",
        ),
        pytest.param(
            {"KAFKA_BOOTSTRAP_SERVERS": "LOGIN"},
            "takes no logins by OAUTHBEARER: set KAFKA_SASL_MECHANISM",
            id="mechanism",
        ),
    ],
)
def test_kafka_token_error_names_the_setting(
    run: Run, by_token: Settings, broker: Kafka, changed: dict[str, str], said: str
) -> None:
    meant = {name: broker.address(v) if v == "LOGIN" else v for name, v in changed.items()}

    result = run(by_token("operator", **meant), "topics", "check")

    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert said in result.stderr
    assert "the-secret-of" not in result.stderr


def test_kafka_rejected_token_names_what_the_broker_checks(
    run: Run, by_token: Settings, tokens: TokenServer
) -> None:
    tokens.audience = "another"

    result = run(by_token("operator"), "topics", "check")

    assert result.exit_code == 1
    assert "refuses the token (the broker rejects the token: invalid_token)" in result.stderr
    assert "KAFKA_OAUTH_AUDIENCE" in result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("rules")
def test_kafka_rights_are_those_of_the_client_of_the_token(
    run: Run, by_token: Settings, serve: Serve
) -> None:
    assert run(by_token("operator"), "topics", "create").exit_code == 0

    service = serve("orders", by_token("claims"))

    assert wait_until(lambda: "do not let claims" in service.health(), 30), service.log_end()


def test_kafka_tokens_are_fetched_once_for_all_clients_of_a_command(
    run: Run, by_token: Settings, tokens: TokenServer, inside: dict[str, str]
) -> None:
    assert run(inside, "topics", "create").exit_code == 0

    run(by_token("operator"), "topics", "check")

    assert tokens.given == ["operator"]
