"""The Prometheus of the tests: it scrapes, answers, evaluates rules, and ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from deploy.stack.errors import ServerFailed
from services.runtime.observability.health import HttpServer, health_app, serve_http
from services.runtime.observability.metrics import Metrics
from tests.operations.conftest import StartPrometheus
from tests.operations.prometheus_server import PrometheusServer, QueryFailed, Target

RULES = """
groups:
  - name: orders
    rules:
      - alert: ItemsParked
        expr: orderflow_parked_items > 0
"""


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def served(metrics: Metrics) -> AsyncIterator[HttpServer]:
    server = await serve_http(health_app(metrics.registry, ready={}), "127.0.0.1", 0)
    yield server
    await server.stop()


async def test_prometheus_answers_with_what_a_target_serves(
    metrics: Metrics, served: HttpServer, start_prometheus: StartPrometheus
) -> None:
    metrics.parked_items.labels("orders").set(7)
    target = Target(f"127.0.0.1:{served.port}", labels={"replica": "first"})

    prometheus = start_prometheus([target])
    await prometheus.until_scraped()

    (series,) = prometheus.query("orderflow_parked_items")
    assert series.value == 7
    assert series.labels["service"] == "orders"
    assert series.labels["replica"] == "first"
    (up,) = prometheus.query_range("up", series.points[0][0], series.points[0][0], 1)
    assert (up.labels["job"], up.value) == ("orderflow", 1)


async def test_prometheus_alert_fires_and_resolves(
    metrics: Metrics, served: HttpServer, start_prometheus: StartPrometheus, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    metrics.parked_items.labels("orders").set(1)

    prometheus = start_prometheus([Target(f"127.0.0.1:{served.port}")], rule_files=[rules])

    await prometheus.until(lambda server: server.firing() == {"ItemsParked"}, "it fires")
    metrics.parked_items.labels("orders").set(0)
    await prometheus.until(lambda server: not server.alerts(), "it resolves")


async def test_prometheus_names_a_target_that_is_down(start_prometheus: StartPrometheus) -> None:
    prometheus = start_prometheus([Target("127.0.0.1:1")])

    await prometheus.until(
        lambda server: [each["health"] for each in server.targets()] == ["down"],
        "the target is down",
    )
    assert "refused" in prometheus.targets()[0]["lastError"]
    with pytest.raises(QueryFailed, match="parse error"):
        prometheus.query("orderflow_lag_messages{")


def test_prometheus_ends_with_its_block(tmp_path: Path) -> None:
    def running() -> list[int]:
        return [one.pid for one in psutil.process_iter() if str(tmp_path) in _command(one)]

    with PrometheusServer(tmp_path, []):
        assert len(running()) == 1

    assert running() == []


def test_prometheus_that_does_not_start_says_why(tmp_path: Path) -> None:
    server = PrometheusServer(tmp_path, [], rule_files=[tmp_path / "rules.yml"])
    (tmp_path / "rules.yml").write_text("groups: [{name: 1, rules: nothing}]", encoding="utf-8")

    with pytest.raises(ServerFailed, match="ended while starting"):
        server.start()


def _command(running: psutil.Process) -> str:
    try:
        return " ".join(running.cmdline())
    except psutil.Error:
        return ""
