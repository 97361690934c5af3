"""Copies of orders as bytes beside services of the version before: their statements, with ours.

`version_before/` holds their statements as they were when migration 0003 came.
"""

import json
import shutil
from pathlib import Path

import pytest

from services.claims import store
from services.claims.domain.ids import order_id
from services.claims.messages.decode import read_order
from services.claims.store import StoredOrder
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import create_pool
from services.runtime.postgres.migrate import SERVICES_FOLDER, migrate
from services.runtime.postgres.queries import load
from tests.integration.claims.conftest import (
    NOW,
    SHOP,
    a_parcel,
    a_record,
    an_event,
    an_opening,
)

BEFORE = load(Path(__file__).parent / "version_before")
ID = order_id(SHOP, "1")
FORMS = """
SELECT context IS NOT NULL AS is_of_before, document IS NOT NULL AS is_of_now
  FROM order_copy WHERE order_id = $1"""


class VersionBefore:
    """The version before: the statements of its batches on copies of orders."""

    def __init__(self, pool):
        self.pool = pool

    async def save(self, connection, *received, ids=(), complete_at=None):
        """Save received orders and lock others by id; returns those that were updated."""
        columns = [(n.order.order_id, n.order.shop, n.order.version, n.document) for n in received]
        columns += [(id_, None, 0, None) for id_ in ids]
        rows = await connection.fetch(
            BEFORE["save_orders"],
            *map(list, zip(*columns, strict=True)),
            [complete_at] * len(columns),
        )
        return {str(row["order_id"]) for row in rows}

    async def apply(self, *events, complete_at=None):
        """Apply a batch of events."""
        async with self.pool.acquire() as connection, connection.transaction():
            return await self.save(connection, *map(read_order, events), complete_at=complete_at)

    async def read(self, *ids):
        """The contexts that a batch finds of the orders its commands name."""
        async with self.pool.acquire() as connection, connection.transaction():
            await self.save(connection, ids=ids)
            rows = await connection.fetch(BEFORE["read_orders"], list(ids))
        return {str(row["order_id"]): json.loads(row["context"] or "null") for row in rows}


@pytest.fixture
def before(pool):
    """The version before, on the schema of now."""
    return VersionBefore(pool)


@pytest.fixture
def forms(pool):
    """Which of the two forms a copy has: of the version before, of now."""
    return lambda id_=ID: pool.fetchrow(FORMS, id_)


def a_status(version, status, **changes):
    return an_event("1", version, topic="orders.events", status=status, **changes)


def a_cut(version):
    """An event whose lines were left out for size."""
    body = json.loads(an_event("1", version, a_parcel("1", products=[]), products=[]).value)
    return a_record("orders.events", "order.updated", body | {"context_truncated": True})


async def status_of(pool):
    async with pool.acquire() as connection:
        (stored,) = await store.read_orders(connection, [ID])
    return stored.version, json.loads(stored.document)["order"]["status"]


async def test_order_copies_of_both_versions_are_read_by_both(apply, before, pool, forms):
    await apply(a_status(1, "one"))
    assert tuple(await forms()) == (False, True)
    assert (await before.read(ID))[ID]["order"]["status"] == "one"
    assert tuple(await forms()) == (True, False)

    assert await before.apply(a_status(2, "two")) == {ID}
    assert await status_of(pool) == (2, "two")
    await apply(a_status(3, "three"))
    assert tuple(await forms()) == (False, True)
    assert await before.apply(a_status(4, "four")) == {ID}
    assert tuple(await forms()) == (True, False)

    assert await status_of(pool) == (4, "four")


@pytest.mark.parametrize("is_complete", [False, True])
async def test_stale_event_in_the_version_before_changes_nothing(apply, before, pool, is_complete):
    await apply(a_status(5, "five"))
    await pool.execute("UPDATE order_copy SET is_whole = NOT $1", is_complete)

    renewed = await before.apply(a_status(4, "four"), complete_at=NOW)

    assert renewed == ({ID} if is_complete else set())
    assert await status_of(pool) == (5, "five")
    assert (await before.read(ID))[ID]["order"]["status"] == "five"


async def test_named_order_is_the_same_for_both_versions(apply, before, forms):
    assert await before.read(ID) == {ID: None}
    await apply(an_opening())
    assert await before.read(ID) == {ID: None}
    await apply(an_opening("2"))
    other = order_id(SHOP, "2")
    assert await before.read(other) == {other: None}

    assert await before.apply(an_event("2")) == {other}
    await apply(a_status(1, "one"))

    assert tuple(await forms(other)) == (True, False)
    assert tuple(await forms()) == (False, True)


@pytest.mark.parametrize("first", ["before", "now"])
@pytest.mark.parametrize("second", ["before", "now"])
@pytest.mark.parametrize("third", ["before", "now"])
async def test_lines_cut_for_size_are_kept_by_both_versions(
    apply, before, pool, first, second, third
):
    takes = {"before": before.apply, "now": apply}
    await takes[first](an_event("1", 1))
    await takes[second](a_cut(2))
    await takes[third](a_cut(3))

    async with pool.acquire() as connection:
        (stored,) = await store.read_orders(connection, [ID])
    (line,) = json.loads(stored.document)["order"]["products"]
    assert (stored.version, line["sku"]) == (3, "MUG-BLUE")


async def test_version_before_converts_only_the_orders_of_its_batch(apply, before, forms):
    await apply(an_event("1"), an_event("2"), an_event("3"))
    two, three = order_id(SHOP, "2"), order_id(SHOP, "3")

    read = await before.read(ID, three)
    async with before.pool.acquire() as connection, connection.transaction():
        await store.save_orders(connection, [StoredOrder(two), StoredOrder(three)])

    assert read.keys() == {ID, three}
    assert [tuple(await forms(id_)) for id_ in (ID, two, three)] == [
        (True, False),
        (False, True),
        (True, False),
    ]


async def test_version_before_leaves_no_trace_of_a_rolled_back_batch(apply, before, pool, forms):
    await apply(an_event("1"), an_event("2"))
    async with pool.acquire() as connection:
        attempt = connection.transaction()
        await attempt.start()
        await before.save(connection, ids=[ID])
        await attempt.rollback()
        async with connection.transaction():
            await store.save_orders(connection, [StoredOrder(ID)])

    assert tuple(await forms()) == (False, True)


async def test_readable_view_shows_both_forms(apply, before, pool):
    await apply(a_status(1, "one"))
    shown = "SELECT context #>> '{order,status}' FROM readable_order_copy"
    assert await pool.fetchval(shown) == "one"
    await before.read(ID)
    assert await pool.fetchval(shown) == "one"


@pytest.fixture
def folder_before(tmp_path):
    """The migrations of the version before."""
    for owner in ("runtime", "claims"):
        shutil.copytree(SERVICES_FOLDER / owner / "migrations", tmp_path / owner / "migrations")
    for file in (tmp_path / "claims" / "migrations").iterdir():
        if file.name >= "0003":
            file.unlink()
    return tmp_path


async def test_upgrade_keeps_stored_copies_and_open_connections(empty_database_url, folder_before):
    await migrate(empty_database_url, ["claims"], folder=folder_before)
    pool = await create_pool(Settings(database_url=empty_database_url), "claims", size=1)
    before = VersionBefore(pool)
    await before.apply(a_status(1, "one"))
    named = order_id(SHOP, "2")
    assert await before.read(ID, named)

    assert "claims: claims/0003_documents.sql" in await migrate(empty_database_url, ["claims"])

    assert (await before.read(ID, named))[ID]["order"]["status"] == "one"
    assert await status_of(pool) == (1, "one")
    await before.apply(a_status(2, "two"))
    async with pool.acquire() as connection, connection.transaction():
        news = read_order(a_status(3, "three"))
        row = StoredOrder(ID, SHOP, 3, news.document)
        assert await store.save_orders(connection, [row, StoredOrder(named)]) == {ID}
    assert tuple(await pool.fetchrow(FORMS, ID)) == (False, True)
    assert (await before.read(ID, named))[ID]["order"]["status"] == "three"
    pool.terminate()
