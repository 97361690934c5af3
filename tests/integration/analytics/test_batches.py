"""Batches of events on a real Postgres: statements, repetition, order, refusals."""

import random

import orjson
import pytest

from services.analytics.domain.folding import fold
from services.analytics.messages import read_news
from services.analytics.store import _claim_row, _order_row, _parcel_row
from services.runtime.consumer import Batch
from tests.unit.analytics.builders import (
    NOON,
    a_claim_event,
    a_parcel,
    a_record,
    an_order_event,
    delivered,
)

ARRIVED = delivered("2026-03-02T08:00:00Z", "2026-03-04T10:00:00Z")
KEYS = {"order_fact": "order_id", "parcel_fact": "shipment_id", "claim_fact": "claim_id"}


async def apply(connection, batches, *events):
    records = tuple(a_record(event, offset=offset) for offset, event in enumerate(events))
    async with connection.transaction():
        await batches.apply(connection, Batch(records, NOON))


async def stored(connection):
    """All facts as the tables hold them."""
    return {
        table: [
            tuple(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY {key}")
        ]
        for table, key in KEYS.items()
    }


def history(number, claims=True):
    """The life of one order: placed, fulfilled in two parcels, one taken away, one delivered."""
    yield an_order_event(number, 1, expected_number_of_shipments=2)
    yield an_order_event(number, 2, [a_parcel(number), a_parcel(number, 2)])
    moving = a_parcel(number, phase="in_transit", first_scan_at="2026-03-02T08:00:00Z")
    yield an_order_event(number, 3, [moving, a_parcel(number, 2)], topic="shipments.events")
    free = a_parcel(number, 2, draft=True, tracking_number=None)
    yield an_order_event(number, 4, [moving, free], topic="shipments.events")
    arrived = a_parcel(number, **ARRIVED)
    yield an_order_event(
        number, 5, [arrived, free], topic="shipments.events", promised_delivery_date="2026-03-03"
    )
    if claims:
        yield a_claim_event(number, 1)
        yield a_claim_event(number, 2, status="accepted", event_name="updated")


def expected_rows(events):
    """What the pure fold says the tables should hold."""
    facts = fold(read_news(a_record(event)) for event in events)
    return {
        "order_fact": [_order_row(f) for _, f in sorted(facts.orders.items())],
        "parcel_fact": [_parcel_row(f) for _, f in sorted(facts.parcels.items())],
        "claim_fact": [_claim_row(f) for _, f in sorted(facts.claims.items())],
    }


def without_complete_version(tables):
    orders = [row[:2] + row[3:] for row in tables["order_fact"]]
    return {**tables, "order_fact": orders}


async def test_the_tables_hold_what_the_fold_says(connection, batches):
    events = [event for number in ("1001", "1002") for event in history(number)]

    await apply(connection, batches, *events)

    tables = await stored(connection)
    assert without_complete_version(tables) == expected_rows(events)
    assert [len(rows) for rows in tables.values()] == [2, 2, 2]


@pytest.mark.parametrize("seed", range(5))
async def test_events_repeated_late_and_shuffled_change_nothing(connection, batches, seed):
    events = [event for n in range(5) for event in history(str(1000 + n))]
    await apply(connection, batches, *events)
    once = await stored(connection)
    for table in ("parcel_fact", "order_fact", "claim_fact"):
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


async def test_a_batch_takes_as_many_statements_for_1000_events_as_for_one(connection, batches):
    async def statements(name, size):
        """Of a batch with `size` order events, claim events and malformed ones."""
        lives = [list(history(f"{name}-{n}")) for n in range(size)]
        events = [event for life in lives for event in (life[4], life[5], {"source": "orders"})]
        seen = []
        with connection.query_logger(lambda query: seen.append(query.query)):
            await apply(connection, batches, *events)
        return len([query for query in seen if not query.startswith(("BEGIN", "COMMIT"))])

    await statements("first", 1)  # A connection asks once how types are encoded.

    assert await statements("small", 1) == await statements("large", 1000) == 6


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
    ],
)
async def test_a_malformed_event_is_rejected_and_the_rest_goes_through(
    connection, batches, body, reason, pointer
):
    records = (
        a_record(an_order_event("1001"), offset=1),
        a_record(body, "orders.events", offset=2),
        a_record(an_order_event("1002"), offset=3),
    )

    async with connection.transaction():
        await batches.apply(connection, Batch(records, NOON))

    assert await connection.fetchval("SELECT count(*) FROM order_fact") == 2
    (row,) = await connection.fetch('SELECT reason, "offset", value, errors FROM rejected')
    assert (row["reason"], row["offset"], row["value"]) == (reason, 2, records[1].value)
    assert orjson.loads(row["errors"])[0]["pointer"] == pointer
    (out,) = await connection.fetch('SELECT topics, "values" FROM outbox')
    assert out["topics"] == ["analytics.rejected"]
    assert orjson.loads(out["values"][0])["offset"] == 2
