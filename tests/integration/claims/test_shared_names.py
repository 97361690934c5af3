"""Order names that several orders share, in claims: from order events to answers."""

import json

import pytest

from schemas.identity import order_id
from services.claims.operations.rebuild import empty
from tests.integration.batches import patiently
from tests.integration.claims.conftest import NOW, SHOP, a_record, an_event, an_opening
from tests.integration.claims.test_meeting import is_blocked, overlap  # noqa: F401 - fixtures
from tests.integration.claims.test_rebuilding import AFTER

NAME = "#1001"
KEY = f"order_name/{SHOP}/{NAME}"


def ids(*numbers):
    return sorted(str(order_id(SHOP, number)) for number in numbers)


def a_named(number, version=1, name=NAME):
    return an_event(number, version, topic="orders.events", order_name=name)


def a_claim(number, ce_id=None, **changes):
    """A claim on an order by the shared name; the tracking number is that of one of its parcels."""
    named = {"id": NAME, "id_type": "order_name"}
    return an_opening(number, ce_id=ce_id, **named, **changes)


@pytest.fixture
def answers(published):
    """Outcome, reason and order of each claim command so far, oldest first."""

    async def read():
        return [
            (body["outcome"], body.get("reason"), body.get("order_number"))
            for _, body in await published("claims.outcomes")
        ]

    return read


@pytest.fixture
def bearers(rows):
    """The orders of a name, sorted."""

    async def read(key=KEY):
        found = {row["name"]: row for row in await rows("anchor", "name")}
        row = found[key]
        return sorted(map(str, (row["order_id"], *(row["others"] or ()))))

    return read


async def test_claim_by_a_name_follows_the_present_names_of_its_orders(apply, answers, bearers):
    await apply(a_named("1"), a_claim("1", "a"))
    await apply(a_named("2"), a_claim("1", "b"))
    await apply(a_claim("1", "a"))
    await apply(a_named("1", 2, "#1002"), a_claim("2", "c"))

    assert await bearers() == ids("1", "2")
    assert await answers() == [
        ("applied", None, "1"),
        ("rejected", "reference_ambiguous", None),
        ("no_change", "duplicate", None),
        ("applied", None, "2"),
    ]


async def test_refused_claim_names_the_orders(apply, published):
    await apply(a_named("1"), a_named("2"), a_claim("1"))

    ((_, refused),) = await published("claims.rejected")
    assert refused["reason"] == "reference_ambiguous"
    assert refused["errors"][0]["pointer"] == "/id"
    assert "(1, 2)" in refused["detail"]


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_claim_that_waits_for_a_name_meets_its_first_order(
    apply, answers, rows, is_one_batch
):
    await apply(a_claim("1"))
    events = [a_named("1"), a_named("2")]
    for batch in [events] if is_one_batch else [[each] for each in events]:
        await apply(*batch)

    expected = ("rejected", "reference_ambiguous", None)
    assert await answers() == [expected if is_one_batch else ("applied", None, "1")]
    assert await rows("waiting", "id") == []


async def test_events_that_give_one_name_in_parallel_are_both_kept(overlap, bearers):  # noqa: F811
    await overlap([a_named("1"), a_named("2", name="#2")], [a_named("2", 2), a_named("1", 2, "#2")])

    assert await bearers() == ids("1", "2")
    assert await bearers(f"order_name/{SHOP}/#2") == ids("1", "2")


async def test_sixteen_orders_of_a_name_are_kept(apply, bearers, answers):
    numbers = [f"{at:02}" for at in range(20)]
    for number in numbers[:10]:
        await apply(a_named(number))
    await apply(*map(a_named, numbers[10:]))
    await apply(*(a_named(number, 2, f"#{number}") for number in numbers[1:]))
    await apply(a_claim("00"))

    assert await bearers() == ids(*numbers[:16])
    assert await answers() == [("rejected", "reference_ambiguous", None)]


async def test_shared_name_stays_shared_over_a_rebuild(apply, pool, answers, bearers):
    await apply(a_named("1"), a_named("2"))
    async with pool.acquire() as connection, connection.transaction():
        await empty(connection, NOW)

    await apply(a_snapshot("1"), a_claim("1"))
    assert await answers() == []

    await patiently(apply, a_snapshot("2"))
    assert await bearers() == ids("1", "2")
    assert await answers() == [("rejected", "reference_ambiguous", None)]


async def test_shared_name_that_is_no_longer_shared_is_decided_after_a_rebuild(
    apply, pool, answers
):
    await apply(a_named("1"), a_named("2"))
    await apply(a_named("2", 2, "#1002"))
    async with pool.acquire() as connection, connection.transaction():
        await empty(connection, NOW)

    await apply(a_snapshot("2", 2, "#1002"), a_claim("1"))
    await apply(a_snapshot("1"))

    assert await answers() == [("applied", None, "1")]


def a_snapshot(number, version=1, name=NAME):
    """A snapshot of an order without claims."""
    event = a_named(number, version, name)
    named = {"event_name": "ORDER_SNAPSHOT", "source": "orders", **AFTER}
    return a_record("orders.events", "order.snapshot", json.loads(event.value) | named)
