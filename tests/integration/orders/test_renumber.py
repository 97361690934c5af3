"""Numbers that the version before stored in another spelling, after `orderflow migrate`."""

from datetime import timedelta

import pytest

from services.orders import store
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.value import replace
from services.orders.operations.renumber import renumber
from tests.integration.orders.conftest import NOW, a_report, an_upsert, event_names
from tests.unit.orders.builders import scan_key

SHOP = "demo-shop"
REFERENCES = [Reference(SHOP, ReferenceKind.ORDER_NUMBER, each) for each in ("1", "2")]
FORMER, NUMBER = "ABC#1\u200b", "ABC1"


@pytest.fixture
def written_before(pool):
    """Write number ABC1 with all that refers to it as the version before did: as ABC#1 and more."""

    async def write(former=FORMER, number=NUMBER):
        async with pool.acquire() as connection, connection.transaction():
            locked = await store.lock(connection, REFERENCES, [number], [], is_final=True)
            stored = locked.stored
            parcel = stored.parcels[number]
            scans = sorted(
                (replace(each, key=key_of(each, former)) for each in parcel.scans),
                key=lambda each: each.key,
            )
            before = replace(parcel, number=former, scans=tuple(scans))
            orders = {
                id_: replace(
                    order,
                    shipments=tuple(
                        replace(each, number=former if each.number == number else each.number)
                        for each in order.shipments
                    ),
                )
                for id_, order in stored.orders.items()
                if order
            }
            await connection.execute("DELETE FROM stored_parcel WHERE number = $1", number)
            changes = store.Changes(orders, {former: before}, {}, ())
            await store.save(connection, replace_parcels(stored), changes)
            await connection.execute(
                "UPDATE waiting SET waits_for = $2 WHERE waits_for = $1",
                f"number/{number}",
                f"number/{former}",
            )

    return write


def replace_parcels(stored):
    return store.Stored(orders=stored.orders, references=stored.references)


def key_of(scan, number):
    return scan_key(
        number=number,
        carrier=scan.carrier,
        scan_id=scan.scan_id,
        name=scan.event_name,
        code=scan.code,
        occurred_at=scan.occurred_at,
    )


@pytest.fixture
def migrated(orders, pool):
    async def run():
        async with pool.acquire() as connection:
            return await renumber(connection, orders.apply, NOW)

    return run


async def parcels(pool):
    rows = await pool.fetch("SELECT number FROM stored_parcel ORDER BY number")
    async with pool.acquire() as connection:
        return await store.read_parcels(connection, [row["number"] for row in rows])


async def order(pool, number="1"):
    async with pool.acquire() as connection:
        return await store.read_order(connection, order_id_of(SHOP, number))


async def test_parcel_of_another_spelling_is_found_and_its_history_makes_no_event_again(
    apply, pool, published, written_before, migrated
):
    await apply(an_upsert("1", trackings=["ABC1"]), a_report("ABC1"))
    await written_before()

    lines = await migrated()
    await apply(
        a_report("abc-1"), a_report("(ABC)1", "SUCCESSFULLY_DELIVERED", "2026-03-01T11:00:00Z")
    )

    assert lines == [f"{FORMER!r} is 'ABC1' now"]
    found = await parcels(pool)
    assert list(found) == ["ABC1"]
    assert len(found["ABC1"].scans) == 2
    assert await event_names(published) == [
        "ORDER_PLACED",
        "SHIPMENT_FULFILLED",
        "PICKED_UP_BY_CARRIER",
        "SUCCESSFULLY_DELIVERED",
        "ORDER_DELIVERED",
    ]
    assert [each.number for each in (await order(pool)).shipments] == ["ABC1"]


async def test_second_run_changes_nothing(apply, pool, written_before, migrated):
    await apply(an_upsert("1", trackings=["ABC1"]), a_report("ABC1"))
    await written_before()
    await migrated()
    before = await parcels(pool)

    assert await migrated() == []
    assert await parcels(pool) == before


async def test_folded_scans_of_another_spelling_make_no_event_again(
    apply, pool, published, written_before, migrated
):
    minutes = [NOW - timedelta(days=2) + timedelta(minutes=n) for n in range(600)]
    reports = [a_report("ABC1", "SORTED", each.isoformat()) for each in minutes]
    await apply(an_upsert("1", trackings=["ABC1"]), *reports)
    await written_before()
    await migrated()
    before = await parcels(pool)

    await apply(*reports)
    await apply(a_report("ABC1", "SUCCESSFULLY_DELIVERED", "2026-03-01T11:00:00Z"))

    assert before["ABC1"].owners[0].fold.count + len(before["ABC1"].scans) == 600
    names = await event_names(published)
    assert (names.count("SORTED"), names.count("SUCCESSFULLY_DELIVERED")) == (600, 1)


async def test_tracking_that_waited_under_another_spelling_meets_its_order(
    apply, pool, published, written_before, migrated
):
    await apply(a_report("ABC1"))
    await written_before()
    await apply(an_upsert("1", trackings=["ABC1"]))
    assert "PICKED_UP_BY_CARRIER" not in await event_names(published)

    await migrated()

    assert "PICKED_UP_BY_CARRIER" in await event_names(published)
    assert list(await parcels(pool)) == ["ABC1"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_order_with_another_spelling_meets_the_tracking_that_waited(
    apply, pool, published, written_before, migrated
):
    await apply(an_upsert("1", trackings=["ABC1"]))
    await written_before()
    await apply(a_report("ABC1"))
    assert "PICKED_UP_BY_CARRIER" not in await event_names(published)

    await migrated()

    assert "PICKED_UP_BY_CARRIER" in await event_names(published)
    assert [each.number for each in (await order(pool)).shipments] == ["ABC1"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_tracking_of_two_spellings_without_an_order_becomes_one_and_is_kept(
    apply, pool, published, written_before, migrated
):
    await apply(a_report("ABC1"))
    await written_before()
    await apply(a_report("ABC1", "SUCCESSFULLY_DELIVERED", "2026-03-01T11:00:00Z"))

    await migrated()
    await apply(an_upsert("1", trackings=["ABC1"]))

    names = await event_names(published)
    assert names[-3:] == ["PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED", "ORDER_DELIVERED"]
    assert await pool.fetchval("SELECT count(*) FROM waiting") == 0


async def test_second_owned_parcel_of_a_number_stays_as_it_is(
    apply, pool, written_before, migrated
):
    await apply(an_upsert("1", trackings=["ABC1"]), a_report("ABC1"))
    await written_before()
    await apply(an_upsert("2", trackings=["ABC1"]))

    lines = await migrated()

    assert lines == [f"{FORMER!r} stays: an order has 'ABC1' with other scans"]
    assert set(await parcels(pool)) == {FORMER, "ABC1"}
    assert [each.number for each in (await order(pool)).shipments] == [FORMER]


@pytest.mark.parametrize("number", ["ABC1", "ЖД12"])
async def test_number_of_letters_and_digits_is_left_alone(apply, pool, migrated, number):
    await apply(an_upsert("1", trackings=[number]), a_report(number))

    assert await migrated() == []
