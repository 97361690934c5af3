"""`orderflow rebuild deliveries`: bodies are read from the topics; what waits keeps its order."""

from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.schema_ids import schema_id
from schemas.topics import ORDERS_STATE, SHIPMENTS_EVENTS
from services.deliveries.app import build
from services.deliveries.replaying import replays, topic_scan
from tests.integration.deliveries.conftest import (
    Receiver,
    a_destination,
    an_event,
    asked,
    listening,
    until,
    until_row,
)
from tests.integration.deliveries.test_bodies import SHOP as UCP_SHOP
from tests.integration.deliveries.test_bodies import a_life, events_of, tell, ucp
from tests.integration.deliveries.test_deaths import by_order
from tests.integration.deliveries.test_deliveries import UPSERT, WAITING, named
from tests.integration.deliveries.test_replays import (
    ENDED,
    READ,
    REPLAY,
    a_state,
    age_filters,
    at,
    delete_records,
    replayed,
)

WHY = ("--why", "bodies were lost")
LOSE = "DELETE FROM deliveries.event_body"
TRY_NOW = "UPDATE deliveries.destination SET retries_now = true"
TWO_ENDED = "SELECT FROM deliveries.replay HAVING count(ended_at) = 2"
TABLES = ("event_body", "backlog", "destination", "replay", "operator_act")


@asynccontextmanager
async def serving(settings):
    """One replica of the service."""
    service = build(settings)
    await service.start()
    try:
        yield
    finally:
        await service.stop()


@pytest.fixture
def rebuild(operate):
    """Runs the command, which must succeed; returns the numbers that it shows."""

    async def run(*words):
        status, printed = await operate("rebuild", "deliveries", *(words or WHY))
        assert status == 0, printed
        first, _, rest = printed.partition("\n")
        assert "republish" not in rest
        return dict(each.split("=") for each in first.split()[1:])

    return run


async def values_on(settings, name):
    """The values of a topic's records, by the event's id."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await consumer.start()
    try:
        places = [TopicPartition(settings.topic(name), n) for n in range(6)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends, found = await consumer.end_offsets(places), {}
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found |= {dict(each.headers)["ce_id"].decode(): each.value for each in records}
        return found
    finally:
        await consumer.stop()


async def test_rebuild_restores_what_waits_and_new_events_are_sent_after_it(
    settings, command, publish, receiver, rebuild
):
    receiver.answer = lambda _request: 503
    events = [an_event(str(n), k) for k in (1, 2, 3) for n in range(4)]
    async with serving(settings):
        await command(UPSERT, a_destination(receiver.url))
        await publish(*events)
        await until_row(settings, WAITING, len(events))
    damage = "UPDATE deliveries.event_body SET value = '\\x7b', headers = '\\x00', type = ''"
    await asked(settings, f"{damage} WHERE sequence = 1")
    await asked(settings, f"{LOSE} WHERE sequence = 2")
    await asked(settings, "UPDATE deliveries.event_body SET day = (day + 3) % 9 WHERE sequence = 3")

    shown = await rebuild()

    assert shown["recalled_items"] == str(len(events))
    assert (shown["event_body"], shown["missing_bodies"]) == ("0", "0")
    async with serving(settings):
        newest = [an_event(str(n), 4) for n in range(4)]
        await publish(*newest)
        await until_row(settings, WAITING, len(events) + len(newest))
        receiver.requests.clear()
        receiver.answer = lambda _request: 204
        await asked(settings, TRY_NOW)
        await until(lambda: len(receiver.requests) >= len(events) + len(newest))

    assert by_order(receiver) == {each["order_id"]: [1, 2, 3, 4] for each in newest}
    values = await values_on(settings, SHIPMENTS_EVENTS)
    for each in receiver.requests:
        assert each.body == values[each.headers["webhook-id"]]
        assert each.headers["orderflow-event-type"] == "shipment.scanned"
        assert each.headers["orderflow-data-schema"] == schema_id("shipment.scanned")


async def test_rebuild_deletes_bodies_of_what_was_sent_and_replays_read_the_topics(
    settings, command, publish, receiver, rebuild
):
    """One body stays, since it waits for another destination: it must not stand for the others."""
    held = an_event("9", 1, ref="shipments/delivered/DELIVERED")
    later = [an_event(str(n), k, triggered_at=at(-2)) for k in (1, 2) for n in range(2)]
    async with serving(settings):
        await command(UPSERT, a_destination(receiver.url))
        await command(UPSERT, a_destination(receiver.url, "late", filters=["shipments/delivered"]))
        await command("destination.pause", named("late"))
        await age_filters(settings)
        await publish(held, *later)
        await until(lambda: len(receiver.requests) == 5)
        await until_row(settings, WAITING, 1)
    bodies = {each.headers["webhook-id"]: each.body for each in receiver.requests}

    assert (await rebuild())["event_body"] == "4"
    async with serving(settings):
        await publish(an_event("1", 3, triggered_at=at(-3)))
        await until(lambda: len(receiver.requests) == 6)
        receiver.requests.clear()
        await command(REPLAY, named(order_number="1"))
        await until(lambda: replayed(receiver) == [("1", 1), ("1", 2), ("1", 3)])
        await command(REPLAY, named(**{"from": at(-2), "until": at(-3)}))
        await until_row(settings, TWO_ENDED)
        await until_row(settings, WAITING, 1)

    again = replayed(receiver)[3:]
    assert sorted(again) == [("0", 1), ("0", 2), ("1", 1), ("1", 2)]
    assert all(again.index((n, 1)) < again.index((n, 2)) for n in ("0", "1"))
    for each in receiver.requests:
        assert each.body == bodies.get(each.headers["webhook-id"], each.body)


async def test_rebuild_counts_events_without_a_body_and_sends_those_of_other_orders(
    settings, command, send, publish, receiver, rebuild
):
    receiver.answer = lambda _request: 503
    lost, other = an_event("1", 1), an_event("2", 1)
    async with serving(settings):
        await command(UPSERT, a_destination(receiver.url))
        await publish(lost, other)
        await until_row(settings, WAITING, 2)
    await delete_records(settings, SHIPMENTS_EVENTS)
    await asked(settings, f"{LOSE} WHERE event_id = $1", lost["event_id"])
    await send(SHIPMENTS_EVENTS, "shipment.scanned", b"{}", ce_id="odd", key="k")

    shown = await rebuild()

    counted = (shown["recalled_items"], shown["unreadable"], shown["missing_bodies"])
    assert counted == ("0", "1", "1")
    receiver.answer = lambda _request: 204
    receiver.requests.clear()
    async with serving(settings):
        await asked(settings, TRY_NOW)
        await publish(an_event("1", 2), an_event("2", 2))
        await until(lambda: receiver.sequences("2") == [1, 2])
        failed = "SELECT * FROM deliveries.attempt WHERE error LIKE '%not kept any more'"
        row = await until_row(settings, failed)
        await until_row(settings, WAITING, 2)

    assert (str(row["event_id"]), row["verdict"]) == (lost["event_id"], "retry")
    assert receiver.sequences("1") == []


async def test_rebuild_reads_waiting_states_of_orders_from_their_topic(
    settings, command, send, publish, receiver, rebuild
):
    state = a_state("1", 2)
    async with serving(settings):
        await publish(an_event("1", 1), an_event("1", 2))
        await send(
            ORDERS_STATE, "order.snapshot", state, ce_id=state["event_id"], key=state["order_id"]
        )
        await until_row(settings, READ, settings.topic(SHIPMENTS_EVENTS), 2)
        await delete_records(settings, SHIPMENTS_EVENTS)
        await command(UPSERT, a_destination(receiver.url))
        await command("destination.pause", named())
        await command(REPLAY, named(order_number="1"))
        await until_row(settings, f"{ENDED} AND states = 1")
    await asked(settings, LOSE)

    assert (await rebuild())["recalled_items"] == "1"
    async with serving(settings):
        await command("destination.resume", named())
        await until(lambda: receiver.requests)
    values = await values_on(settings, ORDERS_STATE)
    assert receiver.requests[0].body == values[state["event_id"]]


async def test_rebuild_lets_a_replay_begin_again_and_end(
    settings, command, publish, receiver, rebuild, monkeypatch
):
    monkeypatch.setattr(replays, "BACKLOG_MAX", 1)
    monkeypatch.setattr(topic_scan, "BATCH_EVENTS", 1)
    async with serving(settings):
        await publish(*(an_event("1", n) for n in (1, 2, 3)))
        await until_row(settings, READ, settings.topic(SHIPMENTS_EVENTS), 3)
        await command(UPSERT, a_destination(receiver.url))
        await command("destination.pause", named())
        await command(REPLAY, named(until=at(0)))
        await until_row(settings, "SELECT FROM deliveries.replay WHERE topics >= 1")

    assert (await rebuild())["restarted_replays"] == "1"
    async with serving(settings):
        await command("destination.resume", named())
        await until_row(settings, ENDED)
        await until_row(settings, WAITING, 0)

    assert replayed(receiver) == [("1", 1), ("1", 1), ("1", 2), ("1", 3)]


async def test_rebuild_of_bodies_ucp_gives_no_fewer_fulfilment_events_than_before(
    settings, command, send, receiver, rebuild
):
    events = a_life()
    async with listening(Receiver()) as other:
        async with serving(settings):
            await command(UPSERT, ucp(receiver.url))
            await command(UPSERT, ucp(other.url, "late"))
            await command("destination.pause", named("late", UCP_SHOP))
            for number, each in enumerate(events, 1):
                await tell(send, each)
                await until(lambda number=number: len(receiver.requests) == number)
            await until_row(settings, WAITING, len(events))
        await asked(settings, f"{LOSE} WHERE sequence <> 2 OR topic <> 'orders.events'")

        await rebuild()
        async with serving(settings):
            await command("destination.resume", named("late", UCP_SHOP))
            await until(lambda: len(other.requests) == len(events))

    before, after = map(events_of, receiver.requests), list(map(events_of, other.requests))
    for sent, again, following in zip(before, after, [*after[1:], after[-1]], strict=True):
        assert again[: len(sent)] == sent
        assert following[: len(again)] == again
    for event, sent, again in zip(events, receiver.requests, other.requests, strict=True):
        assert event["source"] == "orders" or sent.body == again.body


async def test_rebuild_refuses_while_the_service_runs_and_a_dry_run_changes_nothing(
    settings, command, publish, receiver, operate, rebuild
):
    async with serving(settings):
        await command(UPSERT, a_destination(receiver.url))
        await publish(an_event("1", 1))
        await until(lambda: receiver.requests)
        await command("destination.pause", named())
        await publish(an_event("1", 2))
        await until_row(settings, WAITING, 1)
        before = [await asked(settings, f"TABLE deliveries.{name}") for name in TABLES]
        status, printed = await operate("rebuild", "deliveries", *WHY)
        assert (status, "deliveries runs (1 of it)" in printed) == (1, True), printed

    shown = await rebuild("--dry-run")

    assert (shown["event_body"], shown["recalled_items"], shown["dry_run"]) == ("1", "1", "yes")
    assert [await asked(settings, f"TABLE deliveries.{name}") for name in TABLES] == before
    await rebuild()
    (act,) = await asked(settings, "TABLE deliveries.operator_act")
    assert (act["act"], act["reason"]) == ("service.rebuild", "bodies were lost")
