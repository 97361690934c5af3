"""Destinations that are kept decoded: every change of one is seen, and no other is read again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from services.deliveries import receivers as module
from services.deliveries.domain.filters import EventHead
from services.deliveries.receivers import Receivers
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import connect

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MAKE = """
    INSERT INTO destination (shop, name, target, state, secret, matched_since, created_at,
                             updated_at)
    VALUES ($1, $2, '{"kind": "webhook", "url": "https://x.example/"}', 'active', '', $3, $3, $3)
    RETURNING id
"""
FILTER = """
    UPDATE destination SET target = target || '{"filters": ["claims"]}' WHERE shop = $1
"""
UNFILTER = "UPDATE destination SET target = target - 'filters' WHERE shop = $1"
REMOVE = "UPDATE destination SET state = 'removed' WHERE shop = $1"


def a_scan(shop):
    """What of an event decides who gets it."""
    return EventHead(shop, "shipments", "shipments/in_transit/SORTED", None, True, False)


@pytest.fixture
async def connection(database_url) -> AsyncIterator[asyncpg.Connection]:
    """A connection as batches have it."""
    found = await connect(Settings(database_url=database_url), "deliveries", "test")
    yield found
    await found.close()


@pytest.fixture
def receivers() -> Receivers:
    """Nothing is kept yet."""
    return Receivers()


@pytest.fixture
def found_for(connection, receivers):
    """The ids of the destinations that get a scan of a shop."""

    async def find(shop):
        shops = await receivers.find(connection, {shop})
        return shops[shop].of(a_scan(shop)) if shop in shops else ()

    return find


@pytest.fixture
def read(monkeypatch):
    """The shops whose destinations were read."""
    shops = []
    original = module.store.find_receivers

    async def find(connection, wanted):
        shops.extend(sorted(wanted))
        return await original(connection, wanted)

    monkeypatch.setattr(module.store, "find_receivers", find)
    return shops


async def test_destinations_are_read_once_until_one_of_the_shop_changes(
    connection, found_for, read
):
    first = await connection.fetchval(MAKE, "a", "erp", NOW)
    await connection.fetchval(MAKE, "b", "erp", NOW)

    for shop in "abab":
        await found_for(shop)
    second = await connection.fetchval(MAKE, "a", "crm", NOW)

    assert await found_for("a") == (first, second)
    await found_for("b")
    assert read == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("changes", "is_found"),
    [((FILTER,), False), ((FILTER, UNFILTER), True), ((REMOVE,), False)],
    ids=["filtered", "filtered and back", "removed"],
)
async def test_change_of_a_destination_is_seen_at_once(connection, found_for, changes, is_found):
    id_ = await connection.fetchval(MAKE, "a", "erp", NOW)
    assert await found_for("a") == (id_,)

    for each in changes:
        await connection.execute(each, "a")
        await found_for("a")

    assert await found_for("a") == ((id_,) if is_found else ())


async def test_changes_of_one_transaction_are_seen_each_and_not_after_it_is_rolled_back(
    connection, found_for
):
    id_ = await connection.fetchval(MAKE, "a", "erp", NOW)
    transaction = connection.transaction()
    await transaction.start()

    await connection.execute(FILTER, "a")
    assert await found_for("a") == ()
    await connection.execute(UNFILTER, "a")
    assert await found_for("a") == (id_,)
    await connection.execute(FILTER, "a")
    assert await found_for("a") == ()
    await transaction.rollback()

    assert await found_for("a") == (id_,)


async def test_shops_asked_for_longest_ago_are_forgotten_first(
    connection, found_for, read, monkeypatch
):
    monkeypatch.setattr(module, "KEPT_MAX", 4)  # Two shops with a destination each.
    for shop in "abc":
        await connection.fetchval(MAKE, shop, "erp", NOW)

    for shop in "abacac":
        await found_for(shop)

    assert read == ["a", "b", "c"]
    await found_for("b")
    assert read == ["a", "b", "c", "b"]


async def test_shop_without_destinations_has_no_receivers(found_for):
    assert await found_for("none") == ()
