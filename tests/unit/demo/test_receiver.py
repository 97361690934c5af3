"""The webhook receiver of the demo, over HTTP: what it answers, counts and waits for."""

import base64
import json
import time

import aiohttp

from demo.receiver import Receiver, receiving
from demo.script import Script
from demo.synthetic import synthetic_script
from demo.webhooks import webhook_of
from tests.unit.demo.test_webhook_audit import signed

SECRET = "whsec_" + base64.b64encode(b"r" * 32).decode()


async def post(receiver: Receiver, id_: str, sequence: int, *, order: str = "o1", **more) -> int:
    """Post an event, signed by SECRET unless another one is given; returns the status."""
    event = {"source": "orders", "order_id": order, "sequence": sequence}
    body = json.dumps(event).encode()
    headers = signed(body, int(time.time()), more.get("secret", SECRET), id_)
    async with (
        aiohttp.ClientSession() as session,
        session.post(receiver.url, data=body, headers=headers) as response,
    ):
        return response.status


async def test_receiver_counts_what_comes():
    async with receiving() as receiver:
        receiver.secret = SECRET
        other = "whsec_" + base64.b64encode(b"x" * 32).decode()

        answers = [
            await post(receiver, "a", 1),
            await post(receiver, "c", 3),
            await post(receiver, "b", 2),
            await post(receiver, "a", 1),
            await post(receiver, "d", 1, order="o2"),
            await post(receiver, "e", 9, secret=other),
        ]

    assert answers == [204, 204, 204, 204, 204, 401]
    assert receiver.ids == {"a", "b", "c", "d"}
    assert (receiver.in_order, receiver.repeated, receiver.wrongly_signed) == (3, 1, 1)
    assert [each.event_id for each in receiver.requests] == ["a", "c", "b", "a", "d", "e"]


async def test_receiver_without_a_secret_takes_nothing():
    async with receiving() as receiver:
        assert await post(receiver, "a", 1) == 401

    assert not receiver.ids


async def test_receiver_waits_for_events_until_a_deadline():
    async with receiving() as receiver:
        receiver.secret = SECRET
        await post(receiver, "a", 1)

        assert await receiver.until({"a"}, 5)
        assert not await receiver.until({"a", "b"}, 0.05)


def test_webhook_is_of_the_shop_with_most_messages():
    script: Script = synthetic_script(7, scale=0.05)

    assert webhook_of(script, Receiver()).shop == "demo-shop"
