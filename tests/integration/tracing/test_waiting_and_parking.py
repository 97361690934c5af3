"""Traces of items that wait or are parked: what became of them later is in the sender's trace."""

import pytest

from schemas.topics import ORDERS_COMMANDS, ORDERS_EVENTS
from services.orders import unit_of_work
from tests.integration.tracing.conftest import (
    REJECTED,
    SENDER_ID,
    SHOP,
    TRACE_ID,
    an_order,
    traceparent_of,
)

OTHER = f"00-{'c' * 32}-{'d' * 16}-01"
KEY = f"{SHOP}/1001"


async def test_item_that_waited_goes_on_in_its_senders_trace(start, send, read, collector):
    await start("orders")
    cancel = {"shop_slug": SHOP, "id": "1001"}
    await send(ORDERS_COMMANDS, "order.cancel", cancel, key=KEY, id_="c1")
    (waiting,) = await collector.until(lambda: collector.named("process orders.commands", TRACE_ID))
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=KEY, id_="c2", traceparent=OTHER)
    events = await read(ORDERS_EVENTS, 2)
    received, woken = await collector.until(
        lambda: len(found := collector.named("process orders.commands", TRACE_ID)) == 2 and found
    )

    assert received == waiting
    assert (received.attributes["orderflow.outcome"], woken.attributes["orderflow.outcome"]) == (
        "waiting",
        "applied",
    )
    assert woken.attributes["orderflow.origin"] == "waiting"
    assert woken.attributes["orderflow.waited_seconds"] > 0
    assert {received.parent_id, woken.parent_id} == {SENDER_ID}
    assert (TRACE_ID, received.span_id) in woken.links
    cancelled = [headers for headers, _ in events if headers["ce_type"] == b"order.cancelled"]
    assert [traceparent_of(headers) for headers in cancelled] == [woken.traceparent]


async def test_item_that_waited_too_long_is_refused_in_its_senders_trace(
    start, send, read, collector
):
    await start("orders", command_wait_seconds=0.2)
    cancel = {"shop_slug": SHOP, "id": "1001"}
    await send(ORDERS_COMMANDS, "order.cancel", cancel, key=KEY, id_="c1")
    ((headers, _),) = await read(REJECTED)
    _, swept = await collector.until(
        lambda: len(found := collector.named("process orders.commands", TRACE_ID)) == 2 and found
    )

    assert swept.attributes["orderflow.reason"] == "order_not_found"
    assert traceparent_of(headers) == swept.traceparent
    sweep = await collector.until(lambda: collector.named("sweep"))
    assert swept.links[0] in [(each.trace_id, each.span_id) for each in sweep]


@pytest.fixture
def bug(monkeypatch):
    """Decisions fail while the list has anything in it."""
    broken, sound = [True], unit_of_work.decide

    def decide(*arguments):
        if broken:
            raise ZeroDivisionError("a bug in a decision about jane@example.org")
        return sound(*arguments)

    monkeypatch.setattr(unit_of_work, "decide", decide)
    return broken


async def test_item_that_was_parked_and_retried_goes_on_in_its_senders_trace(
    start, send, read, collector, bug
):
    await start("orders", fuse_parked_in_a_row=0, fuse_parked_share=0)
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=KEY, id_="c1")
    parked, *_ = await collector.until(lambda: collector.named("process orders.commands", TRACE_ID))
    bug.clear()
    ((headers, _),) = await read(ORDERS_EVENTS)
    retried = await collector.until(
        lambda: [
            each
            for each in collector.named("process orders.commands", TRACE_ID)
            if each.attributes["orderflow.outcome"] == "applied"
        ]
    )

    assert parked.error == "decision"
    assert parked.attributes["orderflow.outcome"] == "parked"
    (last,) = retried
    assert last.attributes["orderflow.origin"] == "parked"
    assert (last.parent_id, last.error) == (SENDER_ID, None)
    assert (TRACE_ID, parked.span_id) in last.links
    assert traceparent_of(headers) == last.traceparent
    assert await collector.until(lambda: collector.named("retry orders.commands"))
    assert "jane" not in collector.described()
