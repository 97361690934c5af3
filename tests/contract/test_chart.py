"""The Helm chart without helm: every setting has its place, and versions agree."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml
from pydantic import Field

from services import registry
from services.runtime.config.environment import variable
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


def test_chart_version_of_the_program_is_that_of_the_package() -> None:
    described = yaml.safe_load((chart.CHART / "Chart.yaml").read_text("utf-8"))
    package = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    assert described["appVersion"] == package["version"]
