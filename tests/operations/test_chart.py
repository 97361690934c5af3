"""The Helm chart: rendered with every combination of values that docs/kubernetes.md names."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.gateway.web.application import OPENAPI
from tests.operations.chart import (
    CHART,
    OLDEST,
    Choice,
    HelmRefused,
    combinations,
    merged,
    options,
    render,
    render_file,
    rows,
    split,
    values_in,
    values_of,
)
from tests.operations.chart_checks import check_environment, check_objects
from tests.operations.manifests import Object, problems
from tests.operations.pods import environment, mount, pods
from tools.chart.__main__ import MANIFESTS, manifests

pytestmark = pytest.mark.timeout(900)
FILES = ["trial.yaml", "production.yaml", "msk.yaml"]
"""Whole values files, in the folder ci of the chart."""
LOGINS = [choice.name for choice in options()[0]]
ALONE = [(row[0], values_in(row[1])) for row in rows("alone")]


@functools.cache
def parsed(text: str) -> Object:
    """One object of what helm rendered; the same text is parsed once."""
    document: Object = yaml.load(text, yaml.CSafeLoader)
    return document


@functools.cache
def problems_of(text: str) -> tuple[str, ...]:
    """What the schemas refuse of an object; the same text is checked once."""
    return tuple(problems(parsed(text)))


def of_one_login(login: str) -> list[tuple[Choice, ...]]:
    """The combinations with one choice of the first option."""
    return [each for each in combinations() if each[0].name == login]


def check_rendered(
    values: Mapping[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the values give is valid, is what the page says, and is read by the code."""
    texts = split(render(values, folder))

    assert [problems_of(text) for text in texts if problems_of(text)] == []
    objects = [parsed(text) for text in texts]
    check_objects(objects, values)
    for number, pod in enumerate(pods(objects)):
        check_environment(pod, folder / str(number), values, monkeypatch)


@pytest.mark.parametrize("file", FILES)
def test_chart_passes_lint(file: str) -> None:
    linted = subprocess.run(
        [
            "helm",
            "lint",
            "--strict",
            "--kube-version",
            OLDEST,
            CHART,
            "--values",
            CHART / "ci" / file,
        ],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "[WARNING]" not in linted.stdout


@pytest.mark.parametrize("file", FILES)
def test_chart_values_file_is_valid_and_read_by_the_code(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_rendered(values_of(file), tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("removed", "sentence"),
    [
        ("settings.KAFKA_BOOTSTRAP_SERVERS", "settings.KAFKA_BOOTSTRAP_SERVERS is missing"),
        ("settings.KAFKA_PARTITIONS", "keda.maxReplicas is 12, above the 6 partitions"),
        ("settings.KAFKA_SECURITY_PROTOCOL", "is PLAINTEXT, which does not log in with"),
        ("settings.KAFKA_SASL_MECHANISM", "settings.KAFKA_SASL_USERNAME is missing for orders"),
        ("settings.KAFKA_OAUTH_PROVIDER", "settings.KAFKA_OAUTH_TOKEN_URL is missing for orders"),
        ("settings.KAFKA_OAUTH_AWS_REGION", "KAFKA_OAUTH_AWS_REGION is missing for orders"),
        ("secrets", "secrets.DATABASE_URL is missing"),
        ("secrets.DATABASE_URL", "secrets.DATABASE_URL is missing"),
        ("secrets.ORDERS_DATABASE_URL", "secrets.ORDERS_DATABASE_URL is missing"),
        ("secrets.DELIVERIES_DATABASE_URL", "secrets.DELIVERIES_DATABASE_URL is missing"),
        ("secrets.ORDERFLOW_DELIVERIES_KEY", "secrets.ORDERFLOW_DELIVERIES_KEY is missing"),
        ("keda.triggerAuthentication", "keda.triggerAuthentication is missing"),
        ("services.gateway.ingress.host", "services.gateway.ingress.host is missing"),
        ("networkPolicy.kafka", "networkPolicy.kafka.ports has no 9098"),
        ("networkPolicy.extraEgress", "networkPolicy.extraEgress is empty: pods of orders"),
    ],
)
def test_chart_values_of_msk_are_refused_without(
    removed: str, sentence: str, tmp_path: Path
) -> None:
    without = values_of("msk.yaml")
    *path, last = removed.split(".")
    functools.reduce(lambda inner, key: inner[key], path, without).pop(last)
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(without), "utf-8")

    with pytest.raises(HelmRefused) as refused:
        render_file(file)

    assert sentence in str(refused.value)


def test_chart_values_of_msk_check_the_gateway_where_it_answers_everybody() -> None:
    ingress = values_of("msk.yaml")["services"]["gateway"]["ingress"]
    assert ingress["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"] == OPENAPI


@pytest.mark.parametrize("login", LOGINS)
def test_chart_combinations_are_valid_and_keep_what_the_page_says(
    login: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = of_one_login(login)
    with ThreadPoolExecutor(2) as threads:
        rendered = list(threads.map(functools.partial(_render, tmp_path), enumerate(chosen)))

    assert len(chosen) == len(combinations()) // len(LOGINS)
    checked: set[str] = set()
    for combination, texts in zip(chosen, rendered, strict=True):
        name = ", ".join(choice.name for choice in combination)
        values = merged(*(choice.values for choice in combination))
        refused = [(name, problems_of(text)) for text in texts if problems_of(text)]
        assert refused == []
        objects = [parsed(text) for text in texts]
        check_objects(objects, values)
        for pod in pods(objects):
            given = json.dumps([pod.container["env"], pod.spec["volumes"]])
            if given not in checked:
                checked.add(given)
                check_environment(pod, tmp_path / str(len(checked)), values, monkeypatch)


def _render(folder: Path, numbered: tuple[int, tuple[Choice, ...]]) -> list[str]:
    number, combination = numbered
    own = folder / f"values-{number}"
    own.mkdir()
    return split(render(merged(*(choice.values for choice in combination)), own))


@pytest.mark.parametrize(("option", "values"), ALONE, ids=[option for option, _ in ALONE])
@pytest.mark.parametrize("others", ["first", "last"])
def test_chart_option_is_valid_with_other_choices(
    option: str,
    values: Mapping[str, Any],
    others: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = {"first": 0, "last": -1}[others]
    below = merged(*(choices[place].values for choices in options()))

    check_rendered(merged(below, values), tmp_path, monkeypatch)


@pytest.mark.parametrize(("values", "sentence"), [tuple(row) for row in rows("refused")])
def test_chart_refuses_values_with_the_sentence_of_the_page(
    values: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(HelmRefused) as refused:
        render(values_in(values), tmp_path)
    assert sentence in str(refused.value)


def test_chart_refused_values_are_alone_at_fault(tmp_path: Path) -> None:
    assert split(render({}, tmp_path))


def test_chart_reports_all_problems_at_once(tmp_path: Path) -> None:
    with pytest.raises(HelmRefused) as refused:
        render({"defaults": {"replicas": 9}, "settings": {"HTTP_HOST": "x"}}, tmp_path)
    for name in ("orders", "claims", "analytics", "deliveries"):
        assert f"services.{name}.replicas is 9" in str(refused.value)
    assert "settings.HTTP_HOST cannot be set" in str(refused.value)


def test_chart_jobs_are_made_again_when_what_they_run_changes(tmp_path: Path) -> None:
    def jobs(values: Mapping[str, Any]) -> set[str]:
        objects = map(parsed, split(render(values, tmp_path)))
        return {each["metadata"]["name"] for each in objects if each["kind"] == "Job"}

    before = jobs({})
    unchanged = {"services": {"orders": {"replicas": 3}}, "migrate": {"backoffLimit": 3}}
    assert jobs(unchanged) == before
    for change in (
        {"image": {"tag": "2"}},
        {"settings": {"KAFKA_BOOTSTRAP_SERVERS": "b:9092", "DATABASE_POOL_SIZE": 5}},
        {"commonLabels": {"team": "orders"}},
        {
            "migrate": {"resources": {"limits": {"memory": "1Gi"}}},
            "topics": {"arguments": ["--json"]},
        },
        {"migrate": {"arguments": ["--rate", "5"]}, "topics": {"settings": {"LOG_LEVEL": "DEBUG"}}},
    ):
        assert len(jobs(change) & before) == 0, change


def test_chart_rules_and_dashboards_are_those_of_the_repository(tmp_path: Path) -> None:
    monitoring = {"rules": {"enabled": True}, "dashboards": {"enabled": True}}
    objects = [parsed(text) for text in split(render({"monitoring": monitoring}, tmp_path))]

    rules = [each["spec"] for each in objects if each["kind"] == "PrometheusRule"]
    boards = [each["data"] for each in objects if each["kind"] == "ConfigMap"]

    deploy = CHART.parents[1]
    files = sorted((deploy / "prometheus").glob("*.rules.yaml"))
    assert rules == [yaml.safe_load(file.read_text("utf-8")) for file in files]
    assert len(rules) > 0
    drawn = sorted((deploy / "grafana").glob("*.json"))
    assert boards == [{file.name: file.read_text("utf-8").rstrip("\n")} for file in drawn]


def test_chart_manifests_of_production_are_those_in_the_repository() -> None:
    assert MANIFESTS.read_text("utf-8") == manifests(), "run python -m tools.chart --manifests"


def test_chart_environment_of_production_is_what_the_program_shows(tmp_path: Path) -> None:
    (orders,) = [pod for pod in pods(map(parsed, split(manifests()))) if pod.name == "orders"]
    mount(orders, tmp_path)

    shown = subprocess.run(
        [Path(sys.executable).with_name("orderflow"), "settings", "--json"],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], **environment(orders, tmp_path)},
        text=True,
        timeout=60,
    )

    assert shown.returncode == 0, shown.stderr
    settings = json.loads(shown.stdout)
    assert settings["KAFKA_SASL_USERNAME"] == {"value": "orderflow-orders", "from": "environment"}
    assert settings["KAFKA_SASL_PASSWORD"] == {"value": "********", "from": "file"}
    assert settings["ORDERS_DATABASE_URL"]["from"] == "file"
    assert settings["DATABASE_URL"]["from"] == "default"


def test_schemas_refuse_fields_that_do_not_exist() -> None:
    """The checks above can fail: strict schemas see a typo at any depth."""
    texts = split(manifests())
    for kind in ("Deployment", "ScaledObject", "PodMonitor", "NetworkPolicy"):
        document = next(parsed(text) for text in texts if f"\nkind: {kind}\n" in text)
        wrong = json.loads(json.dumps(document))
        wrong["spec"]["replicaz"] = 2
        assert problems(document) == []
        assert any("replicaz" in each for each in problems(wrong)), kind
