"""Batches of events on a real Postgres: statements, repetition, order, refusals."""

import random

import orjson
import pytest
from structlog.testing import capture_logs

from services.runtime.batch.batch import Batch
from tests.integration.analytics.batches import apply
from tests.integration.analytics.lives import (
    KEYS,
    expected_rows,
    history,
    stored,
    without_complete_version,
)
from tests.integration.outgoing import waiting_records
from tests.unit.analytics.builders import NOON, a_record, a_snapshot, an_order_event


async def test_tables_hold_the_newest_facts(connection, batches):
    events = [event for number in ("1001", "1002") for event in history(number)]

    await apply(connection, batches, *events)

    tables = await stored(connection)
    assert without_complete_version(tables) == expected_rows(events)
    assert [len(rows) for rows in tables.values()] == [2, 2, 2]


@pytest.mark.parametrize("seed", range(5))
async def test_facts_stay_when_events_are_repeated_late_and_shuffled(connection, batches, seed):
    events = [event for n in range(5) for event in history(str(1000 + n))]
    await apply(connection, batches, *events)
    once = await stored(connection)
    for table in sorted(KEYS, reverse=True):  # Parcels before their orders.
        await connection.execute(f"DELETE FROM {table}")
    dice = random.Random(seed)
    shuffled = [*events, *dice.sample(events, 12)]
    dice.shuffle(shuffled)

    while shuffled:
        size = dice.randint(1, 7)
        await apply(connection, batches, *shuffled[:size])
        del shuffled[:size]

    assert await stored(connection) == once
    await apply(connection, batches, *reversed(events))
    assert await stored(connection) == once


@pytest.mark.parametrize("tail", [0, 3])
async def test_rebuild_fills_tables_from_snapshots_and_later_events(connection, batches, tail):
    """All events of the orders are read first, then only snapshots and a few of the events."""
    lives = [list(history(str(1000 + n)))[:5] + list(history(str(1000 + n)))[6:] for n in range(3)]
    await apply(connection, batches, *(event for life in lives for event in life))
    live = await stored(connection)
    for table in sorted(KEYS, reverse=True):
        await connection.execute(f"DELETE FROM {table}")

    snapshots = [a_snapshot(life[4], life[5:]) for life in lives]
    late = [event for life in lives for event in life[:tail]]
    await apply(connection, batches, *(life[-1] for life in lives[:tail]), *snapshots, *late)

    assert await stored(connection) == live


async def test_batch_of_1000_events_takes_as_many_statements_as_of_one(connection, batches):
    async def statements(name, size):
        """The statements of a batch with `size` order events, claim events and malformed ones."""
        lives = [list(history(f"{name}-{n}")) for n in range(size)]
        events = [event for life in lives for event in (life[4], life[6], {"source": "orders"})]
        seen = []
        with connection.query_logger(lambda query: seen.append(query.query)):
            await apply(connection, batches, *events)
        # Without the statements of the outbox that run once a second.
        apart = ("BEGIN", "COMMIT", "-- find_service", "-- count_old_relays")
        return len([query for query in seen if not query.startswith(apart)])

    await statements("first", 1)  # The first use of a connection reads the encodings of types.

    assert await statements("small", 1) == await statements("large", 1000) == 8


@pytest.mark.parametrize(
    ("body", "reason", "pointer"),
    [
        (b"not json", "not_json", ""),
        (b"null", "body_null", ""),
        (None, "body_empty", ""),
        (b"\xff\xfe", "not_utf8", ""),
        (b"[]", "invalid_fields", ""),
        (b'{"a":1,"a":2}', "duplicate_key", "/a"),
        (b'{"a":"\\u0000"}', "nul_character", "/a"),
        (b'{"a":NaN}', "number_not_finite", "/a"),
        (b"[" * 10_000 + b"]" * 10_000, "not_json", ""),
        (an_order_event() | {"order_version": 0}, "invalid_fields", "/order_version"),
        (an_order_event(placed_at="0001-01-01T00:00:00Z"), "invalid_fields", "/context/order"),
        (an_order_event(sub_total_price="1e400"), "invalid_fields", "/context/order"),
        (an_order_event(sub_total_price="1e9999999"), "invalid_fields", "/context/order"),
        (
            an_order_event(sub_total_price=None, products=[{"price": "9e999999", "quantity": 9}]),
            "invalid_fields",
            "/context/order",
        ),
        (
            an_order_event(sub_total_price=None, products=[{"price": "sNaN"}]),
            "invalid_fields",
            "/context/order",
        ),
    ],
)
async def test_malformed_event_is_rejected_and_the_others_are_applied(
    connection, batches, body, reason, pointer
):
    records = (
        a_record(an_order_event("1001"), offset=1),
        a_record(body, "orders.events", offset=2),
        a_record(an_order_event("1002"), offset=3),
    )

    with capture_logs() as logged:
        async with connection.transaction():
            await batches.apply(connection, Batch(records, NOON))

    assert [(entry["event"], entry["reason"]) for entry in logged] == [("item_rejected", reason)]
    assert await connection.fetchval("SELECT count(*) FROM order_fact") == 2
    (row,) = await connection.fetch('SELECT reason, "offset", value, errors FROM rejected')
    assert (row["reason"], row["offset"], row["value"]) == (reason, 2, records[1].value)
    assert orjson.loads(row["errors"])[0]["pointer"] == pointer
    ((topic, _, value),) = await waiting_records(connection)
    assert topic == "analytics.rejected"
    assert orjson.loads(value)["offset"] == 2
