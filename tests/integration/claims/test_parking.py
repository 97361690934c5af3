"""Parking in claims: by order, events and commands together, in order (P4)."""

import asyncpg
import pytest

import services.claims.unit_of_work
from schemas.identity import order_id
from services.claims import intake
from services.runtime.batch.batch import Batch
from services.runtime.batch.items import WHOLE, Failure, FailureKind, ItemFailed, ItemRef
from services.runtime.parking import operations
from services.runtime.parking.operations import ParkedSelection
from tests.e2e.poisoned import plant_until_mended
from tests.integration.claims.conftest import (
    NOW,
    SHOP,
    a_change,
    a_parcel,
    an_event,
    an_opening,
)
from tests.integration.parked_rows import park_as_before


@pytest.fixture
def bug(monkeypatch):
    """A bug that fails every item containing POISON, until `mended` is set."""
    return plant_until_mended(monkeypatch, services.claims.unit_of_work)


@pytest.fixture
def retry(pool, claims):
    """Retries everything; returns what became of each item."""

    async def run():
        async with pool.acquire() as connection, connection.transaction():
            result = await operations.retry(connection, claims.apply, ParkedSelection(), now=NOW)
        return [each.became for each in result.items]

    return run


@pytest.fixture
def parked(pool):
    """Kind and topic of each row of the queue, in its order."""

    async def read():
        rows = await pool.fetch("SELECT kind, topic FROM parked ORDER BY id, nth")
        return [tuple(row) for row in rows]

    return read


async def versions(pool):
    """Versions of the orders' copies."""
    rows = await pool.fetch("SELECT order_version FROM order_copy ORDER BY order_version")
    return [row["order_version"] for row in rows]


async def test_parking_keeps_commands_and_events_of_an_order_behind_its_failed_command(
    apply, bug, retry, parked, pool, published
):
    await apply(an_event("1", 1), an_event("2", 1))
    await apply(an_opening("1", description="POISON"))

    await apply(an_event("1", 2), an_event("2", 2), an_opening("1"), an_opening("2"))

    assert await parked() == [
        ("decision", "claims.commands"),
        ("behind", "shipments.events"),
        ("behind", "claims.commands"),
    ]
    assert await versions(pool) == [1, 2]
    assert len(await published()) == 1

    assert await retry() == ["parked", "behind", "behind"]
    assert await versions(pool) == [1, 2]
    bug["mended"] = True
    assert await retry() == ["applied", "applied", "no_change"]

    assert await parked() == []
    assert await versions(pool) == [2, 2]


async def test_parking_keeps_a_change_behind_an_earlier_parked_change_of_its_claim(
    apply, bug, retry, parked, published
):
    opening = an_opening("1", ce_id="o-1", description="POISON")
    await apply(an_event("1", 1), an_opening("1", ce_id="o-1"))
    ((_, event),) = await published()
    claim = event["event_data"]["claim_id"]

    await apply(a_change(claim, description="POISON"), a_change(claim, description="later"))
    assert await parked() == [("decision", "claims.commands"), ("behind", "claims.commands")]
    await apply(opening)
    assert [kind for kind, _ in await parked()] == ["decision", "behind", "behind"]
    bug["mended"] = True

    assert await retry() == ["applied", "applied", "no_change"]


async def test_parking_takes_a_woken_item_that_fails_out_of_the_waiting_ones(
    apply, bug, parked, pool, retry
):
    bug["mended"] = True
    await apply(an_opening("1", description="POISON"))
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 1
    bug["mended"] = False

    await apply(an_event("1", 1))

    assert await parked() == [("decision", "claims.commands")]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0
    bug["mended"] = True
    assert await retry() == ["applied"]


async def test_parking_keeps_an_event_whose_write_fails_and_what_is_behind_it(
    apply, parked, retry, pool, database_url, claims
):
    owner = await asyncpg.connect(database_url)
    poison = an_event("1", 1, a_parcel("1"))
    failure = Failure(FailureKind.WRITE, "refused")
    async with pool.acquire() as connection, connection.transaction():
        known_failures = {ItemRef(poison.coordinates, 0): failure}
        batch = Batch(
            (poison, an_event("2", 1), an_opening("1")), NOW, known_failures=known_failures
        )
        await claims.apply(connection, batch)
    assert await parked() == [("write", "shipments.events"), ("behind", "claims.commands")]

    id_ = order_id(SHOP, "1")
    await owner.execute(
        "ALTER TABLE claims.order_copy ADD CONSTRAINT unforeseen"
        f" CHECK (order_id <> '{id_}') NOT VALID"
    )
    assert await retry() == ["parked", "behind"]
    await owner.execute("ALTER TABLE claims.order_copy DROP CONSTRAINT unforeseen")
    await owner.close()
    assert await retry() == ["applied", "applied"]


async def test_parking_keeps_a_record_that_a_bug_cannot_read(
    monkeypatch, claims, pool, parked, retry
):
    def break_always(_):
        raise KeyError("an unforeseen bug")

    poison = an_event("1", 1)
    sound = intake.read_order
    monkeypatch.setattr(intake, "read_order", break_always)
    with pytest.raises(ItemFailed) as raised:
        intake.read_batch(Batch((poison,), NOW))
    assert (raised.value.ref, raised.value.kind) == (
        ItemRef(poison.coordinates, WHOLE),
        FailureKind.READING,
    )

    failure = Failure.of(raised.value.kind, raised.value)
    async with pool.acquire() as connection, connection.transaction():
        known_failures = {raised.value.ref: failure}
        await claims.apply(connection, Batch((poison,), NOW, known_failures=known_failures))
        await claims.apply(connection, Batch((an_opening("1"),), NOW))
    assert await parked() == [("reading", "shipments.events"), ("behind", "claims.commands")]

    assert await retry() == ["parked", "behind"]
    monkeypatch.setattr(intake, "read_order", sound)
    assert await retry() == ["applied", "applied"]


async def test_parking_discard_refuses_an_event(apply, bug, pool, claims, parked):
    await apply(an_event("1", 1), an_opening("1", description="POISON"))
    await apply(an_event("1", 2))

    async with pool.acquire() as connection, connection.transaction():
        await operations.discard(
            connection, claims.apply, ParkedSelection(), now=NOW, detail="ticket 9"
        )

    assert await parked() == []
    rows = await pool.fetch("SELECT topic, reason FROM rejected ORDER BY topic")
    assert [tuple(row) for row in rows] == [
        ("claims.commands", "discarded_by_operator"),
        ("shipments.events", "discarded_by_operator"),
    ]


@pytest.mark.parametrize(
    ("key", "next_item"),
    [
        (f"order:{order_id(SHOP, '1')}", an_event("1", 2)),
        (f"order/{order_id(SHOP, '1')}", an_event("1", 2)),
        (f"external_id/{SHOP}/gid-1", an_event("1", 2)),
        (f"order:{order_id(SHOP, '1')}", an_opening("1", ce_id="o-2")),
        (f"order/{order_id(SHOP, '1')}", an_opening("1", ce_id="o-2")),
    ],
)
async def test_parking_row_of_the_version_before_holds_back_the_next_item_of_its_order(
    apply, parked, pool, retry, key, next_item
):
    async with pool.acquire() as connection:
        await park_as_before(connection, an_event("1", 1), "shipment.scanned", key)

    await apply(next_item, an_event("2", 1))

    assert await parked() == [
        ("decision", "shipments.events"),
        ("behind", next_item.coordinates.topic),
    ]
    assert await retry() == ["applied", "applied"]


async def test_parking_row_of_the_version_before_holds_back_changes_of_its_claim(
    apply, parked, pool, published, retry
):
    await apply(an_event("1", 1), an_opening("1", ce_id="o-1"))
    ((_, event),) = await published()
    claim = event["event_data"]["claim_id"]
    async with pool.acquire() as connection:
        first = a_change(claim, description="first")
        await park_as_before(connection, first, "claim.update", f"claim/{claim}")

    await apply(a_change(claim, description="second"))

    assert await parked() == [("decision", "claims.commands"), ("behind", "claims.commands")]
    assert await retry() == ["applied", "applied"]
