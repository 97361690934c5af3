"""`orderflow migrate` on orders of the release before, which stored no sub-status."""

import pytest

from services.orders import store
from services.orders.domain.value import replace
from services.orders.operations import fill_sub_statuses
from services.runtime.operations.change_run import ChangeRun
from tests.integration.orders.release_before.rows import LATER, a_report, changed


@pytest.fixture
def held(pool):
    """All orders, by id."""

    async def read():
        async with pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT order_id::text FROM stored_order WHERE document IS NOT NULL"
            )
            return {row[0]: await store.read_order(connection, row[0]) for row in rows}

    return read


def named(orders):
    """What the shipments with scans are called, by order and ordinal."""
    return {
        (order.placement.order_number, shipment.ordinal): shipment.sub_status
        for order in orders.values()
        for shipment in order.shipments
        if shipment.tracking.last_occurred_at is not None
    }


def without(orders):
    """The orders without what is filled."""
    return {
        id_: replace(
            order,
            shipments=tuple(
                replace(each, tracking=replace(each.tracking, sub_status=None, why=None))
                for each in order.shipments
            ),
        )
        for id_, order in orders.items()
    }


async def test_shipments_with_scans_get_a_sub_status_and_nothing_else_changes(
    stored, migrate, held, events
):
    before = await held()
    assert set(named(before).values()) == {None}

    await migrate()

    after = await held()
    assert without(after) == without(before)
    assert named(after)
    assert None not in named(after).values()
    assert await events() == []


async def test_run_that_was_killed_between_batches_goes_on_with_those_that_are_left(
    migrate, versions, held, monkeypatch
):
    class Killed(BaseException):
        """A process that ends between two batches."""

    monkeypatch.setattr(fill_sub_statuses, "NUMBERS_A_BATCH", 1)
    pace, seen = ChangeRun.pace, []

    async def end(run, rows):
        seen.append(rows)
        if len(seen) > 6:
            raise Killed
        await pace(run, rows)

    with monkeypatch.context() as patched:
        patched.setattr(ChangeRun, "pace", end)
        with pytest.raises(Killed):
            await migrate()
    some = named(await held())
    assert {None} < set(some.values())

    await migrate()
    all_filled = await versions()
    assert None not in named(await held()).values()
    assert await migrate() == []
    assert changed(all_filled, await versions()) == []


async def test_next_scan_of_a_filled_shipment_makes_its_event_and_no_other(migrate, apply, events):
    await migrate()
    await apply(a_report("REUSED2", "PROOF_OF_DELIVERY_AVAILABLE"), now=LATER)

    assert {text.split()[1] for text in await events()} == {"PROOF_OF_DELIVERY_AVAILABLE"}


async def test_published_order_has_the_sub_status_that_was_filled(migrate, apply, published, held):
    await migrate()
    await apply(a_report("REUSED2", "CUSTOMER_NOTIFIED"), now=LATER)

    (body,) = [body for topic, _, body, *_ in await published() if topic == "shipments.events"]
    names = {each["sub_status"] for each in body["context"]["order"]["trackings"]}
    assert names == {each["sub_status"] for each in body["context"]["shipments"]}
    assert None not in names
