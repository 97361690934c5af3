"""Parking of events in analytics: by order, with the events of other orders going on (P4)."""

import asyncpg
import pytest

from schemas.identity import order_id
from services.analytics import intake
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, Failure, FailureKind, ItemFailed, ItemRef
from services.runtime.parking import operations
from services.runtime.parking.operations import ParkedSelection
from tests.integration.parked_rows import park_as_before
from tests.unit.analytics.builders import NOON, SHOP, a_claim_event, a_record, an_order_event


def records(*events):
    return tuple(a_record(event, offset=offset) for offset, event in enumerate(events))


async def apply(connection, batches, batch):
    async with connection.transaction():
        await batches.apply(connection, batch)


async def retry(connection, batches):
    async with connection.transaction():
        result = await operations.retry(connection, batches.apply, ParkedSelection(), now=NOON)
    return [each.became for each in result.items]


async def parked(connection):
    rows = await connection.fetch('SELECT kind, "offset", index FROM parked ORDER BY id, nth')
    return [tuple(row) for row in rows]


async def facts(connection):
    rows = await connection.fetch("SELECT order_number, version FROM order_fact ORDER BY 1")
    return [tuple(row) for row in rows]


@pytest.fixture
async def owner(database_url):
    """The owner of the tables, who may make Postgres refuse rows."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def test_parking_of_an_event_holds_the_events_of_its_order_and_no_others(
    connection, batches, owner
):
    batch = records(
        an_order_event("1", 1),
        an_order_event("2", 1),
        an_order_event("1", 2),
        a_claim_event("1", 1),
    )
    known_failures = {ItemRef(batch[0].coordinates, 0): Failure(FailureKind.WRITE, "refused")}

    await apply(connection, batches, Batch(batch, NOON, known_failures=known_failures))

    assert await parked(connection) == [("write", 0, 0), ("behind", 2, 0), ("behind", 3, 0)]
    assert await facts(connection) == [("2", 1)]

    await owner.execute(
        "ALTER TABLE analytics.order_fact ADD CONSTRAINT unforeseen"
        " CHECK (order_number <> '1') NOT VALID"
    )
    assert await retry(connection, batches) == ["parked", "behind", "behind"]
    await owner.execute("ALTER TABLE analytics.order_fact DROP CONSTRAINT unforeseen")
    assert await retry(connection, batches) == ["applied"] * 3
    assert await facts(connection) == [("1", 2), ("2", 1)]


async def test_parking_keeps_a_record_that_a_bug_cannot_read(connection, batches, monkeypatch):
    def break_always(_):
        raise KeyError("an unforeseen bug")

    (poison,) = records(an_order_event("1", 1))
    with monkeypatch.context() as patch:
        patch.setattr(intake, "read_facts", break_always)
        with pytest.raises(ItemFailed) as raised:
            await apply(connection, batches, Batch((poison,), NOON))
        ref = ItemRef(poison.coordinates, WHOLE)
        assert (raised.value.ref, raised.value.kind) == (ref, FailureKind.READING)

        known_failures = {ref: Failure.of(FailureKind.READING, raised.value)}
        await apply(connection, batches, Batch((poison,), NOON, known_failures=known_failures))
        assert await parked(connection) == [("reading", 0, WHOLE)]
        assert await retry(connection, batches) == ["parked"]

    assert await retry(connection, batches) == ["applied"]
    assert await facts(connection) == [("1", 1)]


async def test_parking_skip_refuses_an_event(connection, batches):
    batch = records(an_order_event("1", 1), an_order_event("1", 2))
    known_failures = {ItemRef(batch[0].coordinates, 0): Failure(FailureKind.WRITE, "refused")}
    await apply(connection, batches, Batch(batch, NOON, known_failures=known_failures))

    async with connection.transaction():
        chosen = ParkedSelection(kind=FailureKind.WRITE)
        await operations.skip(connection, batches.apply, chosen, now=NOON, detail="ticket 1")

    assert await facts(connection) == [("1", 2)]
    assert await connection.fetchval("SELECT reason FROM rejected") == "skipped_by_operator"


async def test_parking_row_of_the_version_before_holds_back_the_next_event_of_its_order(
    connection, batches
):
    first, second, other = records(
        an_order_event("1", 1), an_order_event("1", 2), an_order_event("2", 1)
    )
    await park_as_before(connection, first, "order.updated", f"order:{order_id(SHOP, '1')}")

    await apply(connection, batches, Batch((second, other), NOON))

    assert await parked(connection) == [("decision", 0, 0), ("behind", 1, 0)]
    assert await retry(connection, batches) == ["applied", "applied"]
    assert await facts(connection) == [("1", 2), ("2", 1)]
