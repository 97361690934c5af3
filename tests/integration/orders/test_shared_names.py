"""Order names that several orders share, on real tables: batches, transactions, upgrade."""

import asyncio
import itertools
import shutil
from pathlib import Path

import asyncpg
import pytest

from services.orders import store
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.operations import renumber
from services.runtime.batch.batch import Batch
from services.runtime.config.settings import Settings
from services.runtime.parking import operations
from services.runtime.postgres.connections import create_pool
from services.runtime.postgres.migrate import SERVICES_FOLDER, migrate
from services.runtime.postgres.queries import load
from services.runtime.retry import is_transient
from tests.integration.batches import patiently
from tests.integration.orders.conftest import NOW, a_cancel, a_record, a_report, an_upsert

BEFORE = load(Path(__file__).parent / "release_before" / "statements.sql")
NAME = "#1001"
BEARERS = """
SELECT array_agg(order_id::text ORDER BY order_id)
  FROM (SELECT unnest(order_id || others) AS order_id FROM reference
         WHERE kind = 'order_name' AND value = $1) AS bearer"""


def ids(*numbers):
    return sorted(order_id_of("demo-shop", number) for number in numbers)


def an_update(reference=NAME, ce_id=None):
    body = {"shop_slug": "demo-shop", "id": reference, "id_type": "order_name"}
    return a_record("order.update", body | {"address": {"city": "Bonn"}}, ce_id=ce_id)


@pytest.fixture
def bearers(pool):
    """The ids of the orders that are stored for a name, sorted."""
    return lambda name=NAME: pool.fetchval(BEARERS, name)


@pytest.fixture
def answers(published):
    """Outcome, reason and order of each command so far."""

    async def read():
        return [
            (body["outcome"], body.get("reason"), body.get("order_number"))
            for _, _, body in await published("orders.outcomes")
        ]

    return read


async def test_name_is_shared_over_batches_and_within_one(apply, bearers, answers):
    await apply(an_upsert("1", order_name=NAME))
    await apply(an_upsert("2", order_name=NAME), an_upsert("3", order_name=NAME))
    await apply(an_upsert("4", order_name="#4"), an_upsert("5", order_name="#4"))

    assert await bearers() == ids("1", "2", "3")
    assert await bearers("#4") == ids("4", "5")
    assert {outcome for outcome, _, _ in await answers()} == {"applied"}


async def test_name_means_the_order_that_has_it_at_present(apply, answers):
    await apply(an_upsert("1", order_name=NAME), an_upsert("2", order_name=NAME))
    await apply(an_update(ce_id="a"))
    await apply(an_upsert("1", order_name="#1002"))
    await apply(an_update(ce_id="b"))
    await apply(an_update("#1002", ce_id="c"))

    assert (await answers())[2:] == [
        ("rejected", "reference_ambiguous", None),
        ("applied", None, "1"),
        ("applied", None, "2"),
        ("applied", None, "1"),
    ]


async def test_command_that_waits_for_a_name_is_applied_to_its_first_order(apply, pool, answers):
    await apply(a_cancel(NAME, "order_name"))
    await apply(an_upsert("1", order_name=NAME), an_upsert("2", order_name=NAME))

    assert sorted(await answers()) == [
        ("applied", None, "1"),
        ("applied", None, "1"),
        ("applied", None, "2"),
    ]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


@pytest.mark.parametrize("others", [{}, {"order_name": "#0"}], ids=["shared", "moved"])
async def test_parcel_is_changed_by_id_under_a_shared_name(apply, pool, answers, others):
    """The number of the parcel is read before anything is locked, from all orders of the name."""
    await apply(an_upsert("1", trackings=["1Z1"], order_name=NAME), an_upsert("2", order_name=NAME))
    await apply(an_upsert("2", **others), a_report("1Z1"))
    shipment = await pool.fetchval(
        "SELECT document #>> '{shipments,0,shipment_id}' FROM shop_order WHERE order_number = '1'"
    )
    body = {"shop_slug": "demo-shop", "id": NAME, "id_type": "order_name"}
    change = {"shipment_id": shipment, "carrier_reference": "dhl"}

    await apply(a_record("shipment.update", body | change))

    expected = ("applied", None, "1") if others else ("rejected", "reference_ambiguous", None)
    assert (await answers())[-1] == expected


@pytest.mark.parametrize("is_known", [False, True], ids=["new name", "name of an order"])
async def test_two_transactions_that_give_one_name_refuse_nobody(
    apply, orders, pool, bearers, answers, until_it_waits_for_a_lock, is_known
):
    expected = ["1", "2"]
    if is_known:
        expected.append("0")
        await apply(an_upsert("0", order_name=NAME))
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await orders.apply(connection, Batch((an_upsert("1", order_name=NAME),), NOW))
        other = asyncio.create_task(patiently(apply, an_upsert("2", order_name=NAME)))
        await until_it_waits_for_a_lock()
        await transaction.commit()
    await other

    assert await bearers() == ids(*expected)
    assert {outcome for outcome, _, _ in await answers()} == {"applied"}


async def test_many_transactions_that_share_names_never_deadlock(orders, pool, bearers, answers):
    """Batches of two partitions give the same names in opposite order, again and again."""
    names = [f"#{at}" for at in range(8)]

    async def partition(first, step):
        for at in range(6):
            records = [
                an_upsert(f"{first}-{at % 2}-{name}", order_name=name, email_id=f"{at}@a.example")
                for name in names[::step]
            ]
            async with asyncio.timeout(20):
                await patiently(_in_transaction(orders, pool), *records)

    await asyncio.gather(partition("a", 1), partition("b", -1), partition("c", 1))

    assert {outcome for outcome, _, _ in await answers()} == {"applied"}
    for name in names:
        numbers = [f"{first}-{at}-{name}" for first, at in itertools.product("abc", (0, 1))]
        assert await bearers(name) == ids(*numbers)


def _in_transaction(orders, pool):
    async def apply(*records):
        async with pool.acquire() as connection, connection.transaction():
            await orders.apply(connection, Batch(records, NOW))

    return apply


async def test_expired_wait_for_a_parcel_names_the_order_of_a_shared_name(
    apply, orders, pool, answers
):
    await apply(an_upsert("1", order_name=NAME), an_upsert("2", order_name=NAME))
    await apply(an_upsert("2", order_name="#2"))
    body = {"shop_slug": "demo-shop", "id": NAME, "id_type": "order_name"}
    change = {"tracking_number": "1Z9", "tracking_url": "https://a.example/1"}
    await apply(a_record("shipment.update", body | change))

    async with pool.acquire() as connection, connection.transaction():
        await orders.sweep(connection, Batch((), NOW.replace(hour=13)))

    assert (await answers())[-1] == ("rejected", "shipment_not_found", "1")


async def test_renumbering_leaves_shared_names(apply, pool, orders, bearers):
    await apply(an_upsert("1", order_name=NAME), an_upsert("2", order_name=NAME))
    async with pool.acquire() as connection:
        await renumber.renumber(connection, orders.apply, NOW)

    assert await bearers() == ids("1", "2")


async def test_parked_order_stops_no_other_order_of_its_name(apply, act, bug, answers, bearers):
    await apply(an_upsert("1", order_name=NAME, email_id="POISON@mail.example"))
    await apply(an_upsert("2", order_name="#2"), an_update(ce_id="by-name"))
    await apply(an_upsert("3", order_name=NAME), an_upsert("4", order_name=NAME))
    assert {(outcome, number) for outcome, _, number in await answers()} == {
        ("applied", "2"),
        ("applied", "3"),
        ("applied", "4"),
    }

    bug["mended"] = True
    await act(operations.retry)

    assert await bearers() == ids("1", "3", "4")
    assert ("rejected", "reference_ambiguous", None) in await answers()


@pytest.fixture
def folder_before(tmp_path):
    """The migrations of the version before."""
    for owner in ("runtime", "orders"):
        shutil.copytree(SERVICES_FOLDER / owner / "migrations", tmp_path / owner / "migrations")
    for file in (tmp_path / "orders" / "migrations").iterdir():
        if file.name >= "0010":
            file.unlink()
    return tmp_path


async def names_before(pool):
    """The names that a batch of the version before finds: its statement is the same as ours."""
    async with pool.acquire() as connection, connection.transaction():
        (row,) = await connection.fetch(
            store.SQL["lock_batch"], ["demo-shop"], ["order_name"], [NAME], [], [], [], True
        )
        return [(each["value"], str(each["order_id"])) for each in row["named"]]


async def test_upgrade_keeps_names_and_connections_of_the_version_before(
    empty_database_url, folder_before
):
    await migrate(empty_database_url, ["orders"], folder=folder_before)
    settings = Settings(database_url=empty_database_url)
    before = await create_pool(settings, "orders", size=1)
    first, second = (order_id_of("demo-shop", number) for number in "12")
    async with before.acquire() as connection:
        nothing = [[]] * 11
        name = [[True], ["demo-shop"], ["order_name"], [NAME], [first]]
        await connection.execute(BEFORE["save_rows"], *nothing, *name)
    assert await names_before(before) == [(NAME, first)]

    await migrate(empty_database_url, ["orders"])
    name = Reference("demo-shop", ReferenceKind.ORDER_NAME, NAME)
    ours = await create_pool(settings, "orders", size=1)
    async with ours.acquire() as connection, connection.transaction():
        locked = await store.lock(connection, [name], [], [], is_final=True)
        assert dict(locked.stored.references) == {name: first}
        changes = store.Changes({}, {}, {}, (), {name: (first, second)})
        await store.save(connection, locked.stored, changes)
        locked = await store.lock(connection, [name], [], [], is_final=True)
        assert dict(locked.stored.shared) == {name: (first, second)}

    with pytest.raises(asyncpg.OutdatedSchemaCacheError) as raised:
        await names_before(before)
    assert is_transient(raised.value)
    assert await names_before(before) == [(NAME, first)]
    before.terminate()
    ours.terminate()
