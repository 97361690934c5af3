"""Tests with the programs that others run Orderflow with: `make operations-test` installs them."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.outages import served
from tests.operations.alert_stage import Stage, staged
from tests.operations.prometheus_server import PrometheusServer, Target
from tools.alerts import RULES, rules_of

_HERE = Path(__file__).parent
# Starts a Prometheus that scrapes these targets with these rule files; it ends with the test.
StartPrometheus = Callable[..., PrometheusServer]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test below this folder `operations`: `make test` runs with Python alone."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.operations)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Servers of the module's own, services and Prometheus with our rules; no alert fires."""
    async with (
        served(tmp_path_factory.mktemp("servers")) as servers,
        staged(servers, tmp_path_factory.mktemp("alerts")) as stage,
    ):
        await stage.resolves(*(rule.name for rule in rules_of(RULES) if rule.is_alert))
        yield stage


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[StartPrometheus]:
    """Start a Prometheus: `start_prometheus(targets, rule_files=..., interval_seconds=...)`."""
    with ExitStack() as servers:

        def start(
            targets: Sequence[Target],
            *,
            rule_files: Sequence[Path] = (),
            interval_seconds: float = 0.5,
        ) -> PrometheusServer:
            server = PrometheusServer(
                tmp_path / f"prometheus-{len(targets)}-{id(targets)}",
                targets,
                rule_files=rule_files,
                interval_seconds=interval_seconds,
            )
            return servers.enter_context(server)

        yield start
