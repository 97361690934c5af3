"""The claims batches on a real database: records in, rows and outgoing records out."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from schemas.identity import order_id, shipment_id
from services.claims.handler import ClaimBatches
from services.runtime.batch.batch import Batch
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from tests.integration.batches import a_record_at, applied_by, pool_of
from tests.integration.outgoing import waiting_records

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SHOP = "demo-shop"


def a_record(topic, type_, body, *, ce_id=None, key=b"key"):
    """One Kafka record as the runtime passes it on."""
    return a_record_at(NOW, topic, type_, body, ce_id=ce_id, key=key)


def a_parcel(number, ordinal=1, phase="delivered", **changes):
    """A parcel of the order as in events."""
    order = order_id(SHOP, number)
    delivered_at = "2026-03-04T09:00:00Z" if phase == "delivered" else None
    return {
        "shipment_id": str(shipment_id(order, ordinal)),
        "ordinal": ordinal,
        "draft": False,
        "tracking_number": f"1Z{number}-{ordinal}",
        "carrier_reference": "ups",
        "phase": phase,
        "delivered_at": delivered_at,
        "products": [{"sku": "MUG-BLUE", "title": "Blue mug", "quantity": 3}],
        **changes,
    }


def an_event(number="1", version=1, *parcels, topic="shipments.events", **order):
    """An event of the orders service; by default of an order with one delivered parcel."""
    id_ = str(order_id(SHOP, number))
    shipments = list(parcels) or [a_parcel(number)]
    body = {
        "source": "shipments",
        "ref": "shipments/delivered/SUCCESSFULLY_DELIVERED",
        "event_name": "SUCCESSFULLY_DELIVERED",
        "triggered_at": "2026-03-04T10:00:00Z",
        "shop_slug": SHOP,
        "event_id": id_,
        "order_id": id_,
        "sequence": version,
        "order_version": version,
        "event_data": {},
        "context": {
            "order": {
                "uuid": id_,
                "shop_slug": SHOP,
                "order_number": number,
                "external_id": f"gid-{number}",
                "status": "fulfilled",
                "expected_number_of_shipments": len(shipments),
                "total_order_price": 12.90,
                "products": [{"sku": "MUG-BLUE", "title": "Blue mug", "quantity": 3}],
                "trackings": [],
                **order,
            },
            "customer": {"email": "ada@example.org"},
            "shipments": shipments,
            "claims": [],
        },
        "context_truncated": False,
    }
    return a_record(topic, "shipment.scanned", body, key=id_.encode())


def an_opening(number="1", ce_id=None, **changes):
    """A `claim.open` for the order's first parcel."""
    body = {
        "shop_slug": SHOP,
        "id": number,
        "tracking_number": f"1Z{number}-1",
        "reason": "damage",
        "selected_items": [{"sku": "MUG-BLUE", "quantity": 1}],
        **changes,
    }
    return a_record("claims.commands", "claim.open", body, ce_id=ce_id)


def a_change(claim_id, type_="claim.update", ce_id=None, **changes):
    """A `claim.update`, or another change of a claim."""
    body = {"shop_slug": SHOP, "claim_id": str(claim_id), **changes}
    return a_record("claims.commands", type_, body, ce_id=ce_id)


@pytest.fixture
def settings(database_url) -> Settings:
    """Settings of a fresh database."""
    return Settings(database_url=database_url, http_port=0)


@pytest.fixture
async def pool(settings) -> AsyncIterator:
    """A pool of connections of the claims service."""
    async with pool_of(settings, "claims") as pool:
        yield pool


@pytest.fixture
def claims(settings) -> ClaimBatches:
    """The handler of the claims service."""
    return ClaimBatches(settings, Metrics())


@pytest.fixture
def apply(pool, claims) -> Callable:
    """Applies records as one batch in one transaction."""
    return applied_by(claims, pool, NOW)


@pytest.fixture
def sweep(pool, claims) -> Callable:
    """Sweeps once in one transaction; returns how many items ended."""

    async def run(now):
        async with pool.acquire() as connection, connection.transaction():
            return await claims.sweep(connection, Batch((), now))

    return run


@pytest.fixture
def published(pool) -> Callable:
    """Reads the records of a topic from the outbox, oldest first, as headers and bodies."""

    async def read(topic="claims.events"):
        async with pool.acquire() as connection:
            found = await waiting_records(connection)
        return [(headers, json.loads(value)) for each, headers, value in found if each == topic]

    return read


@pytest.fixture
def rows(pool) -> Callable:
    """Reads all rows of a table of the claims schema."""

    async def read(table, key):
        async with pool.acquire() as connection:
            found = await connection.fetch(f"SELECT * FROM {table} ORDER BY {key}")
        return [dict(row) for row in found]

    return read
