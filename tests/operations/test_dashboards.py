"""Dashboards on a real Prometheus: every expression returns series after a shop was played."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.stack import Addresses
from tests.operations.played_shop import PlayedShop, played_shop
from tools.dashboards.__main__ import PAGES
from tools.dashboards.expressions import Expression, expressions_of, with_values
from tools.dashboards.pictures import asking, draw

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RATE_INTERVAL = "1m"
EXPRESSIONS = [
    pytest.param(each, id=f"{name}-{each.panel}-{each.ref}")
    for name, make in PAGES.items()
    for each in expressions_of(make())
]


@pytest.fixture(scope="module")
def shop(stack: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedShop]:
    """A shop that was played, with all services and a Prometheus that still run."""
    with asyncio.Runner() as runner:
        opened = AsyncExitStack()
        try:
            yield runner.run(
                opened.enter_async_context(played_shop(stack, tmp_path_factory.mktemp("played")))
            )
        finally:
            runner.run(opened.aclose())


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_dashboards_expression_returns_series(shop: PlayedShop, expression: Expression) -> None:
    series = shop.prometheus.query(with_values(expression.expression, RATE_INTERVAL))

    assert series
    # A label of the legend that no series has would leave the legend empty.
    named = set(re.findall(r"\{\{(\w+)\}\}", expression.legend)) - {"process"}
    labels = {label for one in series for label in one.labels}
    assert named <= labels or "vector(0)" in expression.expression


def test_dashboards_business_figures_are_those_of_the_report(shop: PlayedShop) -> None:
    figures = shop.figures
    wanted = {
        "orderflow_known_orders": figures.orders,
        'orderflow_known_orders{status="cancelled"}': figures.orders_cancelled,
        "orderflow_known_deliveries": figures.parcels_delivered,
        'orderflow_known_deliveries{on_time="early"}': figures.parcels_early,
        'orderflow_known_deliveries{on_time="on_time"}': figures.parcels_on_time,
        'orderflow_known_deliveries{on_time="late"}': figures.parcels_late,
        'orderflow_known_deliveries{on_time="unknown"}': figures.parcels_without_promise,
        "orderflow_known_claims": figures.claims,
        'orderflow_known_claims{status="withdrawn"}': figures.claims_withdrawn,
    }

    def shown() -> dict[str, float]:
        return {query: _sum(shop, query) for query in wanted}

    assert figures.parcels_late > 0
    assert figures.claims > 0
    asyncio.run(shop.prometheus.until(lambda _: shown() == wanted, f"all are {wanted}"))


def test_dashboards_replicas_show_the_same_figures_of_the_business(shop: PlayedShop) -> None:
    for name in (
        "known_orders",
        "known_parcels",
        "known_deliveries",
        "parcels_overdue",
        "known_claims",
    ):
        labels = "status, phase, direction, on_time, reason"
        differing = shop.prometheus.query(
            f"max by ({labels}) (orderflow_{name}) != min by ({labels}) (orderflow_{name})"
        )
        assert differing == []
        assert len(shop.prometheus.query(f"count by (instance) (orderflow_{name})")) == 2


def test_dashboards_have_no_alert_that_fires_after_a_played_shop(shop: PlayedShop) -> None:
    """Red means work: a shop that was served well shows none that wakes an operator."""
    pages = [
        alert["labels"]["alertname"]
        for alert in shop.prometheus.alerts()
        if alert["labels"]["severity"] == "page" and alert["state"] == "firing"
    ]

    assert pages == []


@pytest.mark.parametrize("name", PAGES)
def test_dashboards_are_drawn_from_the_same_answers(
    shop: PlayedShop, name: str, tmp_path: Path
) -> None:
    (now,) = shop.prometheus.query("time()")
    path = tmp_path / f"{name}.svg"

    draw(PAGES[name](), asking(shop.prometheus.url, shop.started_at, now.value), path)

    picture = path.read_text(encoding="utf-8")
    assert "no data" not in picture
    for title in ("At a glance", *(each.panel for each in _open_expressions(name))):
        assert f">{title}<" in picture


def _open_expressions(name: str) -> Iterator[Expression]:
    page = PAGES[name]()
    page["panels"] = [panel for panel in page["panels"] if not panel.get("collapsed")]
    return expressions_of(page)


def _sum(shop: PlayedShop, query: str) -> float:
    """The sum over series of analytics, of which each replica has all."""
    labels = "status, phase, direction, on_time, reason"
    (series,) = shop.prometheus.query(f"sum(max by ({labels}) ({query}))")
    return series.value
