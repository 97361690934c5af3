"""What operators and the service itself do about parked items: in order, up to the next failure."""

import asyncio
import json

import asyncpg
import pytest

import services.orders.unit_of_work
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, Failure, ItemRef, Kind
from services.runtime.clock import SystemClock
from services.runtime.parking import operations
from services.runtime.parking.operations import Selection
from services.runtime.parking.retry_loop import RetryLoop
from services.runtime.parking.selection import find, neighbours
from tests.e2e.poisoned import plant
from tests.integration.orders.conftest import NOW, a_cancel, a_record, a_report, an_upsert

EVERYTHING = Selection()


@pytest.fixture
def bug(monkeypatch):
    """A bug that meets whatever says POISON, until it is mended."""
    state = {"mended": False}
    buggy = plant(services.orders.unit_of_work, lambda: state["mended"])
    monkeypatch.setattr(services.orders.unit_of_work, "decide", buggy)
    return state


@pytest.fixture
def act(pool, orders):
    """Runs an act in a transaction of its own; says what became of each item."""

    async def run(what, selection=EVERYTHING, **more):
        async with pool.acquire() as connection, connection.transaction():
            return await what(connection, orders.apply, selection, now=NOW, **more)

    return run


@pytest.fixture
def drains(pool, orders):
    """The service's own retries."""
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
    """As if every delay were over."""
    await pool.execute("UPDATE parked SET next_try_at = now() WHERE next_try_at IS NOT NULL")


def became(result):
    return [each.became for each in result.items]


async def told(published):
    return [r[2]["event_name"] for r in await published() if r[0].endswith(".events")]


def a_poison(number="1", **more):
    return an_upsert(number, email_id="POISON@mail.example", **more)


async def test_a_retry_decides_the_queue_in_order(apply, bug, act, parked, published):
    await apply(a_poison(trackings=["1Z001"]), a_report("1Z001"), a_cancel("1"))
    bug["mended"] = True

    result = await act(operations.retry)

    assert became(result) == ["applied", "applied", "applied"]
    assert await parked() == []
    assert await told(published) == [
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


async def test_a_retry_stops_at_the_next_failure_and_others_leave(apply, bug, act, parked, pool):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"), a_cancel("2"))

    again = await act(operations.retry, Selection(offset=None, name=None, kind=Kind.DECISION))
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


async def test_the_second_failure_of_a_queue_stops_it(apply, bug, act, parked, published):
    body = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    await apply(a_poison(), a_record("order.cancel", body), a_cancel("1"))

    skipped = await act(operations.skip, Selection(kind=Kind.DECISION), detail="not wanted")

    # The order was never placed: what stood behind the head is decided without it.
    assert became(skipped) == ["rejected", "parked", "behind"]
    assert await parked() == ["decision", "behind"]


async def test_a_skip_refuses_the_head_and_lets_the_queue_go_on(
    apply, bug, act, parked, published, pool
):
    await apply(an_upsert("1"))
    await apply(a_poison(), a_cancel("1"))

    result = await act(operations.skip, Selection(kind=Kind.DECISION), detail="ticket 7")

    assert became(result) == ["rejected", "applied"]
    assert await parked() == []
    row = await pool.fetchrow("SELECT * FROM rejected")
    assert (row["reason"], row["detail"]) == ("skipped_by_operator", "ticket 7")
    assert [r[2]["reason"] for r in await published("orders.rejected")] == ["skipped_by_operator"]
    outcomes = [(r[2]["outcome"], r[2]["reason"]) for r in await published("orders.outcomes")]
    assert ("rejected", "skipped_by_operator") in outcomes
    assert (await told(published))[-1] == "ORDER_CANCELLED"


async def test_a_skip_of_what_stands_behind_changes_nothing(apply, bug, act, parked, pool):
    await apply(a_poison(), a_cancel("1"))

    result = await act(operations.skip, Selection(kind=Kind.BEHIND), detail="no")

    assert became(result) == ["behind"]
    assert await parked() == ["decision", "behind"]


async def test_a_discard_refuses_all_that_stands_behind_too(apply, bug, act, parked, pool):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"))
    (head, *_) = await pool.fetch("SELECT id FROM parked ORDER BY id")

    result = await act(operations.discard, Selection(ids=(head["id"],)), detail="ticket 8")

    assert became(result) == ["rejected", "rejected"]
    assert await parked() == ["decision"]
    reasons = await pool.fetch("SELECT reason FROM rejected")
    assert [row["reason"] for row in reasons] == ["discarded_by_operator"] * 2


async def test_an_edited_item_is_tried_with_the_new_value(apply, bug, act, parked, published):
    poison = a_poison()
    await apply(poison, a_cancel("1"))

    result = await act(
        operations.edit_and_retry,
        Selection(kind=Kind.DECISION),
        value=poison.value.replace(b"POISON", b"anna"),
    )

    assert result.before.original.value == poison.value
    assert became(result) == ["applied", "applied"]
    assert await parked() == []


async def test_a_dry_run_tells_the_same_and_changes_nothing(apply, bug, orders, pool, parked):
    await apply(a_poison(), a_cancel("1"))
    bug["mended"] = True
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        result = await operations.retry(connection, orders.apply, EVERYTHING, now=NOW)
        await transaction.rollback()

    assert became(result) == ["applied", "applied"]
    assert await parked() == ["decision", "behind"]


async def test_items_are_found_by_what_is_known_of_them(apply, bug, pool):
    poison = a_poison(trackings=["1Z001"])
    await apply(poison, a_report("1Z001"), a_cancel("1"), a_poison("2"))
    order = await pool.fetchval("SELECT name FROM parked_name WHERE name LIKE 'order:%' LIMIT 1")
    at = poison.coordinates
    async with pool.acquire() as connection:

        async def found(**selection):
            return [row.behind for row in await find(connection, Selection(**selection))]

        assert await found() == [2, 0, 0, 0]
        assert await found(topic=at.topic, partition=0, offset=at.offset, index=0) == [2]
        assert await found(kind=Kind.BEHIND) == [0, 0]
        assert await found(heads_only=True) == [2, 0]
        assert await found(key=poison.key, topic="carrier.tracking") == [0]
        assert await found(key=b"demo-shop/none") == []
        assert await found(name="number/1Z001") == [2, 0]
        assert len(await found(name=order)) == 2
        assert len(await found(error_contains="decision that")) == 2
        assert await found(parked_before=NOW) == []
        assert await found(error_contains="nothing of the kind") == []


async def test_a_limit_leaves_a_rest_to_act_on(apply, bug, act, parked):
    await apply(a_poison(), *(a_cancel("1") for _ in range(4)))
    bug["mended"] = True

    first = await act(operations.retry, limit=2)
    assert len(first.items) == 2
    rest = await act(operations.retry, first.rest)

    assert (len(rest.items), rest.rest) == (3, None)
    assert await parked() == []


async def test_a_rest_is_skipped_where_it_was_meant_and_only_tried_where_it_stood_behind(
    apply, bug, act, parked, pool
):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"), a_cancel("2"), a_poison("3"))
    heads = Selection(heads_only=True, error_contains="decision that")
    steps = []

    while heads:
        steps.append(await act(operations.skip, heads, detail="ticket 9", limit=2))
        heads = steps[-1].rest

    assert [became(step) for step in steps] == [
        ["rejected", "waiting"],
        ["rejected", "waiting"],
        ["rejected"],
    ]
    assert [steps[0].rest.count, steps[1].rest.count] == [3, 1]
    reasons = await pool.fetch("SELECT DISTINCT reason FROM rejected")
    assert [row["reason"] for row in reasons] == ["skipped_by_operator"]
    assert await parked() == []


async def test_who_stands_around_an_item_is_told(apply, bug, pool):
    await apply(a_poison(trackings=["1Z001"]), a_report("1Z001"), a_cancel("1"), a_poison("2"))
    async with pool.acquire() as connection:
        head, report, cancel, other = [row.place for row in await find(connection, EVERYTHING)]

        async def around(place, limit=9):
            found = await neighbours(connection, place, limit)
            return [[each.place for each in side] for side in (found.before, found.behind)]

        assert await around(head) == [[], [report, cancel]]
        assert await around(head, limit=1) == [[], [report]]
        assert await around(report) == [[head], []]
        assert await around(cancel) == [[head], []]
        assert await around(other) == [[], []]


async def test_the_service_retries_what_is_due_and_only_that(apply, bug, drains, parked, pool):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"))
    bug["mended"] = True
    assert await drains.drain_once() == 0
    await pool.execute(
        "UPDATE parked SET next_try_at = now() WHERE id = (SELECT min(id) FROM parked)"
    )

    assert await drains.drain_once() == 2
    assert await drains.drain_once() == 0

    assert await parked() == ["decision"]


async def test_delays_grow_and_a_record_that_crashes_is_left_to_operators(apply, bug, drains, pool):
    await apply(a_poison())
    delays = []
    for _ in range(3):
        await due_now(pool)
        assert await drains.drain_once() == 0
        delays.append(
            await pool.fetchval(
                "SELECT extract(epoch FROM next_try_at - last_tried_at)::float FROM parked"
            )
        )
    assert await pool.fetchval("SELECT attempts FROM parked") == 4
    assert 96 <= delays[0] <= 144
    assert 192 <= delays[1] <= 288
    assert 384 <= delays[2] <= 576


async def test_what_the_race_left_behind_nothing_is_decided_by_the_next_pass(
    apply, bug, drains, parked, pool
):
    await apply(a_poison(), a_cancel("1"))
    await pool.execute("DELETE FROM parked WHERE kind = 'decision'")

    assert await drains.drain_once() == 1
    assert await parked() == []


async def test_one_drain_at_a_time(apply, bug, drains, pool, orders, parked):
    await apply(a_poison())
    await due_now(pool)
    bug["mended"] = True
    async with pool.acquire() as connection, connection.transaction():
        await operations.retry(connection, orders.apply, Selection(kind=Kind.CRASH), now=NOW)
        assert await drains.drain_once() == 0
    assert await drains.drain_once() == 1


async def test_a_called_item_that_fails_again_stands_before_what_came_after_it(
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
    result = await act(operations.edit_and_retry, Selection(kind=Kind.DECISION), value=edited)

    assert became(result) == ["applied", "behind"]
    rows = await pool.fetch(
        "SELECT kind, nth, convert_from(value, 'utf8') AS value FROM parked ORDER BY id, nth"
    )
    assert [(row["kind"], row["nth"]) for row in rows] == [("decision", 1), ("behind", 0)]
    assert "POISON" in rows[0]["value"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_what_is_called_by_the_first_of_a_record_s_items_comes_before_the_second(
    apply, bug, act, pool, orders, published
):
    cancel = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    order = {"order_number": "1", "address": {"zip_code": "10115"}}
    first = {"id": "1", "order": order | {"email_id": "POISON@mail.example"}}
    items = [first, {"id": "1", "order": order | {"order_name": "#1"}}]
    bulk = a_record("orders.fulfill_bulk", {"shop_slug": "demo-shop", "items": items})
    killed = {ItemRef(bulk.coordinates, WHOLE): Failure(Kind.CRASH, "its process died")}
    bug["mended"] = True
    await apply(a_record("order.cancel", cancel))  # It waits for the order.
    bug["mended"] = False
    async with pool.acquire() as connection, connection.transaction():
        await orders.apply(connection, Batch((bulk,), NOW, known_failures=killed))
    assert became(await act(operations.retry)) == ["parked", "behind"]

    value = await pool.fetchval("SELECT value FROM parked WHERE kind = 'decision'")
    edited = value.replace(b"POISON", b"anna")
    result = await act(operations.edit_and_retry, Selection(kind=Kind.DECISION), value=edited)
    assert became(result) == ["applied", "behind"]
    bug["mended"] = True
    await act(operations.retry)

    assert await told(published) == ["ORDER_PLACED", "ORDER_CANCELLED", "ORDER_UPDATED"]


async def test_what_waits_for_a_parked_order_does_not_expire(apply, bug, orders, pool):
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
    """Waits until a second transaction has run into the first; only the owner sees who waits."""
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


async def test_a_batch_that_meets_a_retry_comes_after_it(
    apply, bug, orders, pool, published, parked, drains, until_it_waits_for_a_lock
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
    assert await told(published) == ["ORDER_PLACED", "ORDER_UPDATED", "ORDER_CANCELLED"]


async def test_a_retry_that_meets_a_batch_leaves_what_the_batch_parked_to_the_next_pass(
    apply, bug, orders, pool, published, parked, drains, act, until_it_waits_for_a_lock
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

    assert await drains.drain_once() == 1

    assert await told(published) == ["ORDER_PLACED", "ORDER_UPDATED", "ORDER_CANCELLED"]


# Failures that are no decision's.


@pytest.fixture
async def refuse(database_url):
    """Makes Postgres refuse rows of a table, as nobody foresaw."""
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


async def test_a_retry_whose_write_fails_keeps_that_item_only(
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


async def test_values_are_kept_as_they_came(apply, bug, pool):
    body = json.dumps({"shop_slug": "demo-shop", "id": "1", "reason": "POISON", "x": "\u00e4"})
    record = a_record("order.cancel", body.encode(), ce_id="c-1")

    await apply(record)

    async with pool.acquire() as connection:
        (row,) = await find(connection, EVERYTHING)
    assert row.original == record
    assert (row.type, row.attempts, row.failure.kind) == ("order.cancel", 1, Kind.DECISION)
