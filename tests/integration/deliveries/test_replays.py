"""Replays: events that are sent again are the same events, of the same shop, in their order."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.identity import order_id
from schemas.topics import DELIVERIES_EVENTS, ORDERS_EVENTS, ORDERS_STATE, SHIPMENTS_EVENTS
from services.deliveries.app import build
from services.deliveries.replaying import replays, stages, topic_scan
from tests.integration.deliveries.conftest import (
    SHOP,
    Receiver,
    a_destination,
    an_event,
    asked,
    listening,
    until,
    until_row,
)
from tests.integration.deliveries.test_deaths import by_order, process
from tests.integration.deliveries.test_deliveries import UPSERT, WAITING, named

REPLAY = "destination.replay"
ENDED = "SELECT * FROM deliveries.replay WHERE ended_at IS NOT NULL"
READ = "SELECT FROM deliveries.position WHERE topic = $1 HAVING sum(next_offset) = $2"
NOW = datetime.now(UTC)


def at(minutes):
    """A time, so many minutes before the tests began."""
    return (NOW - timedelta(minutes=minutes)).isoformat()


def replayed(receiver):
    """Order number and sequence of the requests that a replay made, in their order."""
    return [
        (each.event["context"]["order"]["order_number"], each.event["sequence"])
        for each in receiver.requests
        if "orderflow-replay" in each.headers
    ]


async def age_filters(settings):
    """Let the filters of destinations be those of an hour ago: all since then is kept."""
    past = "UPDATE deliveries.destination SET matched_since = now() - interval '1 hour'"
    await asked(settings, past)


async def empty_bodies(settings):
    """Forget the bodies that are kept, as after a week."""
    for day in range(9):
        await asked(settings, f"TRUNCATE deliveries.event_body_{day}")


@pytest.fixture
async def sent(settings, running, command, publish, receiver):
    """Publishes events for a destination and waits until it has them."""
    await command(UPSERT, a_destination(receiver.url))
    await age_filters(settings)

    async def all_of(*events):
        before = len(receiver.requests)
        await publish(*events)
        await until(lambda: len(receiver.requests) == before + len(events))

    return all_of


@pytest.fixture
async def replay(settings, command):
    """Asks for a replay, and waits until it has ended; returns its row."""

    async def one(**selection):
        outcome = await command(REPLAY, {**named(), **selection})
        assert outcome["outcome"] == "applied", outcome
        return await until_row(settings, f"{ENDED} AND '{outcome['detail']}' LIKE '%' || id || '%'")

    return one


async def test_replay_of_an_order_sends_the_same_events_in_their_order(sent, replay, receiver):
    await sent(*(an_event("1", n) for n in (1, 2, 3)), an_event("2", 1))

    row = await replay(order_number="1")

    await until(lambda: len(receiver.requests) == 7)
    assert replayed(receiver) == [("1", 1), ("1", 2), ("1", 3)]
    first = {each.headers["webhook-id"]: each.body for each in receiver.requests[:4]}
    for each in receiver.requests[4:]:
        assert first[each.headers["webhook-id"]] == each.body
        assert each.headers["orderflow-replay"] == str(row["id"])
        assert each.headers["orderflow-attempt"] == "1"
    assert (row["kept"], row["topics"]) == (3, 0)


async def test_new_event_of_the_order_waits_behind_a_replay(
    settings, sent, replay, publish, receiver
):
    await sent(*(an_event("1", n) for n in (1, 2)))
    opened = asyncio.Event()

    async def gate(_request):
        await opened.wait()
        return 204

    receiver.answer = gate
    await replay(order_id=str(order_id(SHOP, "1")))
    await until(lambda: len(receiver.requests) == 3)

    await publish(an_event("1", 3))
    await until_row(settings, WAITING, 3)
    opened.set()

    await until(lambda: len(receiver.requests) == 5)
    assert receiver.sequences() == [1, 2, 1, 2, 3]


async def test_replay_by_time_sends_what_was_triggered_then(sent, replay, receiver):
    await sent(
        an_event("1", 1, triggered_at=at(40)),
        an_event("1", 2, triggered_at=at(30)),
        an_event("2", 1, triggered_at=at(20)),
        an_event("2", 2, triggered_at=at(10)),
    )

    row = await replay(**{"from": at(30), "until": at(10)})

    await until(lambda: len(receiver.requests) == 6)
    assert sorted(replayed(receiver)) == [("1", 2), ("2", 1)]
    assert row["kept"] + row["topics"] == 2


async def test_replay_by_sequence_sends_these_events(sent, replay, receiver):
    await sent(*(an_event("1", n) for n in range(1, 6)))

    await replay(order_number="1", sequence_from=2, sequence_until=3)

    await until(lambda: len(receiver.requests) == 7)
    assert replayed(receiver) == [("1", 2), ("1", 3)]


async def test_replay_takes_only_what_the_present_filters_match(command, sent, replay, receiver):
    await sent(an_event("1", 1), an_event("1", 2, ref="shipments/delivered/DELIVERED"))
    await command(UPSERT, a_destination(receiver.url, filters=["shipments/delivered"]))

    await replay(order_number="1")

    await until(lambda: len(receiver.requests) == 3)
    assert replayed(receiver) == [("1", 2)]


async def test_replay_of_what_was_given_up_sends_it_and_tries_what_is_held(
    settings, running, command, publish, replay, receiver
):
    receiver.answer = lambda request: 404 if request.event["sequence"] == 1 else 204
    await command(UPSERT, a_destination(receiver.url, when_exhausted="skip"))
    await publish(an_event("1", 1), an_event("2", 1), an_event("3", 2))
    groups = "SELECT FROM deliveries.message_group WHERE attempts = 1 HAVING count(*) = 2"
    await until_row(settings, groups)
    order = order_id(SHOP, "1")
    give_up = "UPDATE deliveries.message_group SET attempts = 10, due_at = now()"
    await asked(settings, f"{give_up} WHERE order_id = $1", order)
    await until_row(settings, "SELECT FROM deliveries.attempt WHERE verdict = 'exhausted'")
    receiver.answer = lambda _request: 204
    before = len(receiver.requests)

    first = await replay(only_failed=True)

    await until(lambda: len(receiver.requests) == before + 2)
    assert replayed(receiver) == [("1", 1)]
    assert receiver.sequences("2")[1:] == [1]
    await until_row(settings, WAITING, 0)
    again = await replay(only_failed=True)
    assert (first["kept"], again["kept"]) == (1, 0)


async def test_events_from_before_the_destination_are_read_from_the_topics(
    settings, running, command, send, publish, replay, receiver
):
    await command(UPSERT, a_destination("http://127.0.0.1:9/", "other", shop="other-shop"))
    placed = an_event("1", 1, ref="orders/ORDER_PLACED")
    await send(
        ORDERS_EVENTS, "order.placed", placed, ce_id=placed["event_id"], key=placed["order_id"]
    )
    await publish(*(an_event("1", n) for n in (2, 3)), an_event("2", 1))
    await publish(an_event("1", 9, shop="other-shop"))
    await until_row(settings, READ, settings.topic(SHIPMENTS_EVENTS), 4)
    await until_row(settings, READ, settings.topic(ORDERS_EVENTS), 1)
    await command(UPSERT, a_destination(receiver.url))

    row = await replay(**{"from": at(10**6)})

    await until(lambda: len(receiver.requests) == 4)
    assert [each for each in replayed(receiver) if each[0] == "1"] == [("1", 1), ("1", 2), ("1", 3)]
    assert {each.event["shop_slug"] for each in receiver.requests} == {SHOP}
    assert (row["kept"], row["topics"]) == (0, 4)


async def test_bodies_that_are_not_kept_any_more_are_read_from_the_topics(
    settings, sent, replay, receiver
):
    await sent(*(an_event("1", n) for n in (1, 2, 3)), an_event("2", 1))
    bodies = {each.headers["webhook-id"]: each.body for each in receiver.requests}
    await empty_bodies(settings)
    await sent(an_event("1", 4), an_event("3", 1))

    row = await replay(order_number="1")

    await until(lambda: len(receiver.requests) == 10)
    assert replayed(receiver) == [("1", n) for n in (1, 2, 3, 4)]
    assert (row["kept"], row["topics"]) == (1, 3)
    for each in receiver.requests[6:9]:
        assert bodies[each.headers["webhook-id"]] == each.body


async def test_replay_from_topics_goes_in_batches(settings, sent, replay, receiver, monkeypatch):
    monkeypatch.setattr(topic_scan, "BATCH_EVENTS", 3)
    events = [an_event(str(n), k) for k in (1, 2, 3) for n in range(4)]
    await sent(*events)
    await empty_bodies(settings)

    row = await replay(until=at(0))

    await until(lambda: len(receiver.requests) == 24)
    assert row["topics"] == 12
    for n in range(4):
        assert [each for each in replayed(receiver) if each[0] == str(n)] == [
            (str(n), k) for k in (1, 2, 3)
        ]


async def test_replay_that_has_to_wait_leaves_the_topics_to_others(
    settings, sent, command, replay, receiver, monkeypatch
):
    monkeypatch.setattr(replays, "BACKLOG_MAX", 1)
    monkeypatch.setattr(replays, "SCAN_IDLE_SECONDS", 0)
    monkeypatch.setattr(topic_scan, "BATCH_EVENTS", 1)
    await sent(*(an_event("1", n) for n in (1, 2, 3)))
    await empty_bodies(settings)
    await command("destination.pause", named())
    await command(REPLAY, named(until=at(0)))
    await until_row(settings, "SELECT FROM deliveries.replay WHERE topics = 1")

    async with listening(Receiver()) as other:
        await command(UPSERT, a_destination(other.url, "other"))
        await replay(destination_id="other", until=at(0))
        await until(lambda: replayed(other) == [("1", 1), ("1", 2), ("1", 3)])

    await command("destination.resume", named())
    await until(lambda: replayed(receiver) == [("1", 1), ("1", 2), ("1", 3)])


async def test_event_that_was_read_from_a_topic_is_not_taken_for_a_repeat_of_it(
    settings, running, command, publish, replay, receiver
):
    await publish(an_event("1", 1))
    await until_row(settings, READ, settings.topic(SHIPMENTS_EVENTS), 1)
    await command(UPSERT, a_destination(receiver.url))

    await replay(order_number="1")
    await publish(an_event("1", 2))

    await until(lambda: len(receiver.requests) == 2)
    assert receiver.sequences() == [1, 2]


async def test_state_of_an_order_stands_for_events_that_the_topics_have_no_more(
    settings, running, command, send, publish, replay, receiver
):
    await publish(an_event("1", 1), an_event("1", 2), an_event("2", 1), an_event("3", 1))
    for state in (a_state("1", 2), a_state("2", 2), a_state("9", 1, shop="other-shop")):
        await send(
            ORDERS_STATE, "order.snapshot", state, ce_id=state["event_id"], key=state["order_id"]
        )
    their = a_state("9", 1, shop="other-shop")
    await send(
        ORDERS_STATE, "order.snapshot", their, ce_id=their["event_id"], key=their["order_id"]
    )
    await until_row(settings, READ, settings.topic(SHIPMENTS_EVENTS), 4)
    await delete_records(settings, SHIPMENTS_EVENTS)
    await publish(an_event("2", 2))
    await command(UPSERT, a_destination(receiver.url))
    await until_row(settings, READ, settings.topic(SHIPMENTS_EVENTS), 5)

    first = await replay(order_number="1")
    second = await replay(order_number="2")
    both = await replay(**{"from": at(10**6)})

    await until(lambda: len(receiver.requests) == 6)
    names = [
        (number, each.event["event_name"], sequence)
        for each, (number, sequence) in zip(receiver.requests, replayed(receiver), strict=True)
    ]
    assert names[:3] == [
        ("1", "ORDER_SNAPSHOT", 2),
        ("2", "ORDER_SNAPSHOT", 2),
        ("2", "SORTED", 2),
    ]
    assert sorted(names[3:]) == sorted(names[:3])
    assert [each["states"] for each in (first, second, both)] == [1, 1, 0]
    assert "the topics begin at" in both["detail"]
    assert {each.event["shop_slug"] for each in receiver.requests} == {SHOP}


def a_state(number, last, shop=SHOP):
    """The value of an order on orders.state."""
    event = an_event(number, last, "orders/ORDER_SNAPSHOT", shop)
    return {**event, "event_data": {"notify": False, "last_sequences": {"shipments": last}}}


async def delete_records(settings, name):
    """Delete all records of a topic, as its retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    await admin.start()
    try:
        everything = {
            TopicPartition(settings.topic(name), n): RecordsToDelete(-1) for n in range(6)
        }
        await admin.delete_records(everything)
    finally:
        await admin.close()


async def test_replay_of_another_shops_order_sends_nothing(
    running, command, publish, replay, receiver
):
    async with listening(Receiver()) as other:
        await command(UPSERT, a_destination(other.url, "their", shop="other-shop"))
        await command(UPSERT, a_destination(receiver.url))
        theirs = an_event("1", 1, shop="other-shop")
        await publish(theirs)
        await until(lambda: other.requests)

        row = await replay(order_id=theirs["order_id"])
        everything = await replay(until=at(-60))

    assert (row["kept"], row["topics"]) == (0, 0)
    assert (everything["kept"], everything["topics"]) == (0, 0)
    assert not receiver.requests


async def test_replay_of_many_events_waits_while_much_waits(
    settings, sent, command, receiver, monkeypatch
):
    monkeypatch.setattr(replays, "BACKLOG_MAX", 4)
    monkeypatch.setattr(stages, "ORDERS_A_STEP", 2)
    await sent(*(an_event(str(n), k, triggered_at=at(-1)) for k in (1, 2) for n in range(10)))
    await command("destination.pause", named())

    await command(REPLAY, named(**{"from": at(0)}))
    await until_row(settings, "SELECT FROM deliveries.replay WHERE kept >= 4")
    await command(REPLAY, named(order_number="1"))  # Time for further steps, if there were any.

    (row,) = await asked(settings, "SELECT count(*) FROM deliveries.backlog")
    assert row["count"] < 8
    await command("destination.resume", named())
    await until(lambda: len(receiver.requests) == 42)
    assert len(set(replayed(receiver))) == 20


async def test_replay_of_what_was_given_up_tries_what_is_held_however_much_it_is(
    settings, running, command, publish, receiver, monkeypatch
):
    monkeypatch.setattr(replays, "BACKLOG_MAX", 2)
    receiver.answer = lambda _request: 404
    await command(UPSERT, a_destination(receiver.url))
    await publish(*(an_event(str(n), 1) for n in range(4)))
    groups = "SELECT FROM deliveries.message_group WHERE attempts = 1 HAVING count(*) = 4"
    await until_row(settings, groups)
    await asked(settings, "UPDATE deliveries.message_group SET due_at = '9999-01-01T00:00Z'")
    receiver.answer = lambda _request: 204

    await command(REPLAY, named(only_failed=True))

    await until_row(settings, ENDED)
    await until_row(settings, WAITING, 0)
    assert len(receiver.requests) == 8


async def test_replay_of_a_removed_destination_ends(settings, sent, command, receiver):
    await sent(an_event("1", 1))
    await command("destination.pause", named())
    await asked(settings, "UPDATE deliveries.destination SET state = 'removed'")
    await asked(
        settings,
        "INSERT INTO deliveries.replay (id, destination, shard, selection, asked_by, asked_at) "
        "SELECT gen_random_uuid(), d.id, n, '{\"only_failed\": true}', 'a test', now() "
        "FROM deliveries.destination AS d, generate_series(0, 15) AS n",
    )

    row = await until_row(settings, ENDED)

    assert row["detail"] == "the destination was removed"
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ({}, "nothing_selected"),
        ({"sequence_from": 1}, "selection_not_possible"),
        ({"from": at(1), "until": at(2)}, "selection_not_possible"),
        ({"from": "yesterday"}, "invalid_fields"),
        ({"order_number": "1", "order_id": str(order_id(SHOP, "2"))}, "invalid_fields"),
    ],
    ids=["nothing", "sequence alone", "no time", "no instant", "two orders"],
)
async def test_replay_that_can_select_nothing_is_rejected(
    running, command, receiver, selection, reason
):
    await command(UPSERT, a_destination(receiver.url))

    outcome = await command(REPLAY, named(**selection))

    assert (outcome["outcome"], outcome["reason"]) == ("rejected", reason)


async def test_end_of_a_replay_is_an_event(settings, sent, replay):
    await sent(an_event("1", 1))

    row = await replay(order_number="1")

    event = await event_of(settings, "replayed")
    assert event["replay"] == {"replay_id": str(row["id"]), "kept": 1, "topics": 0, "states": 0}
    assert event["detail"] == "1 events: 1 kept, 0 from the topics"


async def event_of(settings, name):
    """The first event of a destination with this name."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
    await consumer.start()
    try:
        places = [TopicPartition(settings.topic(DELIVERIES_EVENTS), n) for n in range(6)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        async with asyncio.timeout(30):
            async for record in consumer:
                body = json.loads(record.value)
                if body["event_name"] == name:
                    return body
    finally:
        await consumer.stop()


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("source", ["kept", "topics"])
async def test_kill_in_the_middle_of_a_replay_loses_nothing_and_keeps_the_order(
    settings, command, publish, receiver, tmp_path, source
):
    service = build(settings)
    await service.start()
    events = [an_event(str(n), k, triggered_at=at(-1)) for k in range(1, 6) for n in range(40)]
    await command(UPSERT, a_destination(receiver.url))
    await age_filters(settings)
    await publish(*events)
    await until(lambda: len(receiver.requests) == len(events))
    if source == "topics":
        await empty_bodies(settings)
    await command("destination.pause", named())
    await command(REPLAY, named(**{"from": at(0)}))
    await service.stop()
    receiver.requests.clear()
    await asked(settings, "UPDATE deliveries.destination SET state = 'active'")

    for part in (1, 2, 3):
        async with process(settings, tmp_path / f"process{part}.log"):
            wanted = part * len(events) // 3
            await until(lambda: len(ids_of(receiver)) >= wanted, seconds=60)  # noqa: B023
    async with process(settings, tmp_path / "last.log"):
        await until_row(settings, ENDED)
        await until_row(settings, WAITING, 0)

    assert ids_of(receiver) == {each["event_id"] for each in events}
    assert all(found == [1, 2, 3, 4, 5] for found in by_order(receiver).values())


def ids_of(receiver):
    """Ids of the events of a replay that were taken."""
    return {
        each.headers["webhook-id"]
        for each in receiver.requests
        if each.status == 204 and "orderflow-replay" in each.headers
    }
