"""The builds that ours is compared with apply and answer each command, and publish its events."""

import asyncio
import random
import time

import asyncpg
import pytest

from bench.contenders import FASTSTREAM_OUTBOX, TEXTBOOK
from bench.loading import load
from bench.race import Track
from bench.running import running
from bench.traffic.orders import Shop
from demo.journal import read_all
from schemas.events import OrderEvent
from schemas.outcomes import OutcomeRecord
from schemas.topics import ORDERS_OUTCOMES

ORDERS = 30
EVENTS = "orders.events"
ANSWER_SECONDS = 60.0
ROWS = """
SELECT shop_slug || '/' || order_number AS key, version,
       document -> 'products' -> 0 ->> 'quantity' AS pieces
  FROM orders
"""

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


@pytest.fixture
async def ground(stack, tmp_path):
    async with Track(stack, {}, tmp_path, print).ground() as ground:
        yield ground


def make_letters():
    """Orders that are placed and at once changed, and how many pieces each then has, by key."""
    shop = Shop("textbook-shop", 700, random.Random(1))
    orders = [shop.order() for _ in range(ORDERS)]
    letters = [letter for order in orders for letter in (order.upsert(), order.add_piece())]
    pieces = {order.key: str(order.said["products"][0]["quantity"]) for order in orders}
    return letters, pieces


async def until_answered(installation, commands, replica):
    """What is published once every command has an outcome and the outbox is empty."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        found = await read_all(installation.options, installation.prefix, [EVENTS, ORDERS_OUTCOMES])
        answered = {each.headers["ce_causationid"] for each in found[ORDERS_OUTCOMES]}
        if answered >= commands and not await rows_of(installation, "SELECT FROM outbox"):
            return found
        assert replica.is_alive, replica.log_end()
        assert time.monotonic() < deadline, (
            f"{len(found[ORDERS_OUTCOMES])} answers; {replica.log_end()}"
        )
        await asyncio.sleep(0.1)


async def rows_of(installation, statement):
    connection = await asyncpg.connect(installation.database_url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


def first_of_each(entries):
    """Each record once, as it was published first: what is delivered at least once may repeat."""
    return list({each.id: each for each in reversed(entries)}.values())[::-1]


@pytest.mark.parametrize("contender", [TEXTBOOK, FASTSTREAM_OUTBOX], ids=lambda each: each.name)
async def test_contender_applies_and_answers_each_command_once_and_publishes_in_order(
    contender, ground
):
    letters, pieces = make_letters()
    commands = {dict(each.headers)["ce_id"].decode(): each.key.decode() for each in letters}
    await load(ground.installation, letters)

    async with running(contender, ground, 1) as [replica]:
        found = await until_answered(ground.installation, commands.keys(), replica)

    outcomes = first_of_each(found[ORDERS_OUTCOMES])
    assert {each.headers["ce_causationid"]: each.key for each in outcomes} == commands
    records = [OutcomeRecord.model_validate(each.body) for each in outcomes]
    assert [record.outcome for record in records] == ["applied"] * len(letters)

    events = first_of_each(found[EVENTS])
    assert {each.headers["ce_causationid"] for each in events} == commands.keys()
    assert len(events) == len(letters)
    versions = {}
    for each in events:
        event = OrderEvent.model_validate(each.body)
        order = event.context.order
        assert each.key == str(event.order_id)
        versions.setdefault(f"{order.shop_slug}/{order.order_number}", []).append(event.sequence)
    assert versions == {key: [1, 2] for key in pieces}

    rows = await rows_of(ground.installation, ROWS)
    assert {row["key"]: row["pieces"] for row in rows} == pieces
    assert {row["version"] for row in rows} == {2}


@pytest.mark.parametrize("contender", [TEXTBOOK, FASTSTREAM_OUTBOX], ids=lambda each: each.name)
async def test_contender_continues_at_its_position_after_a_restart(contender, ground):
    letters, pieces = make_letters()
    commands = {dict(each.headers)["ce_id"].decode(): each.key.decode() for each in letters}

    for part in (letters[:ORDERS], letters[ORDERS:]):
        await load(ground.installation, part)
        sent = {dict(each.headers)["ce_id"].decode() for each in part}
        async with running(contender, ground, 1) as [replica]:
            found = await until_answered(ground.installation, sent, replica)

    assert {each.headers["ce_causationid"] for each in found[ORDERS_OUTCOMES]} == commands.keys()
    rows = await rows_of(ground.installation, ROWS)
    assert {row["key"]: row["pieces"] for row in rows} == pieces
