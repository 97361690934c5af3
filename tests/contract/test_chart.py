"""The Helm chart without helm: every setting has its place, and versions agree."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import Field

from services import registry
from services.deliveries.network.urls import rules_of
from services.runtime.config.environment import SettingsError, variable
from services.runtime.config.settings import Settings
from tools.chart import __main__ as chart
from tools.chart import variables as chart_variables
from tools.chart.schema import values_schema
from tools.chart.variables import SET_BY_CHART, variables

PROJECT = Path(__file__).resolve().parents[2]


def test_chart_has_a_place_for_every_setting() -> None:
    names = {variable(name, field) for name, field in Settings.model_fields.items()}
    schema = values_schema()["properties"]
    kinds = {each.name: each.kind for each in variables()}
    assert kinds.keys() == names
    assert schema["settings"]["properties"].keys() == names
    for name, kind in kinds.items():
        assert (name in schema["secrets"]["properties"]) == (kind == "secret"), name
        assert (name in schema["files"]["properties"]) == (kind in {"file", "directory"}), name
        assert (name in SET_BY_CHART) == (kind == "chart"), name


def test_chart_check_fails_on_a_setting_that_the_chart_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Grown(Settings):
        """Settings of a later version."""

        database_colour: str = Field(default="blue", description="Colour of the database.")

    assert chart._outdated(chart.generated()) == []

    monkeypatch.setattr(chart_variables, "Settings", Grown)

    assert chart._outdated(chart.generated()) == [chart.CHART / "values.schema.json"]


def test_chart_refuses_a_copy_whose_source_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "files" / "rules" / "gone.rules.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text("groups: []\n", "utf-8")
    monkeypatch.setattr(chart, "CHART", tmp_path)

    assert chart._outdated({}) == [copy]


def test_chart_services_are_those_of_the_registry() -> None:
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text("utf-8"))
    assert tuple(sorted(values["services"])) == tuple(sorted(registry.names()))
    assert values_schema()["properties"]["services"]["properties"].keys() == set(registry.names())


def test_chart_bounds_are_those_of_the_code() -> None:
    bounds = values_schema()["definitions"]
    assert bounds["ORDERFLOW_OUTBOX_SHARDS"]["maximum"] == 256
    assert bounds["ORDERFLOW_DRAIN_TIMEOUT_SECONDS"]["exclusiveMinimum"] == 0
    assert bounds["KAFKA_TOPIC_PREFIX"]["pattern"] == "^[A-Za-z0-9._-]{0,100}$"
    assert bounds["ORDERFLOW_PUBLICATION"]["enum"] == ["at_least_once", "exactly_once"]
    json.dumps(bounds)


SERVERS = "KAFKA_BOOTSTRAP_SERVERS"
COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"
TOKENS = "KAFKA_OAUTH_TOKEN_URL"
LOGIN = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    TOKENS: "https://login.example/token",
    "KAFKA_OAUTH_CLIENT_ID": "orderflow",
    "KAFKA_OAUTH_CLIENT_SECRET": "secret",
}
PORTS, NETWORKS, NAMESERVERS = (
    f"ORDERFLOW_DELIVERIES_{each}" for each in ("PORTS", "NETWORKS", "NAMESERVERS")
)


@pytest.mark.parametrize(
    ("name", "value", "is_right"),
    [
        (SERVERS, "kafka", True),
        (SERVERS, " a:9092, [fd00::1]:9093 ", True),
        (SERVERS, "a:9092,", False),
        (SERVERS, "a:", False),
        (SERVERS, "a:9092;b:9092", False),
        (SERVERS, "kafka://a:9092", False),
        (COLLECTOR, "https://collector.example/otlp/", True),
        (COLLECTOR, "http://[fd00::1]:4318", True),
        (COLLECTOR, "collector:4318", False),
        (COLLECTOR, "http://collector:4318?x=1", False),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b,c=d,", True),
        ("OTEL_RESOURCE_ATTRIBUTES", "production", False),
        (TOKENS, "http://[::1]:8080/token", True),
        (TOKENS, "https://login.example/token?a=b", True),
        (TOKENS, "http://login.example/token", False),
        (TOKENS, "http://localhost.example/token", False),
        (PORTS, "443, 8443,", True),
        (PORTS, "https", False),
        (PORTS, "443;8443", False),
        (NETWORKS, "10.1.2.3, fd00::/8,", True),
        (NETWORKS, "internal.example", False),
        (NAMESERVERS, "9.9.9.9,10.0.0.53:5353,[2620:fe::fe]:53,2620:fe::fe", True),
        (NAMESERVERS, "dns.example", False),
        (NAMESERVERS, "9.9.9.9:domain", False),
    ],
)
def test_chart_takes_a_text_that_the_code_takes_and_refuses_one_that_it_refuses(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, *, is_right: bool
) -> None:
    for login, given in LOGIN.items():
        monkeypatch.setenv(login, given)
    monkeypatch.setenv(name, value)
    allowed = jsonschema.Draft7Validator(values_schema()["definitions"][name])

    assert allowed.is_valid(value) is is_right
    if is_right:
        rules_of(Settings.from_environment())
    else:
        with pytest.raises(SettingsError, match=name):
            rules_of(Settings.from_environment())


def test_chart_version_of_the_program_is_that_of_the_package() -> None:
    described = yaml.safe_load((chart.CHART / "Chart.yaml").read_text("utf-8"))
    package = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    assert described["appVersion"] == package["version"]
