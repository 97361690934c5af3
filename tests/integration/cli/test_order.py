"""`orderflow order` on a real database: what shops and carriers wrote is shown as they wrote it."""

import asyncio
import json
from datetime import UTC, datetime

import asyncpg
import pytest

from services.orders.handler import OrdersBatch
from services.runtime.batch.batch import Batch
from services.runtime.config.settings import Settings
from services.runtime.messages.records import Original
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.connections import create_pool
from tests.integration.orders.conftest import a_record, an_upsert

from .conftest import Run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def orders(database_url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """A cancelled order with a scanned parcel; every text in it looks like markup."""
    scan = {
        "event_name": "PICKED_UP_BY_CARRIER",
        "occurred_at": "2026-03-01T10:00:00Z",
        "location": {"city": "[/x]"},
    }
    report = {"carrier_reference": "ups", "tracking_number": "1Z[bold]9", "scans": [scan]}
    cancel = {"shop_slug": "demo-shop", "id": "1[red]", "reason": "[/bold] no"}
    asyncio.run(
        _apply(
            database_url,
            an_upsert(
                "1[red]", trackings=["1Z[bold]9"], order_placed_at="2026-03-01T10:30:00+05:00"
            ),
            a_record("tracking.reported", report, topic="carrier.tracking"),
            a_record("order.cancel", cancel),
        )
    )
    monkeypatch.setenv("DATABASE_URL", database_url)
    return "demo-shop/1[red]"


async def _apply(database_url: str, *records: Original) -> None:
    settings = Settings(database_url=database_url, http_port=0)
    pool: asyncpg.Pool = await create_pool(settings, "orders")
    batches = OrdersBatch(settings, Metrics())
    async with pool.acquire() as connection, connection.transaction():
        await batches.apply(connection, Batch(records, NOW))
    await pool.close()


def test_order_show_has_the_last_warnings(run: Run, database_url: str, monkeypatch) -> None:
    body = {"order_number": "W/1", "address": {"country_code": "Narnia"}, "weight": "[heavy]"}
    command = {"shop_slug": "demo-shop", "id": "W/1", "order": body}
    asyncio.run(_apply(database_url, a_record("order.upsert", command, ce_id="c-1")))
    monkeypatch.setenv("DATABASE_URL", database_url)

    shown, as_json = run("order", "demo-shop/W/1"), run("order", "demo-shop/W/1", "--json")

    assert shown.exit_code == 0, shown.output
    assert "value_left_out /order/weight in c-1: a text of 7 characters" in " ".join(
        shown.stdout.split()
    )
    warnings = json.loads(as_json.stdout)["warnings"]
    assert [(each["code"], each["pointer"], each["command_id"]) for each in warnings] == [
        ("value_left_out", "/order/address/country_code", "c-1"),
        ("value_left_out", "/order/weight", "c-1"),
    ]


def test_order_show_prints_markup_unchanged(run: Run, orders: str) -> None:
    shown = run("order", orders)

    assert shown.exit_code == 0, shown.output
    assert all(text in shown.stdout for text in (orders, "1Z[bold]9", "[/bold] no", "[/x]"))


def test_order_show_prints_times_in_utc(run: Run, orders: str) -> None:
    shown = run("order", orders)

    assert "placed 2026-03-01 05:30Z" in shown.stdout
