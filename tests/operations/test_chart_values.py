"""The Helm chart: names without a value, names of releases, values over others, upgrades."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operations.chart import BASE, CHART, OLDEST, HelmRefused, merged, render, split
from tests.operations.manifests import Object
from tests.operations.pods import pods

pytestmark = pytest.mark.timeout(120)


def parsed(texts: list[str]) -> list[Object]:
    """The objects of what helm rendered."""
    return [yaml.load(text, yaml.CSafeLoader) for text in texts]


@pytest.mark.parametrize("path", ["services", "services.orders.settings", "image", "ports.health"])
def test_chart_refuses_a_name_without_a_value(path: str, tmp_path: Path) -> None:
    values: Any = None
    for key in reversed(path.split(".")):
        values = {key: values}

    with pytest.raises(HelmRefused, match=f"cannot work:\n{path} has no value: give it one"):
        render_as_given(values, tmp_path)


def render_as_given(values: Mapping[str, Any], folder: Path, release: str = "test") -> str:
    """What helm makes of values over those needed, each in a file of its own."""
    file, needed = folder / "values.yaml", folder / "needed.yaml"
    file.write_text(yaml.safe_dump(values), "utf-8")
    needed.write_text(yaml.safe_dump(BASE), "utf-8")
    command = ["helm", "template", release, CHART, "--kube-version", OLDEST]
    command += ["--values", needed, "--values", file]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    if done.returncode:
        raise HelmRefused(done.stderr)
    return done.stdout


def test_chart_labels_are_text_whatever_the_release_is_called(tmp_path: Path) -> None:
    objects = parsed(split(render_as_given({}, tmp_path, release="true")))
    assert {each["metadata"]["labels"]["app.kubernetes.io/instance"] for each in objects} == {
        "true"
    }


def test_chart_refuses_a_release_whose_services_would_have_no_valid_name(tmp_path: Path) -> None:
    with pytest.raises(HelmRefused, match=r"objects would be called 2024-orderflow-…"):
        render_as_given({}, tmp_path, release="2024")


def test_chart_resources_of_a_service_are_over_those_of_defaults(tmp_path: Path) -> None:
    values = {
        "commonLabels": {"team": "orders"},
        "services": {
            "orders": {"resources": {"limits": {"cpu": 2}}, "podLabels": {"team": "core"}}
        },
    }
    objects = parsed(split(render(values, tmp_path)))
    (orders,) = [pod for pod in pods(objects) if pod.name == "orders"]

    assert orders.container["resources"]["limits"] == {"cpu": 2, "memory": "512Mi"}
    assert orders.labels["team"] == "core"
    assert orders.workload["metadata"]["labels"]["team"] == "orders"


def test_chart_upgrade_changes_no_field_that_cannot_change(tmp_path: Path) -> None:
    def fixed(values: Mapping[str, Any]) -> dict[str, Any]:
        below = {
            "defaults": {"staticMembership": True},
            "services": {"orders": {"staticMembership": False}},
        }
        objects = parsed(split(render(merged(below, values), tmp_path)))
        return {
            f"{each['kind']}/{each['metadata']['name']}": {
                name: each["spec"].get(name)
                for name in (
                    "selector",
                    "serviceName",
                    "volumeClaimTemplates",
                    "podManagementPolicy",
                )
            }
            for each in objects
            if each["kind"] in {"Deployment", "StatefulSet"}
        }

    before = fixed({})
    for change in (
        {"image": {"tag": "2"}},
        {"commonLabels": {"team": "orders"}, "defaults": {"podLabels": {"team": "core"}}},
        {"defaults": {"processes": 2, "replicas": 3}, "secretsAs": "environment"},
    ):
        assert fixed(change) == before, change
