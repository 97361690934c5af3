"""Operations on parked items: in the order of the queue, up to the next failure."""

import json

from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, Failure, FailureKind, ItemRef
from services.runtime.parking import operations
from services.runtime.parking.operations import ParkedSelection
from services.runtime.parking.selection import find, neighbours
from tests.integration.orders.conftest import (
    EVERYTHING,
    NOW,
    a_cancel,
    a_poison,
    a_record,
    a_report,
    an_upsert,
    became,
    event_names,
)


async def test_parking_retry_decides_the_queue_in_order(apply, bug, act, parked_kinds, published):
    await apply(a_poison(trackings=["1Z001"]), a_report("1Z001"), a_cancel("1"))
    bug["mended"] = True

    result = await act(operations.retry)

    assert became(result) == ["applied", "applied", "applied"]
    assert await parked_kinds() == []
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
    apply, bug, act, parked_kinds, pool
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
    assert await parked_kinds() == ["decision", "behind"]


async def test_parking_skip_stops_at_the_second_failure_of_a_queue(
    apply, bug, act, parked_kinds, published
):
    body = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    await apply(a_poison(), a_record("order.cancel", body), a_cancel("1"))

    skipped = await act(
        operations.skip, ParkedSelection(kind=FailureKind.DECISION), detail="not wanted"
    )

    # The order was never placed: the item that was behind the head is decided without it.
    assert became(skipped) == ["rejected", "parked", "behind"]
    assert await parked_kinds() == ["decision", "behind"]


async def test_parking_skip_refuses_the_failed_item_and_retries_those_behind_it(
    apply, bug, act, parked_kinds, published, pool
):
    await apply(an_upsert("1"))
    await apply(a_poison(), a_cancel("1"))

    result = await act(
        operations.skip, ParkedSelection(kind=FailureKind.DECISION), detail="ticket 7"
    )

    assert became(result) == ["rejected", "applied"]
    assert await parked_kinds() == []
    row = await pool.fetchrow("SELECT * FROM rejected")
    assert (row["reason"], row["detail"]) == ("skipped_by_operator", "ticket 7")
    assert [r[2]["reason"] for r in await published("orders.rejected")] == ["skipped_by_operator"]
    outcomes = [(r[2]["outcome"], r[2]["reason"]) for r in await published("orders.outcomes")]
    assert ("rejected", "skipped_by_operator") in outcomes
    assert (await event_names(published))[-1] == "ORDER_CANCELLED"


async def test_parking_skip_of_an_item_behind_another_changes_nothing(
    apply, bug, act, parked_kinds, pool
):
    await apply(a_poison(), a_cancel("1"))

    result = await act(operations.skip, ParkedSelection(kind=FailureKind.BEHIND), detail="no")

    assert became(result) == ["behind"]
    assert await parked_kinds() == ["decision", "behind"]


async def test_parking_discard_refuses_all_items_behind_too(apply, bug, act, parked_kinds, pool):
    await apply(a_poison("1"), a_cancel("1"), a_poison("2"))
    (head, *_) = await pool.fetch("SELECT id FROM parked ORDER BY id")

    result = await act(operations.discard, ParkedSelection(ids=(head["id"],)), detail="ticket 8")

    assert became(result) == ["rejected", "rejected"]
    assert await parked_kinds() == ["decision"]
    reasons = await pool.fetch("SELECT reason FROM rejected")
    assert [row["reason"] for row in reasons] == ["discarded_by_operator"] * 2


async def test_parking_edit_retries_the_item_with_the_new_value(
    apply, bug, act, parked_kinds, published
):
    poison = a_poison()
    await apply(poison, a_cancel("1"))

    result = await act(
        operations.edit_and_retry,
        ParkedSelection(kind=FailureKind.DECISION),
        value=poison.value.replace(b"POISON", b"anna"),
    )

    assert result.before.original.value == poison.value
    assert became(result) == ["applied", "applied"]
    assert await parked_kinds() == []


async def test_parking_dry_run_has_the_same_results_and_changes_nothing(
    apply, bug, orders, pool, parked_kinds
):
    await apply(a_poison(), a_cancel("1"))
    bug["mended"] = True
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        result = await operations.retry(connection, orders.apply, EVERYTHING, now=NOW)
        await transaction.rollback()

    assert became(result) == ["applied", "applied"]
    assert await parked_kinds() == ["decision", "behind"]


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


async def test_parking_limit_leaves_a_remainder_for_the_next_transaction(
    apply, bug, act, parked_kinds
):
    await apply(a_poison(), *(a_cancel("1") for _ in range(4)))
    bug["mended"] = True

    first = await act(operations.retry, limit=2)
    assert len(first.items) == 2
    rest = await act(operations.retry, first.remainder)

    assert (len(rest.items), rest.remainder) == (3, None)
    assert await parked_kinds() == []


async def test_parking_remainder_is_skipped_if_chosen_and_only_retried_if_behind(
    apply, bug, act, parked_kinds, pool
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
    assert await parked_kinds() == []


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


async def test_parking_puts_a_woken_item_that_fails_before_later_items(
    apply, bug, act, pool, parked_kinds, published
):
    body = {"shop_slug": "demo-shop", "id": "1", "reason": "POISON"}
    bug["mended"] = True
    await apply(a_record("order.cancel", body))  # It waits for the order.
    bug["mended"] = False
    poison = a_poison()
    await apply(poison, a_cancel("1"))
    assert await parked_kinds() == ["decision", "behind"]

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


async def test_parking_keeps_values_as_they_came(apply, bug, pool):
    body = json.dumps({"shop_slug": "demo-shop", "id": "1", "reason": "POISON", "x": "\u00e4"})
    record = a_record("order.cancel", body.encode(), ce_id="c-1")

    await apply(record)

    async with pool.acquire() as connection:
        (row,) = await find(connection, EVERYTHING)
    assert row.original == record
    assert (row.type, row.attempts, row.failure.kind) == ("order.cancel", 1, FailureKind.DECISION)
