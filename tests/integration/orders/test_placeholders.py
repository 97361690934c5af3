"""Placeholders are deleted once nothing waits for them, and never while a transaction uses one."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.identity import order_id
from services import orders as orders_package
from services.runtime.batch.batch import Batch
from tests.integration.batches import patiently
from tests.integration.orders.conftest import NOW, a_cancel, an_upsert

MIGRATION = Path(orders_package.__file__).parent / "migrations" / "0009_placeholders.sql"
WAIT = timedelta(minutes=15)
LATE = NOW + WAIT
UUID = str(order_id("demo-shop", "1"))

KINDS = pytest.mark.parametrize(
    ("waits", "appears"),
    [
        (lambda: a_cancel("1"), lambda: an_upsert("1")),
        (lambda: a_cancel(UUID, "uuid"), lambda: an_upsert("1")),
        (lambda: a_cancel("e-1", "external_id"), lambda: an_upsert("1", external_id="e-1")),
        (lambda: a_cancel("#1", "order_name"), lambda: an_upsert("1", order_name="#1")),
    ],
    ids=["number", "uuid", "external id", "name"],
)


@pytest.fixture
def sweep(pool, orders):
    """Sweeps in a transaction of its own; returns how much ended."""

    async def run(now=LATE):
        async with pool.acquire() as connection, connection.transaction():
            return await orders.sweep(connection, Batch((), now))

    return run


@pytest.fixture
def count_placeholders(pool):
    """Orders without a document, references without an order, and recorded names."""

    async def count():
        row = await pool.fetchrow(
            """SELECT (SELECT count(*) FROM shop_order WHERE document IS NULL),
                      (SELECT count(*) FROM reference WHERE order_id IS NULL),
                      (SELECT count(*) FROM placeholder)"""
        )
        return tuple(row)

    return count


@KINDS
async def test_placeholder_is_deleted_with_the_expiry_of_what_waited(
    apply, sweep, count_placeholders, waits, appears
):
    await apply(waits())
    assert sum(await count_placeholders()) == 2  # The row, and its name.

    assert await sweep() == 2

    assert await count_placeholders() == (0, 0, 0)


@KINDS
async def test_placeholder_stays_while_anything_waits_for_it(
    apply, sweep, count_placeholders, waits, appears
):
    await apply(waits())
    await apply(waits(), now=NOW + timedelta(minutes=10))
    before = await count_placeholders()

    assert await sweep() == 1  # The first item ends; the second one waits.

    assert await count_placeholders() == before


@KINDS
async def test_placeholder_that_became_an_order_keeps_its_row(
    apply, sweep, count_placeholders, published, waits, appears
):
    await apply(waits())
    await apply(appears())

    assert await sweep() == 1  # Only the name is no longer recorded.

    assert await count_placeholders() == (0, 0, 0)
    await apply(a_cancel("1", ce_id="again"))
    outcomes = [r[2] for r in await published("orders.outcomes")]
    assert outcomes[-1]["reason"] == "no_difference"


@KINDS
async def test_placeholder_is_made_again_by_a_command_after_the_sweep(
    apply, sweep, count_placeholders, published, waits, appears
):
    await apply(waits())
    await sweep()

    await apply(waits(), now=LATE)
    await apply(appears(), now=LATE)

    names = [r[2]["event_name"] for r in await published() if r[0].endswith(".events")]
    assert names == ["ORDER_PLACED", "ORDER_CANCELLED"]


async def test_placeholders_are_deleted_in_bounded_steps(apply, sweep, count_placeholders):
    await apply(*(a_cancel(f"{n}") for n in range(700)))

    steps = [await sweep(), await sweep(), await sweep()]

    assert steps == [1000, 400, 0]
    assert await count_placeholders() == (0, 0, 0)


async def test_placeholder_of_what_was_published_before_a_restore_stays(apply, sweep, pool):
    await apply(a_cancel("1"))
    await pool.execute("""UPDATE stored_order SET told = '{"version": 3}'""")

    await sweep()

    assert await pool.fetchval("SELECT count(*) FROM stored_order") == 1
    assert await pool.fetchval("SELECT count(*) FROM placeholder") == 0


@KINDS
@pytest.mark.parametrize("late", ["waits", "appears"])
async def test_placeholder_in_use_by_another_transaction_is_left_for_the_next_sweep(
    apply, orders, pool, sweep, count_placeholders, waits, appears, late
):
    """A command arrives first: the sweep does not wait for it, and deletes nothing of it."""
    await apply(waits())
    record = {"waits": waits, "appears": appears}[late]()
    before = await count_placeholders()
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM waiting")
        async with connection.transaction():
            await orders.apply(connection, Batch((record,), LATE))
            assert await sweep() == 0
    rows = await count_placeholders()
    assert rows == (before if late == "waits" else (0, 0, 1))


@KINDS
@pytest.mark.parametrize("late", ["waits", "appears"])
async def test_placeholder_that_is_being_deleted_is_made_again_by_the_command_that_waits_for_it(
    apply,
    orders,
    pool,
    published,
    count_placeholders,
    until_it_waits_for_a_lock,
    waits,
    appears,
    late,
):
    """The sweep comes first: the command finds no row, and makes one."""
    await apply(waits())
    records = {"waits": waits, "appears": appears}
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM waiting")
        async with connection.transaction():
            assert await orders.sweep(connection, Batch((), LATE)) == 1
            other = asyncio.create_task(patiently(apply, records[late]()))
            await until_it_waits_for_a_lock()
    await other

    rows = await count_placeholders()
    assert (sum(rows[:2]), rows[2]) == ((1, 1) if late == "waits" else (0, 0))
    await apply(records["appears" if late == "waits" else "waits"]())
    names = [r[2]["event_name"] for r in await published() if r[0].endswith(".events")]
    assert names == ["ORDER_PLACED", "ORDER_CANCELLED"]


async def test_placeholders_of_the_version_before_are_recorded_by_the_migration(
    apply, pool, sweep, count_placeholders
):
    await apply(a_cancel("1"), a_cancel(UUID, "uuid"), a_cancel("e-1", "external_id"))
    made = await pool.fetch("SELECT shop, kind, value, order_id FROM placeholder ORDER BY kind")
    await pool.execute("DELETE FROM placeholder")
    await pool.execute("DELETE FROM waiting")
    text = MIGRATION.read_text(encoding="utf-8")

    await pool.execute(text[text.index("INSERT INTO placeholder") :])

    # One row stands for the number and the UUID of an order: that of the later one.
    found = await pool.fetch("SELECT shop, kind, value, order_id FROM placeholder ORDER BY kind")
    assert found == [made[0], made[2]]
    await pool.execute("UPDATE placeholder SET awaited_at = $1", NOW)
    await sweep()
    assert await count_placeholders() == (0, 0, 0)
