"""The orders batch on a real database, without Kafka: records in, rows and outgoing records out."""

import itertools
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from services.orders.handler import OrdersBatch
from services.runtime.config.settings import Settings
from services.runtime.consumer.consumer import Batch
from services.runtime.messages.records import Coordinates, Original
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.connections import create_pool
from services.runtime.retry import is_transient
from tests.integration.outgoing import waiting_records

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_offsets = itertools.count()


def a_record(type_, body, *, topic="orders.commands", ce_id=None, key=b"demo-shop/1"):
    """One Kafka record as the runtime hands it over."""
    headers = [("ce_type", type_.encode())]
    if ce_id:
        headers += [("ce_id", ce_id.encode()), ("ce_source", b"/shops/demo-shop")]
    value = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = Coordinates(topic, 0, next(_offsets))
    return Original(at, key, tuple(headers), value, NOW)


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


async def patiently(apply, *records):
    """As the runtime does: what another transaction was in the way of is read and decided anew."""
    while True:
        try:
            return await apply(*records)
        except Exception as error:
            if not is_transient(error):
                raise


@pytest.fixture
def settings(database_url) -> Settings:
    """Settings of a fresh database."""
    return Settings(database_url=database_url, http_port=0)


@pytest.fixture
async def pool(settings) -> AsyncIterator:
    """The orders service's own connections."""
    pool = await create_pool(settings, "orders")
    yield pool
    pool.terminate()


@pytest.fixture
def orders(settings) -> OrdersBatch:
    """What the service applies."""
    return OrdersBatch(settings, Metrics())


@pytest.fixture
def apply(pool, orders) -> Callable:
    """Applies records as one batch in one transaction."""

    async def run(*records, now=NOW):
        async with pool.acquire() as connection, connection.transaction():
            await orders.apply(connection, Batch(records, now))

    return run


@pytest.fixture
def published(pool) -> Callable:
    """What lies in the outbox, oldest first: topic, headers and body of each record."""

    async def read(topic=None):
        async with pool.acquire() as connection:
            found = await waiting_records(connection)
        return [
            (each, headers, json.loads(value))
            for each, headers, value in found
            if topic in (None, each)
        ]

    return read
