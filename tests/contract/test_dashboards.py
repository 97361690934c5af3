"""Dashboards: up to date, every metric shown, every metric, label and limit in them real."""

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from services.runtime.observability.metrics import COUNTERS, GAUGES, HISTOGRAMS
from tools.alerts import RULES, Reader, rules_of
from tools.dashboards.__main__ import PAGES, check
from tools.dashboards.expressions import expressions_of, with_values
from tools.dashboards.panels import panels_in
from tools.promql import metrics_of

MADE = {name: make() for name, make in PAGES.items()}
EXPRESSIONS = [
    pytest.param(each.expression, id=f"{name}-{each.panel}-{each.ref}")
    for name, page in MADE.items()
    for each in expressions_of(page)
]
ALERTS = {rule.name: rule.expr for rule in rules_of(RULES) if rule.is_alert}


def panels() -> Iterator[dict[str, Any]]:
    for page in MADE.values():
        yield from (panel for panel in panels_in(page) if panel["type"] != "row")


def numbers_in(expression: str) -> set[float]:
    """The numbers of an expression; an age of 1d and the like is none."""
    found: set[float] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.NumberLiteral):
            found.add(node.val)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def test_dashboards_are_as_the_code_makes_them() -> None:
    assert check() == []


def test_dashboards_show_every_metric() -> None:
    shown = {
        name
        for page in MADE.values()
        for each in expressions_of(page)
        for name in metrics_of(with_values(each.expression))
    }
    ours = {f"orderflow_{spec.name}" for spec in (*GAUGES, *COUNTERS, *HISTOGRAMS)}

    assert sorted(ours - shown) == [], "show each on a panel of tools/dashboards/"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_dashboards_expression_names_metrics_and_labels_that_exist(expression: str) -> None:
    reader = Reader()

    reader.read(with_values(expression))

    assert reader.flaws == []
    assert metrics_of(with_values(expression))
    assert "@" not in expression


def test_dashboards_expression_with_a_metric_that_is_gone_is_found() -> None:
    reader = Reader()

    reader.read(with_values('sum by (lane) (orderflow_parked{service=~"$service"})'))

    assert [flaw.partition(";")[0] for flaw in reader.flaws] == [
        "there is no metric orderflow_parked"
    ]


@pytest.mark.parametrize("name", PAGES)
def test_dashboards_use_only_variables_that_they_have(name: str) -> None:
    page = MADE[name]
    have = {variable["name"] for variable in page["templating"]["list"]}

    used = {
        found
        for each in expressions_of(page)
        for found in re.findall(r"\$\{?(\w+)", each.expression)
        if not found.startswith("__")
    }

    assert used <= have
    assert have - used == {"datasource", "runbook"}


@pytest.mark.parametrize(
    "panel",
    [
        pytest.param(each, id=f"{each['title']}-{each['id']}")
        for each in panels()
        if each.get("links")
    ],
)
def test_dashboards_limit_is_that_of_the_alert_it_links_to(panel: dict[str, Any]) -> None:
    (link,) = panel["links"]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    limit = steps[-1]["value"]

    assert link["title"] in ALERTS
    assert link["url"] == f"${{runbook}}#{link['title'].lower()}"
    # An alert of anything above 0 is a limit of 1 on a panel that counts.
    assert numbers_in(ALERTS[link["title"]]) & {limit, limit - 1}


def test_dashboards_panels_have_a_meaning_of_one_sentence_and_fit_the_page() -> None:
    for panel in panels():
        assert panel["description"].endswith("."), panel["title"]
        assert ". " not in panel["description"], panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, panel["title"]


@pytest.mark.parametrize("name", PAGES)
def test_dashboards_panels_do_not_overlap(name: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels_in(MADE[name]):
        at = panel["gridPos"]
        cells = [
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        ]
        assert not taken.keys() & cells, panel["title"]
        taken |= dict.fromkeys(cells, panel["title"])
