"""Settings: where values come from, and what a wrong one is answered with."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services import registry
from services.runtime.config.settings import Settings, SettingsError
from services.runtime.kafka.tokens.provider import token_provider

DECLARATIONS = ("settings.py", "kafka_settings.py", "oauth_settings.py")
READ_BY_SERVICE_NAME = [
    f"{service}_database_{kind}"
    for service in registry.names()
    for kind in ("url", "pooler_url", "password")
]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOPIC_PREFIX", "HTTP_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9092,kafka-2:9092")
    monkeypatch.setenv("ORDERFLOW_BATCH_MAX_RECORDS", "7")
    monkeypatch.setenv("ORDERS_DATABASE_URL", "postgresql://o:hidden@db/orderflow")

    settings = Settings.from_environment()

    assert settings.kafka_bootstrap_servers == "kafka-1:9092,kafka-2:9092"
    assert settings.batch_max_records == 7
    assert settings.database_url_of("orders") == "postgresql://o:hidden@db/orderflow"
    assert "hidden" not in repr(settings)


def test_settings_built_by_hand_ignore_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "9999")
    monkeypatch.setenv("ORDERFLOW_BATCH_MAX_RECORDS", "7")

    assert (Settings().http_port, Settings(batch_max_records=3).batch_max_records) == (8080, 3)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().http_port = 1  # type: ignore[misc]


def test_empty_variable_is_the_same_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "")

    assert Settings.from_environment().http_port == 8080


def test_secrets_may_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://o:hidden@db/orderflow\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(secret))

    settings = Settings.from_environment()

    assert settings.database_url_of("claims") == "postgresql://o:hidden@db/orderflow"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "DATABASE_URL_FILE: cannot read"), ("  \n", "is empty")],
)
def test_secret_file_that_is_unusable_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, complaint: str
) -> None:
    secret = tmp_path / "url"
    if content is not None:
        secret.write_text(content)
    monkeypatch.setenv("DATABASE_URL_FILE", str(secret))

    with pytest.raises(SettingsError, match=complaint):
        Settings.from_environment()


def test_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@b/c")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))

    with pytest.raises(SettingsError, match="both set: keep one"):
        Settings.from_environment()


def test_misspelt_variable_is_an_error_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_BATCH_MAX_RECORD", "7")

    with pytest.raises(SettingsError, match="did you mean ORDERFLOW_BATCH_MAX_RECORDS"):
        Settings.from_environment()


@pytest.mark.parametrize(
    "name",
    ["ORDERFLOW_STACK", "ORDERFLOW_ORDERS_SERVICE_HOST", "ORDERFLOW_ORDERS_PORT_8080_TCP_ADDR"],
)
def test_variables_of_tools_and_of_kubernetes_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "docker")

    Settings.from_environment()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("HTTP_PORT", "99999", "whole number, at least 0, at most 65,535"),
        ("LOG_LEVEL", "loud", "DEBUG or INFO or WARNING"),
        ("ORDERFLOW_BATCH_MAX_RECORDS", "many", "whole number, at least 1"),
        ("KAFKA_TOPIC_PREFIX", "a b", "matching"),
    ],
)
def test_wrong_value_names_its_variable_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        Settings.from_environment()

    assert str(raised.value).startswith(f"{name}: ")
    assert allowed in str(raised.value)
    assert "\n" not in str(raised.value)


def test_sasl_without_credentials_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")

    with pytest.raises(SettingsError, match="needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"):
        Settings.from_environment()


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_SASL_USERNAME", "orders"),
        ("KAFKA_SASL_PASSWORD", "hunter2"),
        ("KAFKA_OAUTH_TOKEN_URL", "https://login.example/token"),
        ("KAFKA_OAUTH_CLIENT_SECRET", "hunter2"),
        ("KAFKA_OAUTH_PROVIDER", "msk_iam"),
    ],
)
def test_login_that_the_protocol_does_not_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, protocol: str, name: str, value: str
) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", protocol)
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        Settings.from_environment()

    said = str(raised.value)
    assert f"KAFKA_SECURITY_PROTOCOL={protocol} does not log in, so {name} would not be" in said
    assert "set KAFKA_SECURITY_PROTOCOL=SASL_SSL (SASL_PLAINTEXT without TLS)" in said
    assert said.endswith(f"or leave {name} out")
    assert "hunter2" not in said


def test_login_without_a_protocol_is_refused_with_all_its_variables() -> None:
    with pytest.raises(ValueError, match="KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD would not be"):
        Settings(kafka_sasl_username="orders", kafka_sasl_password="hunter2")


def test_defaults_of_a_login_need_no_protocol_that_logs_in() -> None:
    settings = Settings(kafka_sasl_mechanism="OAUTHBEARER", kafka_oauth_client_auth="basic")

    assert settings.kafka_security_protocol == "PLAINTEXT"


TOKENS = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "KAFKA_OAUTH_TOKEN_URL": "https://login.example/token",
    "KAFKA_OAUTH_CLIENT_ID": "orders",
    "KAFKA_OAUTH_CLIENT_SECRET": "secret",
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"KAFKA_OAUTH_CLIENT_SECRET": ""}, "needs KAFKA_OAUTH_CLIENT_SECRET (or "),
        ({"KAFKA_OAUTH_TOKEN_URL": ""}, "needs KAFKA_OAUTH_TOKEN_URL; or "),
        ({"KAFKA_OAUTH_TOKEN_URL": "http://login.example/"}, "must begin with https://"),
        ({"KAFKA_OAUTH_TOKEN_URL": "login.example"}, "must be an address such as https://"),
        ({"KAFKA_OAUTH_TOKEN_URL": "https://login.example:port/"}, "must be an address such as"),
        ({"KAFKA_OAUTH_TOKEN_URL": "https://a:b@login.example/"}, "must hold no login"),
        ({"KAFKA_OAUTH_EXTENSIONS": "logicalCluster"}, "must be name=value"),
        ({"KAFKA_OAUTH_EXTENSIONS": "auth=x"}, "must be name=value"),
        ({"KAFKA_OAUTH_EXTENSIONS": "a=b\x01"}, "must be name=value"),
        ({"KAFKA_OAUTH_PROVIDER": "msk_iam"}, "needs KAFKA_OAUTH_AWS_REGION"),
        ({"KAFKA_OAUTH_AWS_REGION": "Frankfurt"}, "matching"),
        (
            {
                "KAFKA_OAUTH_PROVIDER": "msk_iam",
                "KAFKA_OAUTH_AWS_REGION": "eu-central-1",
                "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            },
            "needs KAFKA_SECURITY_PROTOCOL=SASL_SSL",
        ),
    ],
)
def test_settings_of_tokens_say_what_is_missing_or_wrong(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], said: str
) -> None:
    for name, value in {**TOKENS, **changed}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        Settings.from_environment()

    assert said in str(raised.value)


def test_settings_of_tokens_take_a_server_on_this_machine_and_extensions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extensions = "logicalCluster=lkc-1a2b, identityPoolId=pool-3c"
    local = {"KAFKA_OAUTH_TOKEN_URL": "http://127.0.0.1:80/t", "KAFKA_OAUTH_EXTENSIONS": extensions}
    for name, value in {**TOKENS, **local}.items():
        monkeypatch.setenv(name, value)

    sent = token_provider(Settings.from_environment()).extensions()

    assert sent == {"logicalCluster": "lkc-1a2b", "identityPoolId": "pool-3c"}


def test_settings_of_msk_without_its_package_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    msk = {"KAFKA_OAUTH_PROVIDER": "msk_iam", "KAFKA_OAUTH_AWS_REGION": "eu-central-1"}
    for name, value in {**TOKENS, **msk}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=r"install orderflow\[msk\]"):
        token_provider(Settings.from_environment())


def test_missing_database_is_an_error_only_where_one_is_needed() -> None:
    with pytest.raises(SettingsError, match=r"set DATABASE_URL \(or CLAIMS_DATABASE_URL"):
        Settings().database_url_of("claims")


def test_topic_prefix_goes_before_topics_and_groups() -> None:
    settings = Settings(kafka_topic_prefix="staging.")

    assert settings.topic("orders.events") == "staging.orders.events"
    assert settings.consumer_group("orders") == "staging.orderflow.orders"


def test_every_setting_is_read_by_something() -> None:
    project = Path(__file__).resolve().parents[4]
    files = [f for name in ("services", "orderflow") for f in (project / name).rglob("*.py")]
    code = "\n".join(f.read_text() for f in files if f.name not in DECLARATIONS)

    unread = [name for name in Settings.model_fields if f".{name}" not in code]

    assert sorted(unread) == sorted(READ_BY_SERVICE_NAME)
