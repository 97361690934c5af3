"""Traces of commands: from a sender's span to the events, on real servers."""

import json

import pytest

from schemas.topics import ORDERS_COMMANDS, ORDERS_EVENTS, ORDERS_OUTCOMES
from services.runtime.batch.batch_spans import received_span_id
from services.runtime.messages.records import Coordinates
from tests.integration.tracing.conftest import (
    REJECTED,
    SENDER,
    SENDER_ID,
    SHOP,
    TRACE_ID,
    an_order,
    traceparent_of,
)

STAGES = ["fence", "decode", "read", "decide", "write", "encode", "outbox", "commit"]


async def test_command_with_a_trace_has_spans_from_poll_to_event(start, send, read, collector):
    await start("orders", "analytics")
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=f"{SHOP}/1001", id_="c1")
    ((headers, event),) = await read(ORDERS_EVENTS)
    ((outcome_headers, _),) = await read(ORDERS_OUTCOMES)
    (counted,) = await collector.until(lambda: collector.named("process orders.events", TRACE_ID))
    await collector.until(lambda: len(collector.of(TRACE_ID)) == 4)

    (item,) = collector.named("process orders.commands", TRACE_ID)
    assert (item.service, item.kind, item.parent_id) == ("orderflow-orders", "CONSUMER", SENDER_ID)
    assert (
        item.attributes.items()
        >= {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.kafka.offset": 0,
            "cloudevents.event_type": "order.upsert",
            "orderflow.outcome": "applied",
            "orderflow.order_id": event["order_id"],
        }.items()
    )
    assert headers["traceparent"].decode() == item.traceparent
    assert outcome_headers["traceparent"].decode() == item.traceparent
    (sent,) = collector.named("send orders.events", TRACE_ID)
    assert (sent.kind, sent.parent_id) == ("PRODUCER", item.span_id)
    assert sent.attributes["messaging.message.id"] == event["event_id"]
    assert sent.attributes["cloudevents.event_type"] == "order.placed"
    assert (counted.service, counted.parent_id) == ("orderflow-analytics", item.span_id)


async def test_batch_has_its_own_trace_with_stages_and_links(start, send, collector):
    await start("orders")
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=f"{SHOP}/1001", id_="c1")
    await collector.until(lambda: collector.named("send orders.events", TRACE_ID))
    (item,) = collector.named("process orders.commands", TRACE_ID)
    (link,) = item.links
    spans = {each.name.split(" ")[0]: each for each in collector.of(link[0])}

    batch = spans["apply"]
    assert link == (batch.trace_id, batch.span_id)
    assert batch.links == ((TRACE_ID, SENDER_ID),)
    assert batch.attributes["messaging.batch.message_count"] == 1
    assert batch.attributes["orderflow.links_left_out"] == 0
    root, poll = spans["batch"], spans["poll"]
    assert (root.parent_id, poll.parent_id, batch.parent_id) == ("", root.span_id, root.span_id)
    assert (poll.kind, poll.attributes["messaging.operation.type"]) == ("CLIENT", "receive")
    stages = [each for each in collector.of(batch.trace_id) if each.parent_id == batch.span_id]
    assert [each.name for each in stages] == STAGES
    assert stages[0].began == batch.began
    assert [each.began for each in stages[1:]] == [each.ended for each in stages[:-1]]
    assert (item.began, item.ended) == (batch.began, batch.ended)


async def test_publication_has_its_own_trace_with_links(start, send, collector):
    await start("orders")
    await send(ORDERS_COMMANDS, "order.upsert", an_order(), key=f"{SHOP}/1001", id_="c1")
    (sent,) = await collector.until(lambda: collector.named("send orders.events", TRACE_ID))
    ((trace_id, span_id),) = sent.links
    (item,) = collector.named("process orders.commands", TRACE_ID)
    publish, *parts = collector.of(trace_id)

    assert (publish.name, publish.span_id, publish.parent_id) == ("publish", span_id, "")
    assert set(publish.links) == {(TRACE_ID, item.span_id)}
    assert [each.name for each in parts] == ["read", "send"]
    assert {each.parent_id for each in parts} == {span_id}


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        f"00-{TRACE_ID}-{SENDER_ID}-00",
        SENDER.upper(),
        f"00-{'0' * 32}-{SENDER_ID}-01",
        f"ff-{TRACE_ID}-{SENDER_ID}-01",
        SENDER[:-1],
        "x" * 256,
    ],
    ids=["none", "not sampled", "upper case", "zeros", "version ff", "short", "long"],
)
async def test_message_that_is_not_traced_goes_on_as_without_traces(
    start, send, read, collector, traceparent
):
    await start("orders")
    body, key = an_order(), f"{SHOP}/1001"
    await send(ORDERS_COMMANDS, "order.upsert", body, key=key, id_="c1", traceparent=traceparent)
    ((headers, _),) = await read(ORDERS_EVENTS)
    await send(ORDERS_COMMANDS, "order.upsert", an_order("1002"), key=key, id_="c2")
    await collector.until(lambda: collector.named("send orders.events", TRACE_ID))

    assert traceparent_of(headers) == traceparent
    assert len(collector.named("process orders.commands", TRACE_ID)) == 1
    assert {each.trace_id for each in collector.spans if each.name.startswith("send ")} == {
        TRACE_ID
    }


async def test_message_without_a_trace_begins_one_that_a_replay_repeats(
    start, send, read, collector
):
    await start("orders", otel_traces_sampler_arg=1.0)
    body, key = an_order(), f"{SHOP}/1001"
    await send(ORDERS_COMMANDS, "order.upsert", body, key=key, id_="c1", traceparent=None)
    ((headers, _),) = await read(ORDERS_EVENTS)
    trace_id, span_id = traceparent_of(headers).split("-")[1:3]
    (item,) = await collector.until(lambda: collector.named("process orders.commands", trace_id))

    place = int(item.attributes["messaging.destination.partition.id"])
    at = Coordinates(ORDERS_COMMANDS, place, item.attributes["messaging.kafka.offset"])
    assert (item.span_id, item.parent_id) == (span_id, "")
    assert span_id == received_span_id("orders", at, 0)


async def test_share_of_all_traces_ignores_the_senders_flag(start, send, read, collector):
    """The trace id decides, as in OpenTelemetry: of a share of 0.1 %, the lowest ids."""
    await start("orders", otel_traces_sampler="traceidratio", otel_traces_sampler_arg=0.001)
    low = f"00-{'a' * 16}{'0' * 15}1-{SENDER_ID}-00"
    for number, traceparent in enumerate((SENDER, low), 1):
        await send(
            ORDERS_COMMANDS,
            "order.upsert",
            an_order(str(number)),
            key=f"{SHOP}/{number}",
            id_=f"c{number}",
            traceparent=traceparent,
        )
    events = await read(ORDERS_EVENTS, 2)
    await collector.until(lambda: collector.named("send orders.events"))

    assert {each.trace_id for each in collector.named("process orders.commands")} == {
        low.split("-")[1]
    }
    assert SENDER in {traceparent_of(headers) for headers, _ in events}


async def test_items_of_a_bulk_command_have_a_span_each(start, send, read, collector):
    await start("orders")
    body = {"shop_slug": SHOP, "items": [an_order(str(number)) for number in (1, 2, 3)]}
    body["items"] = [{k: v for k, v in item.items() if k != "shop_slug"} for item in body["items"]]
    await send(ORDERS_COMMANDS, "orders.fulfill_bulk", body, key=SHOP, id_="c1")
    events = await read(ORDERS_EVENTS, 3)
    items = await collector.until(
        lambda: len(found := collector.named("process orders.commands", TRACE_ID)) == 3 and found
    )

    assert {each.attributes.get("orderflow.index", 0) for each in items} == {0, 1, 2}
    assert {traceparent_of(headers) for headers, _ in events} == {
        each.traceparent for each in items
    }


async def test_refused_command_has_a_span_with_its_reason_and_nothing_of_its_body(
    start, send, read, collector
):
    await start("orders")
    body = an_order() | {"order": {"order_number": ["jane@example.org"]}}
    await send(ORDERS_COMMANDS, "order.upsert", body, key=f"{SHOP}/jane@example.org", id_="j@x")
    ((headers, _),) = await read(REJECTED)
    (item,) = await collector.until(lambda: collector.named("process orders.commands", TRACE_ID))
    await collector.until(lambda: collector.named(f"send {REJECTED}", TRACE_ID))

    assert item.attributes["orderflow.outcome"] == "rejected"
    assert item.attributes["orderflow.reason"] == "invalid_fields"
    assert traceparent_of(headers) == item.traceparent
    said = json.dumps([[each.name, each.attributes, each.error] for each in collector.spans])
    for secret in ("jane", "j@x", SHOP, "/shop"):
        assert secret not in said
