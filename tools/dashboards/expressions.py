"""Expressions of a dashboard as a Prometheus evaluates them, without Grafana."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.dashboards.panels import panels_in


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression of a panel, with the name of its series in the legend."""

    panel: str
    ref: str
    expression: str
    legend: str


def expressions_of(page: Mapping[str, Any]) -> Iterator[Expression]:
    """All expressions of a dashboard's JSON."""
    for panel in panels_in(page):
        for target in panel.get("targets", []):
            yield Expression(
                panel["title"], target["refId"], target["expr"], target["legendFormat"]
            )


def with_values(expression: str, rate_interval: str = "5m") -> str:
    """An expression with a value for each variable: all of each label, one interval of rates."""
    text = expression.replace("$__rate_interval", rate_interval)
    return re.sub(r"\$(?!__)\w+", ".*", text)
