"""Operations on parked items and the retries of the service: in order, up to the next failure."""

import asyncio
import json

import asyncpg
import pytest

import services.orders.unit_of_work
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, Failure, FailureKind, ItemRef
from services.runtime.clock import SystemClock
from services.runtime.parking import operations
from services.runtime.parking.operations import ParkedSelection
from services.runtime.parking.retry_loop import RetryLoop
from services.runtime.parking.selection import find, neighbours
from tests.e2e.poisoned import plant
from tests.integration.orders.conftest import NOW, a_cancel, a_record, a_report, an_upsert

EVERYTHING = ParkedSelection()


@pytest.fixture
def bug(monkeypatch):
    """A bug that fails every item containing POISON, until `mended` is set."""
    state = {"mended": False}
    buggy = plant(services.orders.unit_of_work, lambda: state["mended"])
    monkeypatch.setattr(services.orders.unit_of_work, "decide", buggy)
    return state


@pytest.fixture
def act(pool, orders):
    """Runs an operation in its own transaction; returns its result."""

    async def run(what, selection=EVERYTHING, **more):
        async with pool.acquire() as connection, connection.transaction():
            return await what(connection, orders.apply, selection, now=NOW, **more)

    return run


@pytest.fixture
def retry_loop(pool, orders):
    """The retry loop of the service."""
    return RetryLoop(
        service="orders",
        pool=pool,
        apply=orders.apply,
        clock=SystemClock(),
        interval_seconds=1,
        committed=lambda: None,
    )


@pytest.fixture
def parked(pool):
    """Kinds in the queue, in its order."""

    async def read():
        return [row["kind"] for row in await pool.fetch("SELECT kind FROM parked ORDER BY id, nth")]

    return read


async def due_now(pool):
    """End the delay of every item."""
    await pool.execute("UPDATE parked SET next_try_at = now() WHERE next_try_at IS NOT NULL")


def became(result):
    return [each.became for each in result.items]


async def event_names(published):
    return [r[2]["event_name"] for r in await published() if r[0].endswith(".events")]


def a_poison(number="1", **more):
    return an_upsert(number, email_id="POISON@mail.example", **more)


async def test_parking_retry_decides_the_queue_in_order(apply, bug, act, parked, published):
    await apply(a_poison(trackings=["1Z001"]), a_report("1Z001"), a_cancel("1"))
    bug["mended"] = True

    result = await act(operations.retry)

    assert became(result) == ["applied", "applied", "applied"]
    assert await parked() == []
    assert await event_names(published) == [
        "ORDER_PLACED",
        "SHIPMENT_FULFILLED",
        "PICKED_UP_BY_CARRIER",
        "ORDER_CANCELLED",
    ]
    outcomes = [r[2] for r in await published("orders.outcomes")]
    assert [(each["outcome"], each["command_type"]) for each in outcomes] == [
        ("applied", "order.upsert"),
        ("applied", "order.cancel"),
    ]


async def test_parking_retry_stops_at_the_next_failure_and_others_leave(
    apply, bug, act, parked, pool
):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"), a_cancel("2"))

    again = await act(
        operations.retry, ParkedSelection(offset=None, parking_key=None, kind=FailureKind.DECISION)
    )
    assert became(again) == ["parked", "behind", "parked", "behind"]
    first = await pool.fetchrow("SELECT * FROM parked ORDER BY id LIMIT 1")
    assert (first["attempts"], first["kind"]) == (2, "decision")

    await pool.execute(
        "UPDATE parked SET value = replace(convert_from(value, 'utf8'), 'POISON', 'a')::bytea"
        " WHERE id = (SELECT min(id) FROM parked)"
    )
    some = await act(operations.retry)

    assert became(some) == ["applied", "applied", "parked", "behind"]
    assert await parked() == ["decision", "behind"]


async def test_parking_skip_stops_at_the_second_failure_of_a_queue(
    apply, bug, act, parked, published
):
    body = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    await apply(a_poison(), a_record("order.cancel", body), a_cancel("1"))

    skipped = await act(
        operations.skip, ParkedSelection(kind=FailureKind.DECISION), detail="not wanted"
    )

    # The order was never placed: the item that was behind the head is decided without it.
    assert became(skipped) == ["rejected", "parked", "behind"]
    assert await parked() == ["decision", "behind"]


async def test_parking_skip_refuses_the_failed_item_and_retries_those_behind_it(
    apply, bug, act, parked, published, pool
):
    await apply(an_upsert("1"))
    await apply(a_poison(), a_cancel("1"))

    result = await act(
        operations.skip, ParkedSelection(kind=FailureKind.DECISION), detail="ticket 7"
    )

    assert became(result) == ["rejected", "applied"]
    assert await parked() == []
    row = await pool.fetchrow("SELECT * FROM rejected")
    assert (row["reason"], row["detail"]) == ("skipped_by_operator", "ticket 7")
    assert [r[2]["reason"] for r in await published("orders.rejected")] == ["skipped_by_operator"]
    outcomes = [(r[2]["outcome"], r[2]["reason"]) for r in await published("orders.outcomes")]
    assert ("rejected", "skipped_by_operator") in outcomes
    assert (await event_names(published))[-1] == "ORDER_CANCELLED"


async def test_parking_skip_of_an_item_behind_another_changes_nothing(
    apply, bug, act, parked, pool
):
    await apply(a_poison(), a_cancel("1"))

    result = await act(operations.skip, ParkedSelection(kind=FailureKind.BEHIND), detail="no")

    assert became(result) == ["behind"]
    assert await parked() == ["decision", "behind"]


async def test_parking_discard_refuses_all_items_behind_too(apply, bug, act, parked, pool):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"))
    (head, *_) = await pool.fetch("SELECT id FROM parked ORDER BY id")

    result = await act(operations.discard, ParkedSelection(ids=(head["id"],)), detail="ticket 8")

    assert became(result) == ["rejected", "rejected"]
    assert await parked() == ["decision"]
    reasons = await pool.fetch("SELECT reason FROM rejected")
    assert [row["reason"] for row in reasons] == ["discarded_by_operator"] * 2


async def test_parking_edit_retries_the_item_with_the_new_value(apply, bug, act, parked, published):
    poison = a_poison()
    await apply(poison, a_cancel("1"))

    result = await act(
        operations.edit_and_retry,
        ParkedSelection(kind=FailureKind.DECISION),
        value=poison.value.replace(b"POISON", b"anna"),
    )

    assert result.before.original.value == poison.value
    assert became(result) == ["applied", "applied"]
    assert await parked() == []


async def test_parking_dry_run_has_the_same_results_and_changes_nothing(
    apply, bug, orders, pool, parked
):
    await apply(a_poison(), a_cancel("1"))
    bug["mended"] = True
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        result = await operations.retry(connection, orders.apply, EVERYTHING, now=NOW)
        await transaction.rollback()

    assert became(result) == ["applied", "applied"]
    assert await parked() == ["decision", "behind"]


async def test_parking_find_filters_by_every_member(apply, bug, pool):
    poison = a_poison(trackings=["1Z001"])
    await apply(poison, a_report("1Z001"), a_cancel("1"), a_poison("2"))
    order = await pool.fetchval("SELECT name FROM parked_name WHERE name LIKE 'order:%' LIMIT 1")
    at = poison.coordinates
    async with pool.acquire() as connection:

        async def found(**selection):
            return [row.behind for row in await find(connection, ParkedSelection(**selection))]

        assert await found() == [2, 0, 0, 0]
        assert await found(topic=at.topic, partition=0, offset=at.offset, index=0) == [2]
        assert await found(kind=FailureKind.BEHIND) == [0, 0]
        assert await found(heads_only=True) == [2, 0]
        assert await found(key=poison.key, topic="carrier.tracking") == [0]
        assert await found(key=b"demo-shop/none") == []
        assert await found(parking_key="number/1Z001") == [2, 0]
        assert len(await found(parking_key=order)) == 2
        assert len(await found(error_contains="decision that")) == 2
        assert await found(parked_before=NOW) == []
        assert await found(error_contains="nothing of the kind") == []


async def test_parking_limit_leaves_a_remainder_for_the_next_transaction(apply, bug, act, parked):
    await apply(a_poison(), *(a_cancel("1") for _ in range(4)))
    bug["mended"] = True

    first = await act(operations.retry, limit=2)
    assert len(first.items) == 2
    rest = await act(operations.retry, first.remainder)

    assert (len(rest.items), rest.remainder) == (3, None)
    assert await parked() == []


async def test_parking_remainder_is_skipped_if_chosen_and_only_retried_if_behind(
    apply, bug, act, parked, pool
):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"), a_cancel("2"), a_poison("3"))
    heads = ParkedSelection(heads_only=True, error_contains="decision that")
    steps = []

    while heads:
        steps.append(await act(operations.skip, heads, detail="ticket 9", limit=2))
        heads = steps[-1].remainder

    assert [became(step) for step in steps] == [
        ["rejected", "waiting"],
        ["rejected", "waiting"],
        ["rejected"],
    ]
    assert [steps[0].remainder.count, steps[1].remainder.count] == [3, 1]
    reasons = await pool.fetch("SELECT DISTINCT reason FROM rejected")
    assert [row["reason"] for row in reasons] == ["skipped_by_operator"]
    assert await parked() == []


async def test_parking_neighbours_are_the_items_ahead_and_behind(apply, bug, pool):
    await apply(a_poison(trackings=["1Z001"]), a_report("1Z001"), a_cancel("1"), a_poison("2"))
    async with pool.acquire() as connection:
        head, report, cancel, other = [row.position for row in await find(connection, EVERYTHING)]

        async def around(position, limit=9):
            found = await neighbours(connection, position, limit)
            return [[each.position for each in side] for side in (found.ahead, found.behind)]

        assert await around(head) == [[], [report, cancel]]
        assert await around(head, limit=1) == [[], [report]]
        assert await around(report) == [[head], []]
        assert await around(cancel) == [[head], []]
        assert await around(other) == [[], []]


async def test_parking_retry_loop_retries_only_what_is_due(apply, bug, retry_loop, parked, pool):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"))
    bug["mended"] = True
    assert await retry_loop.retry_due() == 0
    await pool.execute(
        "UPDATE parked SET next_try_at = now() WHERE id = (SELECT min(id) FROM parked)"
    )

    assert await retry_loop.retry_due() == 2
    assert await retry_loop.retry_due() == 0

    assert await parked() == ["decision"]


async def test_parking_retry_loop_doubles_the_delay_after_each_failure(
    apply, bug, retry_loop, pool
):
    await apply(a_poison())
    delays = []
    for _ in range(3):
        await due_now(pool)
        assert await retry_loop.retry_due() == 0
        delays.append(
            await pool.fetchval(
                "SELECT extract(epoch FROM next_try_at - last_tried_at)::float FROM parked"
            )
        )
    assert await pool.fetchval("SELECT attempts FROM parked") == 4
    assert 96 <= delays[0] <= 144
    assert 192 <= delays[1] <= 288
    assert 384 <= delays[2] <= 576


async def test_parking_retry_loop_decides_an_item_that_is_behind_nothing_any_more(
    apply, bug, retry_loop, parked, pool
):
    await apply(a_poison(), a_cancel("1"))
    await pool.execute("DELETE FROM parked WHERE kind = 'decision'")

    assert await retry_loop.retry_due() == 1
    assert await parked() == []


async def test_parking_retries_of_a_queue_exclude_each_other(
    apply, bug, retry_loop, pool, orders, parked
):
    await apply(a_poison())
    await due_now(pool)
    bug["mended"] = True
    async with pool.acquire() as connection, connection.transaction():
        await operations.retry(
            connection, orders.apply, ParkedSelection(kind=FailureKind.CRASH), now=NOW
        )
        assert await retry_loop.retry_due() == 0
    assert await retry_loop.retry_due() == 1


async def test_parking_puts_a_woken_item_that_fails_before_later_items(
    apply, bug, act, pool, parked, published
):
    body = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    bug["mended"] = True
    await apply(a_record("order.cancel", body))  # It waits for the order.
    bug["mended"] = False
    poison = a_poison()
    await apply(poison, a_cancel("1"))
    assert await parked() == ["decision", "behind"]

    edited = poison.value.replace(b"POISON", b"anna")
    result = await act(
        operations.edit_and_retry, ParkedSelection(kind=FailureKind.DECISION), value=edited
    )

    assert became(result) == ["applied", "behind"]
    rows = await pool.fetch(
        "SELECT kind, nth, convert_from(value, 'utf8') AS value FROM parked ORDER BY id, nth"
    )
    assert [(row["kind"], row["nth"]) for row in rows] == [("decision", 1), ("behind", 0)]
    assert "POISON" in rows[0]["value"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_parking_puts_what_the_first_item_of_a_record_woke_before_the_second(
    apply, bug, act, pool, orders, published
):
    cancel = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    order = {"order_number": "1", "address": {"zip_code": "10115"}}
    first = {"id": "1", "order": order | {"email_id": "POISON@mail.example"}}
    items = [first, {"id": "1", "order": order | {"order_name": "#1"}}]
    bulk = a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": items})
    killed = {ItemRef(bulk.coordinates, WHOLE): Failure(FailureKind.CRASH, "its process died")}
    bug["mended"] = True
    await apply(a_record("order.cancel", cancel))  # It waits for the order.
    bug["mended"] = False
    async with pool.acquire() as connection, connection.transaction():
        await orders.apply(connection, Batch((bulk,), NOW, known_failures=killed))
    assert became(await act(operations.retry)) == ["parked", "behind"]

    value = await pool.fetchval("SELECT value FROM parked WHERE kind = 'decision'")
    edited = value.replace(b"POISON", b"anna")
    result = await act(
        operations.edit_and_retry, ParkedSelection(kind=FailureKind.DECISION), value=edited
    )
    assert became(result) == ["applied", "behind"]
    bug["mended"] = True
    await act(operations.retry)

    assert await event_names(published) == ["ORDER_PLACED", "ORDER_CANCELLED", "ORDER_UPDATED"]


async def test_parking_of_an_order_keeps_what_waits_for_it_from_expiring(apply, bug, orders, pool):
    bug["mended"] = True
    await apply(a_cancel("1"))
    bug["mended"] = False
    await apply(a_poison())
    late = NOW.replace(year=2030)

    async with pool.acquire() as connection, connection.transaction():
        assert await orders.sweep(connection, Batch((), late)) == 0
    await pool.execute("DELETE FROM parked")
    async with pool.acquire() as connection, connection.transaction():
        assert await orders.sweep(connection, Batch((), late)) == 1


# Two transactions driven into each other.


@pytest.fixture
async def until_it_waits_for_a_lock(database_url):
    """Waits until a transaction waits for a lock of another; only the owner sees that."""
    connection = await asyncpg.connect(database_url)

    async def wait():
        async with asyncio.timeout(8):
            while not await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            ):
                await asyncio.sleep(0.01)

    yield wait
    await connection.close()


async def test_parking_retry_goes_before_a_batch_that_meets_it(
    apply, bug, orders, pool, published, parked, retry_loop, until_it_waits_for_a_lock
):
    await apply(an_upsert("1"))
    await apply(a_poison(order_name="#1"))
    bug["mended"] = True
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await operations.retry(connection, orders.apply, EVERYTHING, now=NOW)
        other = asyncio.create_task(apply(a_cancel("1")))
        await until_it_waits_for_a_lock()
        await transaction.commit()
    await other

    assert await parked() == []
    assert await event_names(published) == ["ORDER_PLACED", "ORDER_UPDATED", "ORDER_CANCELLED"]


async def test_parking_retry_leaves_what_a_batch_parked_meanwhile_to_the_next_one(
    apply, bug, orders, pool, published, parked, retry_loop, act, until_it_waits_for_a_lock
):
    await apply(an_upsert("1"))
    await apply(a_poison(order_name="#1"))
    bug["mended"] = True
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await orders.apply(connection, Batch((a_cancel("1"),), NOW))
        other = asyncio.create_task(act(operations.retry))
        await until_it_waits_for_a_lock()
        await transaction.commit()
    assert became(await other) == ["applied"]
    assert await parked() == ["behind"]

    assert await retry_loop.retry_due() == 1

    assert await event_names(published) == ["ORDER_PLACED", "ORDER_UPDATED", "ORDER_CANCELLED"]


# Failures that are no decision's.


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


async def test_parking_retry_keeps_only_the_item_whose_write_fails(
    apply, bug, act, parked, refuse, pool, published
):
    await apply(a_poison("1"), a_poison("2"), a_cancel("2"), a_poison("3"))
    bug["mended"] = True
    await refuse("stored_order", "order_number = '2'")

    result = await act(operations.retry)

    assert became(result) == ["applied", "parked", "behind", "applied"]
    assert await parked() == ["write", "behind"]
    assert "unforeseen" in await pool.fetchval("SELECT error FROM parked WHERE kind = 'write'")
    await refuse.allow("stored_order")
    assert became(await act(operations.retry)) == ["applied", "applied"]


async def test_parking_keeps_values_as_they_came(apply, bug, pool):
    body = json.dumps({"shop_slug": "demo-shop", "id": "1", "reason": "POISON", "x": "\u00e4"})
    record = a_record("order.cancel", body.encode(), ce_id="c-1")

    await apply(record)

    async with pool.acquire() as connection:
        (row,) = await find(connection, EVERYTHING)
    assert row.original == record
    assert (row.type, row.attempts, row.failure.kind) == ("order.cancel", 1, FailureKind.DECISION)
