"""The database of orders is put back to before campaigns: what subscribers have stays right."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from demo.journal import Entry
from demo.messages import command
from demo.replicas import start_all, stop_all
from demo.script import ScriptMessage
from deploy.stack import Addresses
from schemas.topics import CAMPAIGNS_EVENTS, ORDERS_EVENTS
from tests.contract.test_campaigns_page import ADD_UP
from tests.e2e.aftermath import (
    SNAPSHOT,
    WHY,
    Journal,
    on_server,
    orderflow,
    read_journal,
    until_no_lag,
    until_reviewed,
)
from tests.processes import NOON, System, running

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

SHOP = "shop"
SINCE, CORRECTED = "2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"
BEFORE, AFTER = range(12), range(12, 24)
"""Numbers of the orders that were placed before the backup, and after it."""
CHOSEN = ("campaign_id", "campaign_version", "test_id", "is_held_out", "discount_id", "stage")
CREDITED = ("campaign_id", "method", "revenue", "discount", "currency")


def of_shop(type_: str, id_: str, **said: Any) -> ScriptMessage:
    body = {"effective_at": SINCE, **said}
    return command(SHOP, type_, body, NOON, id_=id_, key=SHOP)


def campaign(id_: str, again: int = 0, **said: Any) -> ScriptMessage:
    known = {"campaign_id": id_, "name": id_, "enabled": True, "promotion_type": "basic"}
    return of_shop("campaign.upsert", f"{id_} {again}", **{**known, **said})


def of_order(number: int, type_: str, **said: Any) -> ScriptMessage:
    return command(f"{SHOP}/{number}", type_, said, NOON, id_=f"{type_} {number} {len(said)}")


def placement(number: int) -> ScriptMessage:
    return of_order(number, "order.place", order=order_of(number))


def order_of(number: int, **said: Any) -> dict[str, Any]:
    """Every order is of a segment, every third has a code, every fourth came by a link."""
    order: dict[str, Any] = {
        "order_number": f"{number}",
        "address": {"zip_code": "1"},
        "segments": ["vip" if number % 2 else "new"],
        "total_order_price": f"{10 + number}.50",
    }
    if number % 3 == 0:
        order["discounts"] = [{"code": "TEN", "amount": "1"}]
    if number % 4 == 0:
        order["referral"] = {"campaign_id": "spring"}
    return {**order, **said}


DISCOUNT = {"code": "ten", "type": "order", "value_type": "percentage", "value": "10"}
STEPS = [
    [campaign("spring", segment="vip"), *map(placement, AFTER[:6])],
    [of_shop("discount.upsert", "ten", discount_id="ten", **DISCOUNT)],
    [campaign("welcome", segment="new", discount_id="ten"), *map(placement, AFTER[6:])],
    [
        campaign("spring", 1, segment="vip", discount_id="ten", effective_at=CORRECTED),
        campaign("welcome", 1, segment="new", effective_at=CORRECTED),
        campaign("june", segment="june", start_date="2026-03-03T00:00:00Z"),
    ],
    [
        of_order(3, "order.cancel", id="3"),
        of_order(13, "order.cancel", id="13"),
        of_order(4, "order.upsert", id="4", order=order_of(4, total_order_price="99")),
        of_order(15, "order.upsert", id="15", order=order_of(15, total_order_price="98")),
    ],
    [
        of_shop(
            "campaign.pause", "pause", campaign_id="welcome", effective_at="2026-03-01T00:00:00Z"
        ),
        campaign("fallback", segment=None),
    ],
]
EVENTS = 9
"""Of the commands of campaigns, and one of a campaign that begins by time."""
NEW = [
    campaign("spring", 2, segment="vip", priority=9, effective_at="2026-02-03T00:00:00Z"),
    campaign("newest", segment="newest"),
    of_order(8, "order.cancel", id="8"),
    of_order(20, "order.cancel", id="20"),
]
"""After the restore: a correction that changes choices, and credits that go."""


async def play(system: System, steps: Sequence[Sequence[ScriptMessage]]) -> None:
    """Publish step after step; each has had all its effects before the next one."""
    for step in steps:
        await system.player.publish(step)
        await until_no_lag(system, "orders")
        await until_reviewed(system)


async def test_orders_restored_to_before_campaigns_end_in_the_same_choices_and_credits(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("restored")
    async with running(stack, folder, copies=1, only=["orders"]) as system:
        await system.send(*map(placement, BEFORE))
        await asyncio.to_thread(stop_all, system.replicas)
        await on_server(system, 'CREATE DATABASE "{name}_backup" TEMPLATE "{name}"')
        await asyncio.to_thread(start_all, system.replicas)
        await play(system, STEPS)
        system.let_pass(timedelta(days=1))
        await until_begun(system)
        before = await states(system)

        await asyncio.to_thread(stop_all, system.replicas)
        await on_server(system, 'DROP DATABASE "{name}" WITH (FORCE)')
        await on_server(system, 'ALTER DATABASE "{name}_backup" RENAME TO "{name}"')
        recalled = await orderflow(system, "recall", *WHY)
        assert f"orders={len(BEFORE) + len(AFTER)} " in recalled
        assert f"shops=1 campaign_events={EVENTS}" in recalled
        await asyncio.to_thread(start_all, system.replicas)
        await until_no_lag(system, "orders")
        await until_reviewed(system)
        restored = await states(system)

        assert restored.choices == before.choices
        assert restored.credits == before.credits
        assert restored.of_shop() == before.of_shop(), "what was published is published again"
        await play(system, [NEW])
        ended = await states(system)
        assert [each.body["event_name"] for each in ended.of_shop()[EVENTS:]] == ["updated"] * 2
        for each in (before, restored, ended):
            each.check()


async def until_begun(system: System) -> None:
    """Wait until the campaign that begins by time has its event."""
    async with asyncio.timeout(60):
        while len(facts(await read_journal(system), CAMPAIGNS_EVENTS)) < EVENTS:
            await asyncio.sleep(0.1)


class States:
    """What all topics say, with a snapshot of each order at the end of its events."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.orders: dict[str, dict[str, Any]] = {}
        for entry in in_order(journal[ORDERS_EVENTS]):
            if entry.headers["ce_type"] == SNAPSHOT:
                self.orders[entry.key] = entry.body["context"]["order"]

    @property
    def choices(self) -> dict[str, Any]:
        """What each order shows."""
        return {id_: members(each.get("campaign"), CHOSEN) for id_, each in self.orders.items()}

    @property
    def credits(self) -> dict[str, Any]:
        """What is credited with each order."""
        return {
            id_: members((each.get("attribution") or {}).get("credit"), CREDITED)
            for id_, each in self.orders.items()
        }

    def of_shop(self) -> list[Entry]:
        """The events of the shop's campaigns, each once."""
        return facts(self.journal, CAMPAIGNS_EVENTS)

    def check(self) -> None:
        """Numbers, ids, and what a subscriber has that adds and subtracts.

        Raises:
            AssertionError: with what is wrong.
        """
        numbers = [entry.body["sequence"] for entry in self.of_shop()]
        assert numbers == list(range(1, len(numbers) + 1))
        for topic in (CAMPAIGNS_EVENTS, ORDERS_EVENTS):
            records = [each for each in self.journal[topic] if is_fact(each)]
            contents = {(entry.id, entry.value) for entry in records}
            assert len(contents) == len({id_ for id_, _ in contents}), topic
        self._check_credits()
        self._check_choices()

    def _check_credits(self) -> None:
        versions: dict[str, int] = {}
        sums: dict[tuple[str, str], Decimal] = {}
        for entry in facts(self.journal, ORDERS_EVENTS):
            if "attribution_version" in entry.body["event_data"]:
                ADD_UP(entry.body, versions, sums)
        expected: dict[tuple[str, str], Decimal] = {}
        for id_, order in self.orders.items():
            attribution = order.get("attribution") or {}
            assert attribution.get("version", 0) == versions.get(id_, 0), id_
            if credit := attribution.get("credit"):
                key = credit["campaign_id"], credit["currency"]
                expected[key] = expected.get(key, Decimal(0)) + Decimal(credit["revenue"])
        assert {key: each for key, each in sums.items() if each} == expected

    def _check_choices(self) -> None:
        """Each event names as the previous choice that of the event before."""
        last: dict[str, Any] = {}
        for entry in facts(self.journal, ORDERS_EVENTS):
            data = entry.body["event_data"]
            if entry.headers["ce_type"] == "order.campaign_selected":
                previous = members(data.get("previous_campaign"), CHOSEN)
                assert entry.key not in last or previous == last[entry.key], entry.body
                last[entry.key] = members(data["campaign"], CHOSEN)
        assert last == {id_: each for id_, each in self.choices.items() if id_ in last}


async def states(system: System) -> States:
    """Publish the state of every order, and read all topics.

    Raises:
        TimeoutError: the states were not published.
    """
    wanted = len(snapshots(await read_journal(system))) + await count_orders(system)
    await orderflow(system, "republish", "--all", *WHY)
    async with asyncio.timeout(60):
        while len(snapshots(journal := await read_journal(system))) < wanted:
            await asyncio.sleep(0.1)
    return States(journal)


async def count_orders(system: System) -> int:
    (row,) = await system.ask("SELECT count(*) AS n FROM orders.stored_order")
    found: int = row["n"]
    return found


def snapshots(journal: Journal) -> list[Entry]:
    return [each for each in journal[ORDERS_EVENTS] if each.headers["ce_type"] == SNAPSHOT]


def facts(journal: Journal, topic: str) -> list[Entry]:
    """Its events without snapshots, each once, in order."""
    found: dict[str, Entry] = {}
    for entry in in_order(journal[topic]):
        if is_fact(entry):
            found.setdefault(entry.id, entry)
    return list(found.values())


def is_fact(entry: Entry) -> bool:
    return not entry.headers["ce_type"].endswith(".snapshot")


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda each: (each.partition, each.offset))


def members(said: dict[str, Any] | None, names: Sequence[str]) -> Any:
    return said and tuple(said.get(name) or None for name in names)  # False is left out.
