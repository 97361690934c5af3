"""Renders the Helm chart, and reads the tables of values in docs/kubernetes.md."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "deploy" / "helm" / "orderflow"
PAGE = PROJECT / "docs" / "kubernetes.md"
OLDEST = "1.30.0"
BASE: Mapping[str, Any] = {
    "settings": {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"},
    "secrets": {
        "DATABASE_URL": {"name": "database", "key": "url"},
        "ORDERFLOW_DELIVERIES_KEY": {"name": "deliveries", "key": "key"},
    },
}
"""Values that the chart needs at least."""
Values = dict[str, Any]


class HelmRefused(Exception):
    """Helm's words about values that cannot work."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice of an option of the page."""

    option: str
    name: str
    values: Values


def merged(*layers: Mapping[str, Any]) -> Values:
    """Values of later layers over those of earlier ones, as helm does it: null takes a key away."""
    result: Values = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping):
                result[key] = merged(result.get(key) or {}, value)
            elif value is None:
                result.pop(key, None)
            else:
                result[key] = value
    return result


def render(values: Mapping[str, Any], folder: Path) -> str:
    """What `helm template` makes of values over BASE; HelmRefused with the sentence of helm."""
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(merged(BASE, values)), "utf-8")
    return render_file(file)


def render_file(file: Path) -> str:
    """What `helm template` makes of a values file alone; HelmRefused with the sentence of helm."""
    command = ["helm", "template", "test", str(CHART), "--values", str(file)]
    command += ["--kube-version", OLDEST]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    if done.returncode:
        raise HelmRefused(done.stderr)
    return done.stdout


def values_of(file: str) -> Values:
    """The values of a file in the folder ci of the chart."""
    values: Values = yaml.safe_load((CHART / "ci" / file).read_text("utf-8"))
    return values


def split(rendered: str) -> list[str]:
    """The texts of the objects in what helm rendered."""
    return [text for text in rendered.split("\n---\n") if "\nkind: " in text]


def rows(table: str) -> Iterator[list[str]]:
    """The cells of each row of a table between the markers of the page."""
    text = PAGE.read_text("utf-8")
    inside = text.partition(f"<!-- {table}:begin -->")[2].partition(f"<!-- {table}:end -->")[0]
    for line in inside.strip().splitlines()[2:]:
        yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def values_in(cell: str) -> Values:
    """The values of a cell: YAML between backticks."""
    values: Values = yaml.safe_load(cell.strip().strip("`"))
    return values


def options() -> list[list[Choice]]:
    """The choices of each option that depends on others."""
    found: list[list[Choice]] = []
    for row in rows("combined"):
        *first, name, values = row if len(row) == 3 else ["", *row]
        if first[0]:
            found.append([])
        option = first[0] or found[-1][0].option
        found[-1].append(Choice(option, name, values_in(values)))
    return found


def combinations() -> list[tuple[Choice, ...]]:
    """Every combination of the choices of the page."""
    return list(product(*options()))
