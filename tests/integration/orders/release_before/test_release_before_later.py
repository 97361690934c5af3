"""What is sent later to rows that the release before stored, migrated or not."""

from datetime import timedelta

import pytest

from services.runtime.batch.batch import Batch
from tests.integration.orders.release_before.rows import (
    AGAIN,
    ARRIVED,
    ATTACHED,
    BEGIN,
    LATER,
    LONG_AFTER,
    MOVING,
    PUBLISHED,
    a_report,
    a_void,
    an_upsert,
    changed,
    events_in,
    of_rows,
    versions_in,
)

# What is sent to the stored rows, when, and all events that come of it: by order.
PLAYED = {
    "a second order of the shop": (
        [an_upsert("qa/other", "MOVED1", carrier="dhl")],
        LATER,
        {"qa/other": [*ATTACHED, "OUT_FOR_DELIVERY"]},
    ),
    "an order after 60 days of silence": (
        [an_upsert("qa/other", "SOLE1"), a_report("SOLE1", ARRIVED, AGAIN)],
        AGAIN,
        {"qa/other": [*ATTACHED, ARRIVED, "ORDER_DELIVERED"]},
    ),
    "an order of another shop": (
        [an_upsert("qb/other", "MOVED1", carrier="dhl"), a_report("MOVED1", ARRIVED, AGAIN, "dhl")],
        AGAIN,
        {
            "qb/other": [*ATTACHED, "OUT_FOR_DELIVERY", ARRIVED, "ORDER_DELIVERED"],
            "qa/took": [ARRIVED, "ORDER_DELIVERED"],
        },
    ),
    "the order that lost its number": (
        [an_upsert("qa/lost", "MOVED1", carrier="dhl")],
        LATER,
        {
            "qa/lost": [
                "ORDER_EXPECTED_SHIPMENTS_CHANGED",
                "SHIPMENT_FULFILLED",
                "OUT_FOR_DELIVERY",
            ]
        },
    ),
    "a number used a third time": (
        [an_upsert("qa/third", "REUSED2", LONG_AFTER), a_report("REUSED2", MOVING, LONG_AFTER)],
        LONG_AFTER,
        {"qa/third": [*ATTACHED, MOVING]},
    ),
    "a number used a fourth time": (
        [an_upsert("qb/fourth", "REUSED3", LONG_AFTER), a_report("REUSED3", MOVING, LONG_AFTER)],
        LONG_AFTER,
        {"qb/fourth": [*ATTACHED, MOVING]},
    ),
    "scans of a number used again": (
        [a_report("REUSED2", ARRIVED, AGAIN), a_report("REUSED3", ARRIVED, AGAIN)],
        AGAIN,
        {"qb/second": [ARRIVED, "ORDER_DELIVERED"], "qb/newest": [ARRIVED, "ORDER_DELIVERED"]},
    ),
    "a late scan of the first use": (
        [a_report("REUSED2", "OUT_FOR_DELIVERY", BEGIN + timedelta(days=1.8))],
        LATER,
        {"qa/first": ["OUT_FOR_DELIVERY"]},
    ),
    "a void of the second use": (
        [a_void("qb/second", "REUSED2")],
        LATER,
        {"qb/second": ["ORDER_UPDATED", "SHIPMENT_RELEASED"]},
    ),
    "a void of the first use": (
        [a_void("qa/first", "REUSED2")],
        LATER,
        {"qa/first": ["ORDER_UPDATED", "ORDER_UPDATED", "SHIPMENT_RELEASED"]},
    ),
    "a void and the number again": (
        [a_void("qa/sole", "SOLE1"), an_upsert("qa/sole", "SOLE1")],
        LATER,
        {
            "qa/sole": [
                "ORDER_UPDATED",
                "SHIPMENT_RELEASED",
                "ORDER_FULFILLED",
                "SHIPMENT_FULFILLED",
                "PICKED_UP_BY_CARRIER",
            ]
        },
    ),
    "a scan beside folded ones": (
        [a_report("FOLDED1", ARRIVED)],
        LATER,
        {"qa/folded": [ARRIVED, "ORDER_DELIVERED"]},
    ),
    "a second order on folded scans": (
        [an_upsert("qa/other", "FOLDED1"), a_report("FOLDED1", ARRIVED, AGAIN)],
        AGAIN,
        {
            "qa/folded": [ARRIVED, "ORDER_DELIVERED"],
            "qa/other": [*ATTACHED, ARRIVED, "ORDER_DELIVERED", *["SORTED"] * 450],
        },
    ),
    "scans of a corrected carrier": (
        [a_report("CARRIER1", ARRIVED), a_report("CARRIER1", ARRIVED, AGAIN, "dhl")],
        LATER,
        {"qa/corrected": [ARRIVED, "ORDER_DELIVERED"]},
    ),
    "an order for scans of no order": (
        [an_upsert("qb/other", "UNOWNED1")],
        LATER,
        {"qb/other": [*ATTACHED, "PICKED_UP_BY_CARRIER"]},
    ),
    "a placeholder for one more order": ([an_upsert("qa/none4", "none")], LATER, {}),
    "a void of a placeholder": (
        [a_void("qa/none2", "none")],
        LATER,
        {"qa/none2": ["ORDER_UPDATED", "SHIPMENT_RELEASED"]},
    ),
}


@pytest.fixture
def played(pool, orders):
    """Sends messages twice in a transaction that is undone; returns the events and changed rows.

    The events are those of the first time, and the rows those that the second time changed, with
    its events.
    """

    async def run(messages, now):
        async with pool.acquire() as connection:
            undone = connection.transaction()
            await undone.start()
            try:
                await orders.apply(connection, Batch(tuple(messages), now))
                made, before = await events_in(connection), await versions_in(connection)
                await orders.apply(connection, Batch(tuple(messages), now))
                again = of_rows(changed(before, await versions_in(connection)))
                return made, [*again, *(await events_in(connection))[len(made) :]]
            finally:
                await undone.rollback()

    return run


@pytest.mark.parametrize("is_migrated", [True, False], ids=["migrated", "as stored"])
async def test_what_comes_next_makes_its_events_and_no_others_and_none_twice(
    migrate, played, is_migrated
):
    if is_migrated:
        await migrate()

    found = {name: await played(messages, now) for name, (messages, now, _) in PLAYED.items()}

    assert found == {
        name: (sorted(f"{order} {each}" for order, made in expected.items() for each in made), [])
        for name, (_, _, expected) in PLAYED.items()
    }


@pytest.mark.parametrize(
    ("carrier", "order"), [("ups", "qa/unnamed"), ("dhl", "qb/named")], ids=["ups", "dhl"]
)
async def test_number_of_two_carriers_stays_two_parcels_where_a_shop_named_no_carrier(
    apply, migrate, events, carrier, order
):
    await migrate()

    await apply(a_report("TWO1", "SORTED", AGAIN, carrier), now=AGAIN)

    assert await events() == [f"{order} SORTED"]


async def test_events_of_the_release_before_keep_their_ids(apply, migrate, published):
    """A repeat of an event carries its id: none of those that come later has one of these."""
    await migrate()
    messages = [message for played, _, _ in PLAYED.values() for message in played]

    await apply(*messages, now=LONG_AFTER)

    later = [headers["ce_id"].decode() for _, headers, _ in await published()]
    assert not {*later} & PUBLISHED
    assert len(later) == len({*later})
