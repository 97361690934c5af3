"""A feed: a topic of one shop that holds its events as they are, in order for each order."""

import json
from functools import partial

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from schemas.topics import CLAIMS_EVENTS, ORDERS_EVENTS, SHIPMENTS_EVENTS, feed_topic
from services.deliveries.app import build
from services.deliveries.network.feed import FeedClient, FeedRecord
from services.runtime.kafka import topics
from services.runtime.kafka.clients import make_feed_producer
from tests.integration.deliveries.conftest import SHOP, an_event, asked, until_row
from tests.integration.deliveries.feeds import (
    CIRCUIT_OPEN,
    FAILED,
    a_feed,
    fed,
    make_feed,
    publishing,
    shared,
    until_sent,
    whole,
)
from tests.integration.deliveries.test_deliveries import UPSERT, named

READ = "SELECT FROM deliveries.position WHERE topic = $1 HAVING sum(next_offset) = $2"
RETRY = "UPDATE deliveries.destination SET retries_now = true"


@pytest.fixture
async def publish(settings):
    """Publishes events on an event topic with all their headers."""
    async with publishing(settings) as all_of:
        yield all_of


def names(count, shop=SHOP):
    """Events of orders with a name that is not ASCII, `count` of each order."""
    person = {"address": {"name": "Jürgen Straße"}}
    return [
        an_event(str(order), n, shop=shop, context={"order": person})
        for n in range(1, count + 1)
        for order in range(4)
    ]


async def test_feed_has_keys_values_and_headers_of_the_shared_topics(
    settings, running, command, publish
):
    await make_feed(settings)
    outcome = await command(UPSERT, a_feed())

    await publish(ORDERS_EVENTS, an_event("1", 1, "orders/placed/ORDER_PLACED"))
    await publish(SHIPMENTS_EVENTS, *names(3))
    await publish(CLAIMS_EVENTS, an_event("1", 1, "claims/opened/CLAIM_CREATED"))

    assert outcome["outcome"] == "applied"
    expected, found = await shared(settings, 14), await fed(settings, 14)
    assert sorted(map(whole, found)) == sorted(map(whole, expected))
    assert {name for name, _ in found[0].headers} >= {
        "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_causationid", "ce_sequence",
        "ce_orderversion", "traceparent", "content-type",
    }  # fmt: skip


async def test_feed_has_the_events_of_each_order_in_order(settings, running, command, publish):
    await make_feed(settings)
    await command(UPSERT, a_feed())

    await publish(SHIPMENTS_EVENTS, *names(50))

    found = await fed(settings, 200)
    assert len(found) == 200
    for order in {record.key for record in found}:
        of_order = [json.loads(each.value)["sequence"] for each in found if each.key == order]
        assert of_order == list(range(1, 51))


async def test_feed_has_only_events_of_its_shop_that_its_filters_let_through(
    settings, running, command, publish
):
    await make_feed(settings)
    await command(UPSERT, a_feed(filters=["shipments/delivered"]))

    await publish(
        SHIPMENTS_EVENTS,
        an_event("1", 1),
        an_event("1", 1, "shipments/delivered/DELIVERED", shop="other-shop"),
        an_event("1", 2, "shipments/delivered/DELIVERED"),
    )

    (record,) = await fed(settings, 1)
    assert json.loads(record.value)["shop_slug"] == SHOP
    await until_sent(settings)
    assert len(await fed(settings, 1)) == 1


async def test_feed_without_a_topic_waits_and_says_which_command_makes_it(
    settings, running, command, publish
):
    await command(UPSERT, a_feed())
    await publish(SHIPMENTS_EVENTS, *names(3))
    await until_row(settings, CIRCUIT_OPEN)

    (attempt, *_) = await asked(settings, FAILED)
    assert f"`orderflow destinations feed {SHOP}` makes it" in attempt["error"]
    with pytest.raises(topics.TopicError):
        await topics.require(settings, [feed_topic(SHOP).name])
    await make_feed(settings)
    await asked(settings, RETRY)

    found = await fed(settings, 12)
    assert sorted(map(whole, found)) == sorted(map(whole, await shared(settings, 12)))


async def test_feed_is_made_where_no_key_of_secrets_is(settings, command, publish):
    service = build(settings.model_copy(update={"deliveries_key": None}))
    await service.start()
    await make_feed(settings)

    webhook = await command(UPSERT, {**named("hook"), "url": "https://127.0.0.1/"})
    outcome = await command(UPSERT, a_feed())
    await publish(SHIPMENTS_EVENTS, an_event())

    assert webhook["outcome"] == "rejected"
    assert outcome["outcome"] == "applied"
    assert len(await fed(settings, 1)) == 1
    await service.stop()


async def test_feed_that_is_removed_leaves_its_topic_and_another_may_follow(
    settings, running, command, publish
):
    await make_feed(settings)
    await command(UPSERT, a_feed())
    refused = await command(UPSERT, a_feed("second"))
    await publish(SHIPMENTS_EVENTS, an_event("1", 1))
    await fed(settings, 1)

    await command("destination.remove", named("warehouse"))
    await publish(SHIPMENTS_EVENTS, an_event("1", 2))
    await command(UPSERT, a_feed("second"))
    await publish(SHIPMENTS_EVENTS, an_event("1", 3))

    assert refused["reason"] == "feed_exists"
    found = [json.loads(record.value)["sequence"] for record in await fed(settings, 2)]
    assert found == [1, 3]


async def test_feed_gets_events_again_as_they_were_with_the_id_of_the_replay(
    settings, running, command, publish
):
    await make_feed(settings)
    await publish(SHIPMENTS_EVENTS, an_event("1", 1), an_event("1", 2), an_event("2", 1))
    await until_row(settings, READ, settings.topic(SHIPMENTS_EVENTS), 3)
    await command(UPSERT, a_feed())

    await command("destination.replay", named("warehouse", order_number="1"))

    expected = [whole(each) for each in await shared(settings, 3) if order_of(each) == "1"]
    found = await fed(settings, 2)
    (row,) = await asked(settings, "SELECT id FROM deliveries.replay")
    mark = ("orderflow-replay", str(row["id"]).encode())
    assert [each.headers[-1] for each in found] == [mark, mark]
    assert sorted((k, v, h[:-1]) for k, v, h in map(whole, found)) == sorted(expected)
    assert [json.loads(each.value)["sequence"] for each in found] == [1, 2]


def order_of(record):
    """The number of the order that a record is about."""
    return json.loads(record.value)["context"]["order"]["order_number"]


async def test_feed_that_is_paused_gets_what_was_kept_when_it_is_resumed(
    settings, running, command, publish
):
    await make_feed(settings)
    await command(UPSERT, a_feed())
    await command("destination.pause", named("warehouse"))
    await publish(SHIPMENTS_EVENTS, *names(2))
    await until_row(settings, "SELECT FROM deliveries.backlog HAVING count(*) = 8")

    await command("destination.resume", named("warehouse"))

    assert len(await fed(settings, 8)) == 8
    await until_sent(settings)


async def test_feed_gets_more_than_it_may_have_under_way(settings, command, publish):
    few = {"deliveries_in_flight_per_feed": 3, "deliveries_in_flight_of_feeds": 4}
    service = build(settings.model_copy(update=few))
    await service.start()
    await make_feed(settings)
    await command(UPSERT, a_feed())

    await publish(SHIPMENTS_EVENTS, *names(40))

    found = await fed(settings, 160)
    await until_sent(settings)
    await service.stop()
    assert len(found) == 160
    for order in {record.key for record in found}:
        of_order = [json.loads(each.value)["sequence"] for each in found if each.key == order]
        assert of_order == list(range(1, 41))


# The client alone.


def a_record(settings, value=b"{}", shop=SHOP):
    """A record of a shop's feed."""
    topic = settings.topic(feed_topic(shop).name)
    return FeedRecord(shop, topic, b"order", value, [("ce_id", b"1")])


async def test_feed_client_writes_where_a_topic_was_made_since(settings):
    client = FeedClient(partial(make_feed_producer, settings))
    before = await client.write(a_record(settings))
    await make_feed(settings)

    after = await client.write(a_record(settings))

    await client.close()
    assert not before.answer.is_success
    assert (after.answer.is_success, after.answer.error) == (True, None)
    assert after.text.startswith("partition ")


async def test_feed_client_connects_again_after_kafka_was_not_there(settings):
    away = settings.model_copy(update={"kafka_bootstrap_servers": "127.0.0.1:1"})
    places = iter([away, settings])
    client = FeedClient(lambda: make_feed_producer(next(places)))
    await make_feed(settings)

    refused = await client.write(a_record(settings))
    written = await client.write(a_record(settings))

    await client.close()
    assert "KafkaConnectionError" in refused.answer.error
    assert written.answer.is_success


async def test_feed_client_says_when_a_topic_takes_no_record_so_large(settings):
    client = FeedClient(partial(make_feed_producer, settings))
    await make_feed(settings)

    refused = await client.write(a_record(settings, bytes(1_500_000)))
    written = await client.write(a_record(settings))

    await client.close()
    assert "max.message.bytes" in refused.answer.error
    assert not refused.answer.is_receivers
    assert written.answer.is_success


async def test_feed_client_that_lacks_a_topic_writes_to_others(settings):
    client = FeedClient(partial(make_feed_producer, settings))
    await make_feed(settings, "other-shop")

    missing = await client.write(a_record(settings))
    written = await client.write(a_record(settings, shop="other-shop"))

    await client.close()
    assert UnknownTopicOrPartitionError.__name__ not in missing.answer.error
    assert written.answer.is_success
