"""States: one record on `orders.state` for each order that a batch changed, behind its events."""

import json

import pytest

from schemas.events import OrderSnapshot
from schemas.identity import order_id
from schemas.topics import ORDERS_STATE
from services.orders.handler import OrdersBatch
from services.orders.operations.republish import OrderFilter, Republisher, RunPosition
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from tests.integration.batches import applied_by
from tests.integration.orders.conftest import NOW, a_cancel, a_record, a_report, an_upsert
from tests.integration.orders.test_republish import ACT, a_claim_event
from tests.integration.outgoing import waiting_records


@pytest.fixture
def states(published):
    """Bodies of the states in the outbox, oldest first."""

    async def read():
        return [body for _, _, body in await published(ORDERS_STATE)]

    return read


def reach(body):
    """Version and last sequences of a state."""
    return body["order_version"], body["event_data"]["last_sequences"]


async def test_state_is_one_record_for_each_order_and_batch(apply, published, states):
    await apply(
        an_upsert("1"), an_upsert("2"), an_upsert("1", trackings=["T0001"]), a_report("T0001")
    )
    await apply(a_cancel("2"), an_upsert("3"))

    versions = {}
    for state in await states():
        number = state["context"]["order"]["order_number"]
        versions.setdefault(number, []).append(state["order_version"])
    last = {
        number: max(body["order_version"] for _, _, body in await _events(published, number))
        for number in "123"
    }
    assert {number: len(found) for number, found in versions.items()} == {"1": 1, "2": 2, "3": 1}
    assert {number: found[-1] for number, found in versions.items()} == last
    assert last["1"] > 2


async def test_state_is_behind_the_events_of_its_order_and_says_how_far_it_reaches(
    apply, published
):
    await apply(an_upsert("1", trackings=["T0001"]), a_report("T0001"))

    records = [each for each in await published() if each[0] != "orders.outcomes"]

    topics = [topic for topic, _, _ in records]
    *events, (_, headers, state) = records
    sequences = {topic: body["sequence"] for topic, _, body in events}
    assert topics[-1] == ORDERS_STATE
    assert topics.count(ORDERS_STATE) == 1
    assert reach(state) == (
        events[-1][2]["order_version"],
        {
            "orders": sequences["orders.events"],
            "shipments": sequences["shipments.events"],
            "claims": 0,
        },
    )
    assert state["context"] == events[-1][2]["context"]
    assert headers["ce_type"] == b"order.snapshot"
    assert headers["ce_causationid"] == b"orderflow/state"
    OrderSnapshot.model_validate(state)


async def test_state_has_the_bytes_of_a_snapshot_that_operators_publish(
    apply, pool, settings, published
):
    await apply(an_upsert("1", trackings=["T0001"]), a_claim_event("1", 1))
    await _republish(pool, settings)

    (*_, (_, snapshot, said)) = await published("orders.events")
    states = await published(ORDERS_STATE)

    assert [body for _, _, body in states] == [said, said]
    assert {headers["ce_id"] for _, headers, _ in states} == {snapshot["ce_id"]}


async def test_state_is_written_again_where_a_claim_changed(apply, states):
    await apply(an_upsert("1"))
    await apply(a_claim_event("1", 3))

    placed, claimed = await states()

    assert reach(claimed) == (1, {**reach(placed)[1], "claims": 3})
    assert claimed["event_id"] != placed["event_id"]
    assert claimed["context"]["claims"][0]["event_data"]["reason"] == "damage"


@pytest.mark.parametrize("again", ["repeat", "no_difference", "waits"])
async def test_state_is_not_written_where_nothing_changed(apply, states, again):
    await apply(an_upsert("1", ce_id="first"))
    repeats = {
        "repeat": an_upsert("1", ce_id="first"),
        "no_difference": an_upsert("1", ce_id="second"),
        "waits": a_record("order.cancel", {"shop_slug": "demo-shop", "id": "unknown"}),
    }

    await apply(repeats[again])

    assert len(await states()) == 1


async def test_state_of_an_order_too_large_for_a_message_is_cut_and_not_lost(pool, database_url):
    settings = Settings(database_url=database_url, http_port=0, max_event_bytes=4_096)
    apply = applied_by(OrdersBatch(settings, Metrics()), pool, NOW)
    lines = [{"sku": f"S{n}", "title": "x" * 200, "quantity": 1} for n in range(100)]

    await apply(an_upsert("1", products=lines))

    async with pool.acquire() as connection:
        (value,) = [v for topic, _, v in await waiting_records(connection) if topic == ORDERS_STATE]
    state = json.loads(value)
    assert state["context_truncated"] is True
    assert state["context"]["order"]["order_number"] == "1"
    assert len(value) < 6_000


async def test_state_that_is_off_writes_nothing(pool, database_url):
    settings = Settings(database_url=database_url, http_port=0, orders_state=False)
    apply = applied_by(OrdersBatch(settings, Metrics()), pool, NOW)

    await apply(an_upsert("1", trackings=["T0001"]), a_report("T0001"))
    await _republish(pool, settings)

    async with pool.acquire() as connection:
        topics = [topic for topic, _, _ in await waiting_records(connection)]
    assert ORDERS_STATE not in topics
    assert topics.count("orders.events") == 2


async def test_republish_fills_the_states_alone(apply, pool, settings, published):
    await apply(an_upsert("1"), an_upsert("2"))
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM outbox")

    await _republish(pool, settings, state_only=True)

    numbers = [body["context"]["order"]["order_number"] for _, _, body in await published()]
    assert sorted(numbers) == ["1", "2"]
    assert {topic for topic, _, _ in await published()} == {ORDERS_STATE}


async def _republish(pool, settings, **options):
    async with pool.acquire() as connection:
        run = Republisher(settings, connection, rate=10_000, now=lambda: NOW, **options)
        async for _ in run.run(OrderFilter(), RunPosition(), ACT):
            pass


async def _events(published, number):
    id_ = str(order_id("demo-shop", number))
    return [
        each
        for topic in ("orders.events", "shipments.events")
        for each in await published(topic)
        if each[2]["order_id"] == id_
    ]
