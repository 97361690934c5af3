"""Documents as bytes beside services of the version before: their statements, in turn with ours.

`version_before/` holds their statements as they were when migration 0007 came.
"""

import asyncio
import json
import shutil
from pathlib import Path

import asyncpg
import pytest

from services.orders import store
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.references import Reference, ReferenceKind
from services.runtime.config.settings import Settings
from services.runtime.postgres.connections import create_pool
from services.runtime.postgres.migrate import SERVICES_FOLDER, migrate
from services.runtime.postgres.queries import load
from services.runtime.retry import is_transient
from tests.integration.orders.conftest import a_report, an_upsert

BEFORE = load(Path(__file__).parent / "version_before")
SHOP = "demo-shop"
ID = order_id_of(SHOP, "1")
REFERENCE = Reference(SHOP, ReferenceKind.ORDER_NUMBER, "1")
BYTES = """
SELECT document IS NOT NULL AND old_document IS NULL FROM stored_order WHERE order_id = $1"""


async def read_before(connection, *, ids=(), numbers=()):
    """What a batch of the version before locks and reads."""
    (row,) = await connection.fetch(
        BEFORE["lock_batch"], [], [], [], list(numbers), list(ids), [], True
    )
    return row


def order_columns(row, document):
    """The arguments of its statements that write one order."""
    version = row["version"] + 1
    columns = (row["order_id"], row["shop"], row["order_number"], version, document, row["applied"])
    return [[column] for column in columns]


async def change_before(pool, city):
    """A batch of the version before: it locks order 1, moves it to a city and writes it."""
    async with pool.acquire() as connection, connection.transaction():
        (row,) = (await read_before(connection, ids=[ID]))["stored"]
        document = json.loads(row["document"])
        document["placement"]["address"]["city"] = city
        columns = order_columns(row, json.dumps(document))
        await connection.execute(BEFORE["update_orders"], *columns)


async def scan_before(pool, number):
    """A batch of the version before that writes a number again as it found it."""
    async with pool.acquire() as connection, connection.transaction():
        row = await read_before(connection, numbers=[number])
        (tracked,) = row["tracked"]
        await connection.execute(
            BEFORE["update_parcels"], [number], [bytes(tracked["document"]).decode()]
        )
        return [str(stored["order_id"]) for stored in row["stored"] or ()]


async def locked_by_us(pool, *, references=(), numbers=()):
    async with pool.acquire() as connection, connection.transaction():
        locked = await store.lock(connection, references, numbers, [], is_final=True)
    return locked.stored


async def city_of(pool):
    async with pool.acquire() as connection:
        return (await store.read_order(connection, ID)).placement.address.city


async def test_old_and_new_in_turn_lose_nothing_of_one_order(apply, pool):
    await apply(an_upsert("1", trackings=["1Z1"], email_id="a@mail.example"))
    await change_before(pool, "Old Town")
    assert await city_of(pool) == "Old Town"

    await apply(an_upsert("1", trackings=["1Z1", "1Z2"]))
    await change_before(pool, "Older Town")
    stored = await locked_by_us(pool, references=[REFERENCE])

    order = stored.orders[ID]
    assert order.placement.address.city == "Older Town"
    assert {shipment.tracking_number for shipment in order.shipments} == {"1Z1", "1Z2"}


async def test_old_and_new_in_turn_lose_nothing_of_one_parcel(apply, pool):
    await apply(an_upsert("1", trackings=["1Z1"]), a_report("1Z1"))
    assert await scan_before(pool, "1Z1") == [ID]
    await apply(a_report("1Z1", "DELIVERED", "2026-03-01T11:00:00Z"))
    assert await scan_before(pool, "1Z1") == [ID]

    stored = await locked_by_us(pool, numbers=["1Z1"])

    assert len(stored.parcels["1Z1"].scans) == 2
    assert list(stored.orders) == [ID]


async def test_placeholder_is_one_for_both(pool):
    placeholder = [[ID], [SHOP], ["1"], [0], [None], [b""]]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(BEFORE["insert_orders"], *placeholder)
    assert (await locked_by_us(pool, references=[REFERENCE])).orders == {ID: None}

    other = order_id_of(SHOP, "2")
    awaited = [Reference(SHOP, ReferenceKind.ORDER_NUMBER, "2")]
    async with pool.acquire() as connection, connection.transaction():
        await store.save(connection, store.Stored(), store.Changes({}, {}, {}, awaited))
        rows = await connection.fetch(BEFORE["lock_orders"], [other])

    assert [(str(row["order_id"]), row["document"]) for row in rows] == [(other, None)]


async def test_two_that_make_the_same_order_still_collide(pool):
    placeholder = [[ID], [SHOP], ["1"], [0], [None], [b""]]
    async with pool.acquire() as connection:
        await connection.execute(BEFORE["insert_orders"], *placeholder)

        with pytest.raises(asyncpg.UniqueViolationError):
            await store.save(connection, store.Stored(), store.Changes({}, {}, {}, [REFERENCE]))
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(BEFORE["insert_orders"], *placeholder)


@pytest.mark.parametrize("statements", [BEFORE, store.SQL], ids=["before", "now"])
async def test_only_numbers_without_owners_are_swept_from_both_versions(apply, pool, statements):
    await apply(an_upsert("1", trackings=["1Z1", "1Z2"]))
    await scan_before(pool, "1Z1")
    async with pool.acquire() as connection:
        unowned = json.dumps({"number": "OLD"})
        await connection.execute(BEFORE["insert_parcels"], ["OLD"], [unowned])
        unowned = store.Changes({}, {"NEW": Parcel(number="NEW")}, {}, ())
        await store.save(connection, store.Stored(), unowned)

        everything = ["1Z1", "1Z2", "OLD", "NEW"]
        await connection.execute(statements["delete_unowned_parcels"], everything)

        left = await connection.fetch("SELECT number FROM parcel ORDER BY number")
    assert [row["number"] for row in left] == ["1Z1", "1Z2"]


@pytest.fixture
def folder_before(tmp_path):
    """The migrations of the version before."""
    for owner in ("runtime", "orders"):
        shutil.copytree(SERVICES_FOLDER / owner / "migrations", tmp_path / owner / "migrations")
    for file in (tmp_path / "orders" / "migrations").iterdir():
        if file.name >= "0007":
            file.unlink()
    return tmp_path


@pytest.fixture
async def documents(apply, pool):
    """Of an order and its parcel, as jsonb holds them: what the version before would write."""
    await apply(
        an_upsert("1", trackings=["1Z1"], address={"zip_code": "40213", "city": "Düsseldorf"})
    )
    async with pool.acquire() as connection:
        order = await connection.fetchval("SELECT document FROM shop_order")
        return order, await connection.fetchval("SELECT document FROM parcel")


async def store_before(pool, order, parcel):
    """What the version before left: an order with its parcel, and a placeholder."""
    ids = [ID, order_id_of(SHOP, "2")]
    columns = [[SHOP] * 2, ["1", "2"], [1, 0], [order, None], [b""] * 2]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(BEFORE["insert_orders"], ids, *columns)
        await connection.execute(BEFORE["insert_parcels"], ["1Z1"], [parcel])


@pytest.fixture
async def pool_before(empty_database_url, folder_before, documents):
    """Connections that have prepared their statements on the tables of the version before."""
    await migrate(empty_database_url, ["orders"], folder=folder_before)
    pool = await create_pool(Settings(database_url=empty_database_url), "orders", size=1)
    await store_before(pool, *documents)
    async with pool.acquire() as connection:
        await read_before(connection, ids=[ID], numbers=["1Z1"])
    yield pool
    pool.terminate()


async def test_upgrade_leaves_all_that_was_stored(pool_before, empty_database_url):
    applied = await migrate(empty_database_url, ["orders"])

    assert "orders: orders/0007_documents_as_bytes.sql" in applied
    ours = await create_pool(Settings(database_url=empty_database_url), "orders")
    stored = await locked_by_us(ours, numbers=["1Z1"])
    assert stored.orders[ID].placement.address.city == "Düsseldorf"
    assert [owner.order_id for owner in stored.parcels["1Z1"].owners] == [ID]
    async with ours.acquire() as connection, connection.transaction():
        both = await store.lock_orders(connection, [ID, order_id_of(SHOP, "2")])
        assert both[order_id_of(SHOP, "2")] is None
        assert await connection.fetchval(BYTES, ID) is False
        changes = store.Changes({ID: both[ID]}, stored.parcels, {}, ())
        await store.save(connection, stored, changes)
        assert await connection.fetchval(BYTES, ID) is True
        assert await connection.fetchval("SELECT owners::text[] FROM stored_parcel") == [ID]
    ours.terminate()


async def test_connection_of_the_version_before_continues_after_one_retry(
    pool_before, empty_database_url
):
    await migrate(empty_database_url, ["orders"])

    with pytest.raises(asyncpg.PostgresError) as raised:
        await change_before(pool_before, "Old Town")
    assert is_transient(raised.value)
    await change_before(pool_before, "Old Town")

    assert await city_of(pool_before) == "Old Town"


async def test_upgrade_waits_for_a_batch_of_the_version_before_and_the_batch_is_applied(
    pool_before, empty_database_url
):
    """The batch holds its positions when the migration comes, and locks the rest after that."""
    async with pool_before.acquire() as connection, connection.transaction():
        await connection.fetch("SELECT FROM position FOR UPDATE")
        upgrade = asyncio.create_task(migrate(empty_database_url, ["orders"]))
        await until_someone_waits_for(empty_database_url, "position")

        (row,) = (await read_before(connection, ids=[ID], numbers=["1Z1"]))["stored"]
        columns = order_columns(row, row["document"])
        await connection.execute(BEFORE["update_orders"], *columns)

    applied = await upgrade
    assert "orders: orders/0007_documents_as_bytes.sql" in applied


async def until_someone_waits_for(database_url, table):
    connection = await asyncpg.connect(database_url)
    waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass)"
    try:
        async with asyncio.timeout(20):
            while not await connection.fetchval(waiting, f"orders.{table}"):
                await asyncio.sleep(0.02)
    finally:
        await connection.close()
