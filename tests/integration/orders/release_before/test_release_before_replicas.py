"""Replicas of the release before beside those of this one."""

import asyncpg
import msgspec
import pytest

from services.orders import store
from services.orders.domain.value import replace
from services.runtime.outbox.leases import ShardLeases
from services.runtime.retry import is_transient
from tests.integration.orders.release_before.rows import (
    AGAIN,
    ARRIVED,
    ATTACHED,
    BEFORE,
    LATER,
    MOVING,
    a_report,
    a_void,
    an_upsert,
)


@pytest.fixture
def written_by_the_release_before(pool):
    """Writes a number again as a replica of it does: without the members that it does not know."""

    async def write(number):
        async with pool.acquire() as connection:
            (parcel,) = (await store.read_parcels(connection, [number])).values()
            known = [replace(each, placed_at=None, came_at=None) for each in parcel.owners]
            parcel = replace(parcel, private=())
            owners = f"{{{','.join(owner.order_id for owner in known)}}}"
            document = msgspec.json.encode(replace(parcel, owners=tuple(known)))
            columns = [[False], [number], [document], [owners], *([[]] * 12)]
            await connection.execute(BEFORE["save_rows"], *columns)

    return write


@pytest.fixture
async def present_relay(database_url):
    """The locks of a running process of this release; closed when the process ends."""
    connection = await asyncpg.connect(database_url)
    await ShardLeases(connection, "orders", 16).join()
    yield connection
    await connection.close()


async def owners_of(pool, number):
    async with pool.acquire() as connection:
        (parcel,) = (await store.read_parcels(connection, [number])).values()
    return parcel.owners


async def test_replica_of_the_release_before_writes_numbers_of_one_shipment(
    apply, pool, events, written_by_the_release_before, present_relay
):
    """What it left out comes back when another shipment comes to the number."""
    await apply(an_upsert("qa/1", "SHARED1"), a_report("SHARED1", MOVING), now=LATER)
    await written_by_the_release_before("SHARED1")
    assert [owner.placed_at for owner in await owners_of(pool, "SHARED1")] == [None]

    await apply(an_upsert("qa/2", "SHARED1"), now=LATER)
    await apply(a_report("SHARED1", ARRIVED, AGAIN), now=AGAIN)

    assert [owner.placed_at for owner in await owners_of(pool, "SHARED1")] == [LATER, LATER]
    made = [*ATTACHED, MOVING, ARRIVED, "ORDER_DELIVERED"]
    assert await events() == sorted(f"qa/{order} {each}" for order in "12" for each in made)


async def test_replica_of_the_release_before_cannot_write_a_number_of_several_shipments(
    apply, pool, written_by_the_release_before, present_relay
):
    """It would lose whose parcel the number is: which shop sees places and signers."""
    await apply(an_upsert("qa/1", "SHARED1"), an_upsert("qb/2", "SHARED1"), now=LATER)
    before = await owners_of(pool, "SHARED1")

    with pytest.raises(asyncpg.ObjectInUseError, match="is or was on several") as refused:
        await written_by_the_release_before("SHARED1")

    assert is_transient(refused.value)
    assert "SHARED1" not in str(refused.value)
    assert await owners_of(pool, "SHARED1") == before


async def test_replica_of_the_release_before_cannot_write_a_number_that_a_shop_has_left(
    apply, pool, written_by_the_release_before, present_relay
):
    """It would lose the span of time of which that shop alone sees the places."""
    await apply(an_upsert("qa/1", "SHARED1"), an_upsert("qb/2", "SHARED1"), now=LATER)
    await apply(a_report("SHARED1", MOVING, AGAIN), now=AGAIN)
    await apply(a_void("qb/2", "SHARED1"), now=AGAIN)

    with pytest.raises(asyncpg.ObjectInUseError):
        await written_by_the_release_before("SHARED1")


async def test_replica_of_the_release_before_writes_what_that_release_stored(
    stored, pool, written_by_the_release_before, present_relay
):
    before = await owners_of(pool, "REUSED3")

    await written_by_the_release_before("REUSED3")

    assert await owners_of(pool, "REUSED3") == before


async def test_release_before_writes_every_number_when_it_has_taken_over_again(
    apply, pool, written_by_the_release_before, present_relay
):
    await apply(an_upsert("qa/1", "SHARED1"), an_upsert("qb/2", "SHARED1"), now=LATER)
    await present_relay.close()

    await written_by_the_release_before("SHARED1")

    assert [owner.came_at for owner in await owners_of(pool, "SHARED1")] == [None, None]
