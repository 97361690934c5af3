"""Numbers of many orders: statements, locks and refusals of a batch, and its other orders."""

import pytest

from services.orders import store
from services.orders.domain.model.parcel import OWNERS_MAX
from services.orders.handler import OrdersBatch
from services.runtime.batch.batch import Batch
from services.runtime.observability.metrics import Metrics
from tests.integration.orders.conftest import NOW, a_record, a_report, an_upsert
from tests.integration.orders.test_statements import is_a_look, is_of_the_driver

SHARED = "SHARED1"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def orders(settings, metrics) -> OrdersBatch:
    return OrdersBatch(settings, metrics)


def a_void(number, tracking):
    body = {"shop_slug": "demo-shop", "id": number, "tracking_number": tracking, "reason": "x"}
    return a_record("shipment.void", body)


def a_void_by_id(number, external_shipment_id):
    body = {"shop_slug": "demo-shop", "id": number, "reason": "x"}
    return a_record("shipment.void", body | {"external_shipment_id": external_shipment_id})


def a_parcel(number, tracking, external_shipment_id):
    body = {"shop_slug": "demo-shop", "id": number}
    held = {"tracking_number": tracking, "external_shipment_id": external_shipment_id}
    return a_record("order.upsert", body | {"trackings": [held]})


@pytest.fixture
def statements(pool, orders):
    """Applies a batch; returns the names of its statements."""

    async def run(*records):
        sent = []
        async with pool.acquire() as connection:
            with connection.query_logger(lambda query: sent.append(query.query)):
                async with connection.transaction():
                    await orders.apply(connection, Batch(records, NOW))
        own = [each for each in sent if not (is_of_the_driver(each) or is_a_look(each))]
        return [each.partition("\n")[0] for each in own]

    return run


# What one batch does to a number that order 0 has; "{n}" is how many orders have it.
ACTS = {
    "a scan": lambda number: [a_report(number)],
    "one more order": lambda number: [an_upsert(f"more-{number}", trackings=[number])],
    "a void": lambda number: [a_void(f"{number}-0", number)],
    "a void by id": lambda number: [a_void_by_id(f"{number}-0", "d1")],
    "a replacement": lambda number: [a_parcel(f"{number}-0", f"OTHER{number}", "d1")],
}


@pytest.mark.parametrize("name", ACTS)
async def test_batch_sends_as_many_statements_whatever_the_orders_on_a_number(
    apply, statements, name
):
    counts = (1, 2, OWNERS_MAX - 1)
    for count in (0, *counts):
        number = f"NUMBER{count}"
        orders = [f"{number}-{n}" for n in range(max(1, count))]
        await apply(*(an_upsert(each) for each in orders))
        await apply(*(a_parcel(each, number, "d1") for each in orders))
    await statements(*ACTS[name]("NUMBER0"))  # What the driver asks once.

    found = [await statements(*ACTS[name](f"NUMBER{count}")) for count in counts]

    assert found == [found[0]] * len(counts)
    assert len(found[0]) <= 8


async def test_many_orders_on_one_number_are_refused_and_the_others_of_the_batch_are_not(
    apply, pool, published, metrics
):
    """500 orders name one number beside 20 ordinary ones, which end as they do alone."""
    alone = [an_upsert(f"alone-{n}", trackings=[f"ALONE{n}"]) for n in range(20)]
    attack = [an_upsert(f"{n}", trackings=[SHARED], shop=f"shop{n % 7}") for n in range(500)]
    mixed = [*attack]
    for at, each in enumerate(alone):
        mixed.insert(at * 26, each)

    await apply(*mixed)
    await apply(*(a_report(number) for number in (SHARED, *(f"ALONE{n}" for n in range(20)))))

    records = await published()
    ends = [body for topic, _, body in records if topic == "orders.outcomes"]
    reasons = [body["reason"] for body in ends if body["outcome"] == "rejected"]
    assert reasons == ["tracking_number_shared"] * (500 - OWNERS_MAX)
    events = [body for topic, _, body in records if topic.endswith(".events")]
    for n in range(20):
        own = [e for e in events if e["context"]["order"]["order_number"] == f"alone-{n}"]
        names = [each["event_name"] for each in own]
        assert names == ["ORDER_PLACED", "SHIPMENT_FULFILLED", "PICKED_UP_BY_CARRIER"]
    scanned = [e for e in events if e["event_name"] == "PICKED_UP_BY_CARRIER"]
    assert len(scanned) == 20 + OWNERS_MAX
    refused = metrics.items_total.labels(
        "orders", "orders.commands", "rejected", "tracking_number_shared"
    )
    assert refused._value.get() == 500 - OWNERS_MAX
    assert await pool.fetchval("SELECT count(*) FROM stored_order") == 20 + OWNERS_MAX


async def test_batch_locks_only_the_orders_that_are_on_its_number(apply, pool):
    await apply(*(an_upsert(f"{n}", trackings=[SHARED]) for n in range(500)))
    await apply(*(an_upsert(f"other-{n}", trackings=[f"OTHER{n}"]) for n in range(50)))

    async with pool.acquire() as connection, connection.transaction():
        locked = await store.lock(connection, [], [SHARED], [], is_final=True)
        free = await pool.fetch(
            "SELECT order_number FROM stored_order ORDER BY 1 FOR UPDATE SKIP LOCKED"
        )

    assert len(locked.stored.orders) == OWNERS_MAX
    assert {row["order_number"] for row in free} == {f"other-{n}" for n in range(50)}
