"""A broker with every kind of listener, and `orderflow` and services that connect to them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from demo.replicas import Replica
from deploy.stack import jars, java
from deploy.stack.kafka import Kafka
from deploy.stack.listeners import OAUTH, PLAIN, SCRAMS, Entrances, Listener, TokenIssuer
from orderflow.main import app

from .certificates import Authority
from .token_server import AUDIENCE, ISSUER, TokenServer, token_server

Run = Callable[..., Result]
Settings = Callable[..., dict[str, str]]
Serve = Callable[[str, Mapping[str, str]], Replica]
USERS = (
    *("orders", "claims", "analytics", "deliveries", "gateway"),
    *("operator", "shop", "erp_a", "erp_b", "stranger"),
)
SESSION_MS = 3_000
"""How long a login by token lasts on the test's broker."""


def password_of(user: str) -> str:
    """The password of a user of the test's broker."""
    return f"the-secret-of-{user}"


@pytest.fixture
def collected() -> Iterator[None]:
    """Collect garbage after the test, so that warnings about it belong to this test."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of certificates and the broker."""
    return tmp_path_factory.mktemp("wire")


@pytest.fixture(scope="session")
def authority(folder: Path) -> Authority:
    """The authority that broker and clients trust."""
    return Authority.found(folder, "ours")


@pytest.fixture(scope="session")
def foreign(folder: Path) -> Authority:
    """An authority that neither broker nor clients trust."""
    return Authority.found(folder, "foreign")


@pytest.fixture(scope="session")
def token_issuer() -> Iterator[TokenServer]:
    """The token server of the run, with a client for each user."""
    with token_server({user: password_of(user) for user in USERS}) as server:
        yield server


@pytest.fixture
def tokens(token_issuer: TokenServer) -> Iterator[TokenServer]:
    """The token server as every test finds it: it listens, and its tokens last a minute."""
    token_issuer.reset()
    yield token_issuer
    token_issuer.reset()


@pytest.fixture(scope="session")
def broker(folder: Path, authority: Authority, token_issuer: TokenServer) -> Iterator[Kafka]:
    """A broker with a certificate for 127.0.0.1 that allows only what its rules (ACLs) allow."""
    entrances = Entrances(
        listeners=(
            Listener("LOGIN", "SASL_SSL", (PLAIN, *SCRAMS)),
            Listener("CARD", "SSL", wants_certificate=True),
            Listener("BARE", "SASL_PLAINTEXT", SCRAMS),
            Listener("TOKEN", "SASL_SSL", (OAUTH,), longest_session_ms=SESSION_MS),
        ),
        certificate=authority.for_server("127.0.0.1"),
        authorities=authority.file,
        users={user: password_of(user) for user in USERS},
        tokens=TokenIssuer(token_issuer.keys_url, ISSUER, AUDIENCE),
        has_rules=True,
    )
    cache = jars.fetch(jars.cache_folder())
    kafka = Kafka(folder / "kafka", java=java.find(), jars=cache, entrances=entrances)
    kafka.start()
    yield kafka
    kafka.stop()


@pytest.fixture
def common(
    monkeypatch: pytest.MonkeyPatch, broker: Kafka, database_url: str, topic_prefix: str
) -> dict[str, str]:
    """Settings of all processes of a test; the environment names no other server."""
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return {
        "DATABASE_URL": database_url,
        "KAFKA_TOPIC_PREFIX": topic_prefix,
        "KAFKA_PARTITIONS": "2",
        "HTTP_PORT": "0",
    }


@pytest.fixture
def inside(broker: Kafka, common: Mapping[str, str]) -> dict[str, str]:
    """Settings for the plain listener, where everything is allowed."""
    return {**common, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}


@pytest.fixture
def login(
    broker: Kafka, authority: Authority, common: Mapping[str, str]
) -> Callable[..., dict[str, str]]:
    """Settings of `user` with a password over TLS; further settings may change that."""

    def settings(user: str, mechanism: str = "SCRAM-SHA-512", **more: str) -> dict[str, str]:
        return {
            **common,
            "KAFKA_BOOTSTRAP_SERVERS": broker.address("LOGIN"),
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": mechanism,
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD": password_of(user),
            "KAFKA_SSL_CAFILE": str(authority.file),
            **more,
        }

    return settings


@pytest.fixture
def by_token(
    broker: Kafka, authority: Authority, tokens: TokenServer, common: Mapping[str, str]
) -> Callable[..., dict[str, str]]:
    """Settings of `user` with tokens over TLS; further settings may change that."""

    def settings(user: str, **more: str) -> dict[str, str]:
        return {
            **common,
            "KAFKA_BOOTSTRAP_SERVERS": broker.address("TOKEN"),
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_OAUTH_TOKEN_URL": tokens.url,
            "KAFKA_OAUTH_CLIENT_ID": user,
            "KAFKA_OAUTH_CLIENT_SECRET": password_of(user),
            "KAFKA_SSL_CAFILE": str(authority.file),
            **more,
        }

    return settings


@pytest.fixture
def card(
    broker: Kafka, authority: Authority, common: Mapping[str, str]
) -> Callable[..., dict[str, str]]:
    """Settings of `user` with a certificate whose key is encrypted."""

    def settings(user: str, **more: str) -> dict[str, str]:
        certificate, key = authority.for_client(user, password_of(user))
        return {
            **common,
            "KAFKA_BOOTSTRAP_SERVERS": broker.address("CARD"),
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CAFILE": str(authority.file),
            "KAFKA_SSL_CERTFILE": str(certificate),
            "KAFKA_SSL_KEYFILE": str(key),
            "KAFKA_SSL_PASSWORD": password_of(user),
            **more,
        }

    return settings


@pytest.fixture
def run() -> Run:
    """Run `orderflow` with settings and arguments; `input` is its stdin."""

    def invoke(settings: Mapping[str, str], *arguments: str, **options: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=dict(settings), **options)

    return invoke


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a service with settings as a separate process."""
    started: list[Replica] = []

    def start(service: str, settings: Mapping[str, str]) -> Replica:
        replica = Replica(service, service, tmp_path, settings)
        started.append(replica)
        replica.start()
        return replica

    yield start
    for replica in started:
        replica.kill()
