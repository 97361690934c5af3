"""Orders processes that review orders of changed campaigns: one is killed, the other goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from demo.audit import judge
from demo.messages import command
from demo.replicas import Replica
from demo.script import ScriptMessage
from deploy.stack import Addresses
from schemas.topics import CAMPAIGNS_EVENTS, ORDERS_EVENTS
from tests.e2e.aftermath import Journal, read_journal, until_reviewed
from tests.faults.test_killed_services import ports_of
from tests.processes import ANSWER_SECONDS, NOON, System, running

pytestmark = [pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(300)]

SHOP = "shop"
ORDERS = 900
"""Several pages of a review."""
AFTER = 60
"""Orders that are placed after the kill."""
SEGMENTS = (["vip"], ["new"], ["other"])
CHOSEN = ("spring", "welcome", "all")
QUICK = {"KAFKA_SESSION_TIMEOUT_MS": "6000", "KAFKA_HEARTBEAT_INTERVAL_MS": "500"}
AT_A_REVIEW = """
SELECT activity.client_port
  FROM pg_locks AS held JOIN pg_stat_activity AS activity ON activity.pid = held.pid
 WHERE held.relation = 'orders.campaign_review'::regclass AND held.mode = 'RowShareLock'
   AND EXISTS (SELECT FROM orders.campaign_review WHERE after_id IS NOT NULL)
"""
"""The process at a review of which a page, not the last one, is done."""


def campaign(id_: str, segment: str | None, **said: Any) -> ScriptMessage:
    body = {"campaign_id": id_, "name": id_, "segment": segment, "enabled": True}
    body |= {"promotion_type": "basic", "effective_at": "2026-02-01T00:00:00Z", **said}
    return command(SHOP, "campaign.upsert", body, NOON, id_=f"{id_} {said}", key=SHOP)


def placement(number: int) -> ScriptMessage:
    order = {"order_number": f"{number}", "address": {"zip_code": "1"}}
    body = {"order": {**order, "segments": SEGMENTS[number % len(SEGMENTS)]}}
    return command(f"{SHOP}/{number}", "order.place", body, NOON, id_=f"place {number}")


async def test_review_of_a_killed_process_is_ended_by_the_other(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("reviews")
    async with running(stack, folder, copies=2, environment=QUICK, only=["orders"]) as system:
        await system.send(*map(placement, range(ORDERS)))
        async with held_order(system):
            await system.player.publish(
                [campaign("spring", "vip"), campaign("welcome", "new"), campaign("all", None)]
            )
            victim = await kill_the_reviewer(system)

        assert await system.ask("SELECT id FROM orders.campaign_review"), "it was at its end"
        (other,) = [each for each in system.replicas if each is not victim]
        await system.player.publish([placement(ORDERS + n) for n in range(AFTER)])
        await until_reviewed(system)
        journal = await journal_of_choices(system)
        assert other.is_alive
        assert not victim.is_alive
        check(journal)


@asynccontextmanager
async def held_order(system: System) -> AsyncIterator[None]:
    """Lock an order in the middle, so that a review waits there meanwhile."""
    connection = await asyncpg.connect(system.installation.database_url)
    try:
        async with connection.transaction():
            middle = await connection.fetchval(
                "SELECT order_id FROM orders.stored_order WHERE shop = $1 "
                f"ORDER BY order_id OFFSET {ORDERS // 2} LIMIT 1",
                SHOP,
            )
            await connection.execute(
                "SELECT FROM orders.stored_order WHERE order_id = $1 FOR UPDATE", middle
            )
            yield
    finally:
        await connection.close()


async def kill_the_reviewer(system: System) -> Replica:
    """Kill the process that is in the middle of a review; returns it.

    Raises:
        TimeoutError: no review was seen.
    """
    connection = await asyncpg.connect(system.installation.database_url)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                at_it = {row["client_port"] for row in await connection.fetch(AT_A_REVIEW)}
                for replica in system.replicas if at_it else ():
                    if at_it & ports_of(replica):
                        replica.kill()
                        return replica
    finally:
        await connection.close()


async def journal_of_choices(system: System) -> Journal:
    """All topics, once each order has an event of its choice.

    Raises:
        TimeoutError: not all of them have.
    """
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            journal = await read_journal(system)
            if len(choices_in(journal)) == ORDERS + AFTER:
                return journal
            await asyncio.sleep(0.2)


def choices_in(journal: Journal) -> dict[str, str | None]:
    """By number of the order: the campaign that its last choice names."""
    entries = sorted(journal[ORDERS_EVENTS], key=lambda each: (each.partition, each.offset))
    return {
        entry.body["context"]["order"]["order_number"]: entry.body["event_data"]["campaign"][
            "campaign_id"
        ]
        for entry in entries
        if entry.headers["ce_type"] == "order.campaign_selected"
    }


def check(journal: Journal) -> None:
    """Each order has its campaign, each fact one event, and no number is left out or twice."""
    found = judge(journal)
    assert found.is_clean, found.summary()
    expected = {f"{n}": CHOSEN[n % len(CHOSEN)] for n in range(ORDERS + AFTER)}
    assert choices_in(journal) == expected
    shown = {order["order_number"]: order["campaign"] for order in found.orders.values()}
    assert {number: each["campaign_id"] for number, each in shown.items()} == expected
    of_shop = {entry.id: entry.body["sequence"] for entry in journal[CAMPAIGNS_EVENTS]}
    assert sorted(of_shop.values()) == [1, 2, 3]
    contents = {(entry.id, entry.value) for entry in journal[ORDERS_EVENTS]}
    assert Counter(id_ for id_, _ in contents).most_common(1)[0][1] == 1
