"""Two shops: nothing that leaves for one of them holds anything of the other."""

import itertools
import json
from contextlib import AsyncExitStack

import pytest

from schemas.identity import order_id
from schemas.topics import CLAIMS_EVENTS, EVENT_TOPICS, ORDERS_EVENTS, SHIPMENTS_EVENTS
from tests.integration.deliveries.conftest import (
    Receiver,
    a_destination,
    an_event,
    asked,
    listening,
    until,
    until_row,
)
from tests.integration.deliveries.feeds import a_feed, fed, make_feed, publishing, until_sent
from tests.integration.deliveries.test_deliveries import UPSERT

SHOPS = ("first-shop", "first-shop.eu")
"""The slug of one begins as that of the other."""
REFS = {
    ORDERS_EVENTS: "orders/updated/ORDER_UPDATED",
    SHIPMENTS_EVENTS: "shipments/in_transit/SORTED",
    CLAIMS_EVENTS: "claims/updated/CLAIM_UPDATED",
}
NUMBERS, EACH = ("1001", "1002", "1003"), 4
ALL = len(EVENT_TOPICS) * len(NUMBERS) * EACH


def marks(shop):
    """Texts that only this shop's orders hold: names, addresses, numbers, ids."""
    word = {"first-shop": "Heidelbeere", "first-shop.eu": "Stachelbeere"}[shop]
    return {
        "name": f"{word} Jürgensen",
        "street": f"{word}straße 7",
        "email": f"{word}@mail.example",
        "tracking": f"{word}000123",
        "cause": f"cause-of-{word}",
    }


def event_of(shop, topic, number, sequence):
    """An event of an order; both shops have orders of the same numbers."""
    own = marks(shop)
    event = an_event(number, sequence, REFS[topic], shop=shop)
    event["event_data"] |= {"tracking_number": own["tracking"]}
    event["context"]["order"] |= {
        "address": {"name": own["name"], "street": own["street"]},
        "customer": {"email": own["email"]},
    }
    return event


def secrets_of(shop):
    """What must not reach the other shop, as bytes."""
    ids = [str(order_id(shop, number)) for number in NUMBERS]
    texts = [f'"{shop}"', *ids, *marks(shop).values()]
    forms = [(text, json.dumps(text)[1:-1]) for text in texts]  # Also as JSON may escape them.
    return [form.encode() for both in forms for form in both]


@pytest.fixture
async def publish(settings):
    """Publishes events of both shops in turns, on all event topics."""
    async with publishing(settings) as all_of:
        yield all_of


async def test_nothing_that_leaves_for_a_shop_holds_anything_of_another(
    settings, running, command, publish
):
    receivers = dict(zip(SHOPS, (Receiver(), Receiver()), strict=True))
    async with AsyncExitStack() as stack:
        for shop, receiver in receivers.items():
            await stack.enter_async_context(listening(receiver))
            failures = itertools.chain([503], itertools.repeat(204))
            receiver.answer = lambda _request, answers=failures: next(answers)
            await command(UPSERT, a_destination(receiver.url, "erp", shop))
            await command(UPSERT, a_feed("warehouse", shop))
        await make_feed(settings, SHOPS[0])

        for topic in EVENT_TOPICS:
            for number, sequence in itertools.product(NUMBERS, range(1, EACH + 1)):
                await publish(topic, *(event_of(shop, topic, number, sequence) for shop in SHOPS))
        await until_row(settings, "SELECT FROM deliveries.attempt WHERE verdict = 'retry'")
        await make_feed(settings, SHOPS[1])  # What is written late is the shop's own too.
        await until(lambda: all(receiver.requests for receiver in receivers.values()))
        await _retry_until_all_is_sent(settings)

        for shop, other in (SHOPS, SHOPS[::-1]):
            requests = receivers[shop].requests
            left = [b"\n".join(_bytes_of_request(each)) for each in requests]
            records = await fed(settings, ALL, shop)
            left += [b"\n".join(_bytes_of_record(each)) for each in records]
            assert len({each.headers["webhook-id"] for each in requests}) == ALL
            assert len({dict(record.headers)["ce_id"] for record in records}) == ALL
            everything = b"\n".join(left)
            assert [mark for mark in secrets_of(shop) if mark in everything]
            assert [mark for mark in secrets_of(other) if mark in everything] == []


async def _retry_until_all_is_sent(settings):
    await asked(settings, "UPDATE deliveries.destination SET retries_now = true")
    await until_sent(settings)


def _bytes_of_request(request):
    for name, value in request.headers.items():
        yield f"{name}: {value}".encode()
    yield request.body


def _bytes_of_record(record):
    yield record.topic.encode()
    yield record.key
    for name, value in record.headers:
        yield name.encode() + b": " + value
    yield record.value
