"""`orderflow migrate` on rows that the release before stored."""

import asyncio
import time

import pytest

from services.orders import store
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.windows import shares_of
from services.orders.domain.tracking.replay import replay
from services.orders.domain.value import replace
from services.orders.operations import complete_owners
from services.runtime.batch.batch import Batch
from services.runtime.operations.change_run import ChangeRun
from tests.integration.orders.release_before.rows import (
    LATER,
    NUMBERS,
    SHARED,
    a_report,
    changed,
    id_of,
    of_rows,
    repeated,
)

COMPLETED = "3 tracking numbers of several orders completed"


def numbers_changed(before, after):
    """Without the orders, which get sub-statuses."""
    return [key for key in changed(before, after) if key in NUMBERS]


async def test_migration_completes_numbers_of_several_orders_and_nothing_else(
    migrate, parcels, versions, events
):
    before, former = await versions(), await parcels()

    lines = await migrate()

    assert lines == [COMPLETED, "11 orders got the sub-statuses of their shipments"]
    assert numbers_changed(before, await versions()) == SHARED
    assert await events() == []
    for number in SHARED:
        owners = [
            replace(owner, placed_at=None, carrier=was.carrier)
            for owner, was in zip(
                (await parcels())[number].owners, former[number].owners, strict=True
            )
        ]
        assert owners == list(former[number].owners)
        assert all(owner.placed_at for owner in (await parcels())[number].owners)
    assert [owner.carrier for owner in (await parcels())["TWO1"].owners] == ["ups", "dhl"]


async def test_shipments_have_the_state_that_their_scans_give_after_the_migration(
    migrate, parcels, pool
):
    """So no later decision finds a difference to publish."""
    await migrate()

    async with pool.acquire() as connection:
        for parcel in (await parcels()).values():
            for owner in parcel.owners:
                order = await store.read_order(connection, owner.order_id)
                (held,) = (s for s in order.shipments if s.shipment_id == owner.shipment_id)
                share = shares_of(parcel)[owner.shipment_id]
                assert replay(share, LATER, fold=owner.fold).state == held.tracking


async def test_second_run_of_the_migration_changes_nothing(migrate, versions):
    await migrate()
    before = await versions()

    assert await migrate() == []
    assert await versions() == before


class Killed(BaseException):
    """A process that ends between two batches."""


async def test_migration_that_was_killed_between_batches_goes_on_with_those_that_are_left(
    migrate, versions, monkeypatch
):
    monkeypatch.setattr(complete_owners, "NUMBERS_A_BATCH", 1)
    before = await versions()

    async def end(run, rows):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ChangeRun, "pace", end)
        with pytest.raises(Killed):
            await migrate()
    between = await versions()
    lines = await migrate()

    assert changed(before, between) == ["REUSED2"]
    assert numbers_changed(between, await versions()) == ["REUSED3", "TWO1"]
    assert lines[0] == "2 tracking numbers of several orders completed"


async def test_migration_that_is_killed_inside_a_batch_leaves_nothing_half_done(
    migrate, versions, pool, until_it_waits_for_a_lock
):
    before = await versions()
    second = order_id_of("qb", "second")
    async with pool.acquire() as connection, connection.transaction():
        await store.lock_orders(connection, [second])
        running = asyncio.create_task(migrate())
        await until_it_waits_for_a_lock()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert await versions() == before
    assert (await migrate())[0] == COMPLETED


async def test_migration_waits_for_a_batch_and_keeps_what_it_wrote(
    migrate, parcels, pool, orders, until_it_waits_for_a_lock
):
    scanned = a_report("REUSED2", "OUT_FOR_DELIVERY")
    async with pool.acquire() as connection, connection.transaction():
        await orders.apply(connection, Batch((scanned,), LATER))
        running = asyncio.create_task(migrate())
        await until_it_waits_for_a_lock()

    assert (await running)[0] == COMPLETED
    parcel = (await parcels())["REUSED2"]
    assert max(scan.occurred_at for scan in parcel.scans) == LATER
    assert all(owner.placed_at for owner in parcel.owners)


async def test_migration_is_no_faster_than_its_rate(migrate, monkeypatch):
    monkeypatch.setattr(complete_owners, "NUMBERS_A_BATCH", 1)
    began = time.monotonic()

    await migrate(rate=10)

    assert time.monotonic() - began >= 3 / 10


@pytest.mark.parametrize("is_migrated", [True, False], ids=["migrated", "as stored"])
async def test_everything_that_was_sent_before_changes_nothing_when_it_comes_again(
    apply, migrate, versions, events, is_migrated
):
    """Except what was refused then, which is decided again; and with new ids the scans alone."""
    if is_migrated:
        await migrate()
    before = await versions()
    scans = [each for each in repeated("again-") if each.coordinates.topic == "carrier.tracking"]

    await apply(*(each for each in repeated() if id_of(each) not in {"m19", "m34"}), now=LATER)
    await apply(*scans, now=LATER)

    assert await events() == []
    assert not of_rows(changed(before, await versions()))
