"""The orders batch on a real database, without Kafka: records in, rows and outgoing records out."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import asyncpg
import pytest

import services.orders.unit_of_work
from services.orders.handler import OrdersBatch
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.parking.operations import ParkedSelection
from tests.e2e.poisoned import plant_until_mended
from tests.integration.batches import a_record_at, applied_by, lock_watcher, pool_of
from tests.integration.outgoing import waiting_records

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = ParkedSelection()


def a_record(type_, body, *, topic="orders.commands", ce_id=None, key=b"demo-shop/1"):
    """One Kafka record as the runtime hands it over."""
    return a_record_at(NOW, topic, type_, body, ce_id=ce_id, key=key)


def an_upsert(number, *, trackings=(), ce_id=None, shop="demo-shop", **order):
    """An `order.upsert` that carries its order."""
    placement = {"order_number": number, "address": {"zip_code": "10115"}, **order}
    body = {
        "shop_slug": shop,
        "id": number,
        "order": placement,
        "trackings": [{"tracking_number": each, "carrier_reference": "ups"} for each in trackings],
    }
    return a_record("order.upsert", body, ce_id=ce_id)


def a_cancel(reference, id_type="order_number", ce_id=None):
    """An `order.cancel` by any kind of reference."""
    body = {"shop_slug": "demo-shop", "id": reference, "id_type": id_type}
    return a_record("order.cancel", body, ce_id=ce_id)


def a_report(number, event_name="PICKED_UP_BY_CARRIER", occurred_at="2026-03-01T10:00:00Z"):
    """A `tracking.reported` with one scan."""
    scan = {"event_name": event_name, "occurred_at": occurred_at}
    body = {"carrier_reference": "ups", "tracking_number": number, "scans": [scan]}
    return a_record("tracking.reported", body, topic="carrier.tracking")


def a_poison(number="1", **more):
    return an_upsert(number, email_id="POISON@mail.example", **more)


def became(result):
    return [each.became for each in result.items]


async def event_names(published):
    return [r[2]["event_name"] for r in await published() if r[0].endswith(".events")]


@pytest.fixture
def settings(database_url) -> Settings:
    """Settings of a fresh database."""
    return Settings(database_url=database_url, http_port=0)


@pytest.fixture
async def pool(settings) -> AsyncIterator:
    """The orders service's own connections."""
    async with pool_of(settings, "orders") as pool:
        yield pool


@pytest.fixture
def orders(settings) -> OrdersBatch:
    """What the service applies."""
    return OrdersBatch(settings, Metrics())


@pytest.fixture
def apply(pool, orders) -> Callable:
    """Applies records as one batch in one transaction."""
    return applied_by(orders, pool, NOW)


@pytest.fixture
def published(pool) -> Callable:
    """What lies in the outbox, oldest first: topic, headers and body of each record."""

    async def read(topic=None):
        async with pool.acquire() as connection:
            found = await waiting_records(connection)
        return [
            (each, headers, None if value is None else json.loads(value))
            for each, headers, value in found
            if topic in (None, each)
        ]

    return read


@pytest.fixture
def bug(monkeypatch):
    """A bug that fails every item containing POISON, until `mended` is set."""
    return plant_until_mended(monkeypatch, services.orders.unit_of_work)


@pytest.fixture
def act(pool, orders):
    """Runs an operation in its own transaction; returns its result."""

    async def run(what, selection=EVERYTHING, **more):
        async with pool.acquire() as connection, connection.transaction():
            return await what(connection, orders.apply, selection, now=NOW, **more)

    return run


@pytest.fixture
def parked_kinds(pool):
    """Kinds in the queue, in its order."""

    async def read():
        return [row["kind"] for row in await pool.fetch("SELECT kind FROM parked ORDER BY id, nth")]

    return read


@pytest.fixture
async def until_it_waits_for_a_lock(database_url):
    """Waits until a transaction waits for a lock of another; only the owner sees that."""
    async with lock_watcher(database_url) as is_blocked:

        async def wait():
            async with asyncio.timeout(8):
                while not await is_blocked():
                    await asyncio.sleep(0.01)

        yield wait


@pytest.fixture
async def refuse(database_url):
    """Makes Postgres refuse rows of a table that match a condition."""
    connection = await asyncpg.connect(database_url)

    async def refuse(table, condition):
        await connection.execute(
            f"ALTER TABLE orders.{table} ADD CONSTRAINT unforeseen CHECK (NOT ({condition}))"
            " NOT VALID"
        )

    async def allow(table):
        await connection.execute(f"ALTER TABLE orders.{table} DROP CONSTRAINT unforeseen")

    refuse.allow = allow
    yield refuse
    await connection.close()
