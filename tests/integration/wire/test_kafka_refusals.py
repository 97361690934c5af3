"""Errors about an unusable Kafka name the setting to change and hold no secret."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.stack.kafka import Kafka
from deploy.stack.process import wait_until

from .certificates import Authority
from .conftest import Run, Serve, Settings, password_of
from .rules import documented, give

NO_LOGIN = {
    "KAFKA_SECURITY_PROTOCOL": "SSL",
    "KAFKA_SASL_USERNAME": "",
    "KAFKA_SASL_PASSWORD": "",
}
# aiokafka leaves the transport of a connection that the broker refused to the collector.
_LEFT = "ignore::pytest.PytestUnraisableExceptionWarning"
pytestmark = [
    pytest.mark.stack,
    pytest.mark.filterwarnings(_LEFT),
    pytest.mark.usefixtures("collected"),
]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(
            {"KAFKA_SASL_PASSWORD": "the-secret-of-nobody"},
            "refuses the login of operator: check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
            id="wrong password",
        ),
        pytest.param(
            {"KAFKA_SASL_PASSWORD": "the-secret-of-nobody", "KAFKA_SASL_MECHANISM": "PLAIN"},
            "refuses the login of operator: check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
            id="wrong password in plain",
        ),
        pytest.param(
            {"KAFKA_SASL_USERNAME": "nobody"},
            "refuses the login of nobody",
            id="unknown user",
        ),
        pytest.param(
            {"KAFKA_SSL_CAFILE": "foreign"},
            "shows a certificate that no trusted authority signed: set KAFKA_SSL_CAFILE",
            id="wrong authority",
        ),
        pytest.param(
            {"KAFKA_SSL_CAFILE": ""},
            "the system's authorities (it is not set)",
            id="no authority",
        ),
        pytest.param(
            {"KAFKA_BOOTSTRAP_SERVERS": "LOGIN"},
            "shows a certificate that is not for localhost: use the name that is in it, in "
            "KAFKA_BOOTSTRAP_SERVERS",
            id="wrong host name",
        ),
        pytest.param(
            {"KAFKA_BOOTSTRAP_SERVERS": "CARD", **NO_LOGIN},
            "wants a certificate of the client: set KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE",
            id="no certificate",
        ),
        pytest.param(
            NO_LOGIN,
            "set KAFKA_SECURITY_PROTOCOL to what this port speaks; now it is SSL",
            id="no login",
        ),
        pytest.param(
            {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"},
            "set KAFKA_SECURITY_PROTOCOL to what this port speaks; now it is SASL_PLAINTEXT",
            id="no TLS",
        ),
        pytest.param(
            {
                "KAFKA_BOOTSTRAP_SERVERS": "BARE",
                "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                "KAFKA_SASL_MECHANISM": "PLAIN",
            },
            "takes no logins by PLAIN: set KAFKA_SASL_MECHANISM",
            id="mechanism",
        ),
    ],
)
def test_kafka_error_names_the_wrong_setting(
    run: Run,
    login: Settings,
    broker: Kafka,
    foreign: Authority,
    changed: dict[str, str],
    said: str,
) -> None:
    port = broker.address("LOGIN").partition(":")[2]
    meant = {
        "LOGIN": f"localhost:{port}",
        "CARD": broker.address("CARD"),
        "BARE": broker.address("BARE"),
        "foreign": str(foreign.file),
    }
    settings = login("operator", **{name: meant.get(v, v) for name, v in changed.items()})

    result = run(settings, "topics", "check")

    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert "Kafka cannot be used: " in result.stderr
    assert said in result.stderr
    assert "the-secret-of" not in result.stderr
    assert "Unclosed" not in result.stderr


def test_kafka_error_names_a_foreign_certificate(
    run: Run, card: Settings, foreign: Authority
) -> None:
    certificate, key = foreign.for_client("impostor")
    settings = card("operator", KAFKA_SSL_CERTFILE=str(certificate), KAFKA_SSL_KEYFILE=str(key))

    result = run(settings, "topics", "check")

    assert result.exit_code == 1
    assert f"does not accept our certificate, {certificate}" in result.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"KAFKA_SSL_CAFILE": "/no/such.pem"}, "KAFKA_SSL_CAFILE: cannot use /no/such.pem: "),
        ({"KAFKA_SSL_CERTFILE": "/no/such.crt"}, "KAFKA_SSL_CERTFILE, "),
        ({"KAFKA_SSL_PASSWORD": "the-secret-of-nobody"}, "KAFKA_SSL_PASSWORD: cannot use "),
        ({"KAFKA_SSL_PASSWORD": ""}, "KAFKA_SSL_PASSWORD: cannot use "),
    ],
)
def test_kafka_unusable_files_end_a_command_and_a_service_at_once(
    run: Run, card: Settings, changed: dict[str, str], said: str
) -> None:
    """Waiting would not help."""
    settings = card("orders", **changed)

    for arguments in (("topics", "check"), ("serve", "orders")):
        result = run(settings, *arguments)

        assert result.exit_code == 1, result.output
        assert said in result.stderr
        assert "the-secret-of" not in result.output


@pytest.mark.slow
def test_kafka_refused_login_keeps_a_service_waiting_until_it_is_allowed(
    run: Run,
    inside: dict[str, str],
    login: Settings,
    broker: Kafka,
    serve: Serve,
    topic_prefix: str,
    project_folder: Path,
) -> None:
    rules = [("newcomer", *rule[1:]) for rule in documented(project_folder) if rule[0] == "orders"]
    asyncio.run(give(broker.bootstrap_servers, topic_prefix, rules))
    assert run(inside, "topics", "create").exit_code == 0
    replica = serve("orders", login("newcomer"))

    _until(lambda: "refuses the login of newcomer" in replica.health(), replica.log_end)
    assert (replica.is_live(), replica.is_ready(), replica.is_alive) == (True, False, True)

    broker.tool(
        "kafka.admin.ConfigCommand",
        *("--bootstrap-server", broker.bootstrap_servers, "--alter", "--entity-type", "users"),
        *("--entity-name", "newcomer"),
        *("--add-config", f"SCRAM-SHA-512=[password={password_of('newcomer')}]"),
    )

    replica.wait_ready()
    assert "the-secret-of" not in replica.log.read_text()


def _until(is_so: Callable[[], bool], log: Callable[[], str]) -> None:
    assert wait_until(is_so, 30), log()
