"""Every service from the image, on a read-only file system, with the tests' Kafka and Postgres."""

import json
import signal
from pathlib import Path

import pytest

from deploy.stack.process import wait_until
from services import registry
from tests.operations.image.conftest import BUILD_SECONDS, Launch
from tools.container.process import Container

pytestmark = pytest.mark.timeout(BUILD_SECONDS)
DRAIN_SECONDS = 20
HEALTH_SECONDS = 60
ORDER = {
    "type": "order.place",
    "value": {
        "shop_slug": "demo-shop",
        "order": {
            "order_number": "1001",
            "order_placed_at": "2026-03-01T09:30:00+01:00",
            "address": {"zip_code": "10115", "country_code": "DE"},
            "products": [{"sku": "MUG-BLUE", "quantity": 2, "price": "12.95"}],
        },
    },
}


@pytest.fixture
def prepared(launch: Launch, installation: dict[str, str]) -> dict[str, str]:
    """The settings, after `migrate` and `topics create` from the image."""
    for command in (("migrate",), ("topics", "create")):
        container = launch(*command, environment=installation)
        assert container.wait(90) == 0, container.text()
    return installation


def _is_healthy(container: Container) -> bool:
    return container.execute("orderflow", "health").returncode == 0


def _handles(process_id: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{process_id}/status").read_text("ascii")
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) & 1 << (number - 1))


@pytest.mark.parametrize("service", registry.names())
def test_service_in_the_image_is_healthy_and_stops_on_sigterm(
    launch: Launch, prepared: dict[str, str], service: str
) -> None:
    container = launch("serve", service, environment=prepared)

    assert wait_until(lambda: _is_healthy(container), HEALTH_SECONDS), container.text()
    assert container.stop(DRAIN_SECONDS) == 0, container.text()
    assert "Traceback" not in container.output()


def test_command_as_process_1_ends_on_sigterm(launch: Launch, prepared: dict[str, str]) -> None:
    """The kernel drops a signal that process 1 does not handle."""
    container = launch("tail", "orders.events", environment=prepared)
    assert wait_until(lambda: _handles(container.pid, signal.SIGTERM), HEALTH_SECONDS)

    assert container.stop(DRAIN_SECONDS) == 128 + signal.SIGTERM


def test_service_in_the_image_without_its_schema_says_what_to_run(
    launch: Launch, installation: dict[str, str]
) -> None:
    orders = launch("serve", "orders", environment=installation)

    assert wait_until(lambda: "run `orderflow migrate`" in orders.text(), HEALTH_SECONDS)
    assert not _is_healthy(orders)
    assert orders.stop(DRAIN_SECONDS) == 0


def test_command_gets_its_outcome_and_event_from_the_image(
    launch: Launch, prepared: dict[str, str]
) -> None:
    orders = launch("serve", "orders", environment=prepared)
    assert wait_until(lambda: _is_healthy(orders), HEALTH_SECONDS), orders.text()

    sent = orders.execute(
        "sh", "-c", f"echo '{json.dumps(ORDER)}' | orderflow send --wait --json -", seconds=60
    )
    event = orders.execute(
        "orderflow", "tail", "orders.events", "--from", "beginning", "--max", "1", "--json"
    )

    assert sent.returncode == 0, sent.stderr
    assert '"applied"' in sent.stdout
    assert '"order_number":"1001"' in event.stdout.replace(" ", "")


def test_report_from_the_image_writes_plots_and_parquet(
    launch: Launch, prepared: dict[str, str]
) -> None:
    """What was left out of the packages is not needed for it."""
    command = "orderflow report --by day --out /tmp/r.parquet --plots /tmp/p && ls /tmp /tmp/p"
    container = launch(program=("sh", "-c", command), environment=prepared)

    assert container.wait(90) == 0, container.text()
    assert ".parquet" in container.output()
    assert ".png" in container.output()
