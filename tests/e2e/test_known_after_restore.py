"""A database is lost or put back: repeated commands are known, customers hear of nothing twice."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from demo.journal import Entry, read_all
from demo.messages import claim, command, tracking
from demo.replicas import start_all, stop_all
from demo.script import ScriptMessage
from deploy.stack import Addresses
from schemas.identity import order_id
from schemas.topics import CLAIMS_EVENTS, CLAIMS_OUTCOMES, ORDERS_EVENTS, SHIPMENTS_EVENTS
from tests.e2e.aftermath import WHY, on_server, orderflow, until_no_lag
from tests.processes import ANSWER_SECONDS, NOON, System, running

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

SHOP = "shop"
ORDER = f"{SHOP}/1"
OTHERS = 66
"""More updates than a claim's row and its events name."""


def order(type_: str, body: dict[str, Any]) -> ScriptMessage:
    return command(ORDER, type_, body, NOON, id_=type_)


PLACE = order("order.place", {"order": {"order_number": "1", "address": {"zip_code": "1"}}})
ATTACH = order("order.upsert", {"id": "1", "trackings": [{"tracking_number": "N1001"}]})


def scanned(name: str, at: datetime) -> ScriptMessage:
    body = {"event_name": name, "occurred_at": at.isoformat()}
    return tracking("dhl", "N1001", [body], at, id_=f"{name} {at}")


async def entries(system: System, *topics: str) -> list[Entry]:
    """All records of topics, by time within each partition."""
    installation = system.installation
    journal = await read_all(installation.options, installation.prefix, topics)
    return [each for found in journal.values() for each in found]


async def test_customers_hear_once_of_what_was_published_before_a_restore(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("restored")
    async with running(stack, folder, copies=1, only=["orders"]) as system:
        await system.send(PLACE)
        await asyncio.to_thread(stop_all, system.replicas)
        await on_server(system, 'CREATE DATABASE "{name}_backup" TEMPLATE "{name}"')
        await asyncio.to_thread(start_all, system.replicas)
        await system.send(ATTACH)
        await system.send(scanned("OUT_FOR_DELIVERY", NOON))
        await asyncio.to_thread(stop_all, system.replicas)
        expected = await notified(system)
        assert expected == ["ORDER_PLACED", "SHIPMENT_FULFILLED", "OUT_FOR_DELIVERY"]

        await on_server(system, 'DROP DATABASE "{name}" WITH (FORCE)')
        await on_server(system, 'ALTER DATABASE "{name}_backup" RENAME TO "{name}"')
        assert "orders=1 events=" in await orderflow(system, "recall", *WHY)
        now = system.let_pass(timedelta(hours=6))
        await asyncio.to_thread(start_all, system.replicas)
        await until_no_lag(system, "orders")
        await system.send(scanned("OUT_FOR_DELIVERY", now), scanned("LABEL_CREATED", now))

        assert await notified(system) == expected
        events = await entries(system, ORDERS_EVENTS, SHIPMENTS_EVENTS)
        assert len({each.id for each in events}) == len(events)


async def notified(system: System) -> list[str]:
    """Names of the events that notify, in the order of their versions."""
    bodies = [each.body for each in await entries(system, ORDERS_EVENTS, SHIPMENTS_EVENTS)]
    bodies.sort(key=lambda body: body["order_version"])
    return [body["event_name"] for body in bodies if body["event_data"].get("notify")]


BOX = "ONEBOX0001"
MINUTE = timedelta(minutes=1)


def boxed(number: str, type_: str, again: int = 0, **body: Any) -> ScriptMessage:
    """A command of one of the orders in one box."""
    return command(f"{SHOP}/{number}", type_, body, NOON, id_=f"{type_} {number} {again}")


def attach(number: str, again: int = 0) -> ScriptMessage:
    return boxed(number, "order.upsert", again, id=number, trackings=[{"tracking_number": BOX}])


def scan_of_box(name: str, at: datetime) -> ScriptMessage:
    body = {"event_name": name, "occurred_at": at.isoformat()}
    return tracking("dhl", BOX, [body], at, id_=f"{name} {at}")


async def test_customers_of_one_box_hear_once_of_what_was_published_before_a_restore(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also where one of the orders leaves the box after the restore, and comes back."""
    folder = tmp_path_factory.mktemp("one_box")
    numbers = ("1", "2")
    placed = {each: {"order_number": each, "address": {"zip_code": "1"}} for each in numbers}
    async with running(stack, folder, copies=1, only=["orders"]) as system:
        await system.send(*(boxed(each, "order.place", order=placed[each]) for each in numbers))
        await asyncio.to_thread(stop_all, system.replicas)
        await on_server(system, 'CREATE DATABASE "{name}_backup" TEMPLATE "{name}"')
        await asyncio.to_thread(start_all, system.replicas)
        await system.send(*map(attach, numbers))
        await system.send(scan_of_box("OUT_FOR_DELIVERY", NOON))
        await asyncio.to_thread(stop_all, system.replicas)

        await on_server(system, 'DROP DATABASE "{name}" WITH (FORCE)')
        await on_server(system, 'ALTER DATABASE "{name}_backup" RENAME TO "{name}"')
        assert "orders=2 events=" in await orderflow(system, "recall", *WHY)
        now = system.let_pass(timedelta(minutes=30))
        await asyncio.to_thread(start_all, system.replicas)
        await until_no_lag(system, "orders")
        # Versions are skipped after a restore, so the player cannot tell that these are answered.
        void = boxed("2", "shipment.void", id="2", tracking_number=BOX)
        await system.player.publish([void, attach("2", again=1)])
        await until_no_lag(system, "orders")
        await system.player.publish([scan_of_box("SUCCESSFULLY_DELIVERED", now + MINUTE)])
        await system.groups.until_all_read(ANSWER_SECONDS, ("orders",))

        expected = [
            "ORDER_PLACED",
            "SHIPMENT_FULFILLED",
            "OUT_FOR_DELIVERY",
            "SUCCESSFULLY_DELIVERED",
        ]
        heard = await heard_by_customers(system)
        assert heard == dict.fromkeys(numbers, expected)


async def heard_by_customers(system: System) -> dict[str, list[str]]:
    """Names of the events that notify, by order, in the order of their versions."""
    bodies = [each.body for each in await entries(system, ORDERS_EVENTS, SHIPMENTS_EVENTS)]
    heard: dict[str, list[str]] = {}
    for body in sorted(bodies, key=lambda each: int(each["order_version"])):
        if body["event_data"].get("notify"):
            number = body["context"]["order"]["order_number"]
            heard.setdefault(number, []).append(body["event_name"])
    return heard


async def test_claims_that_were_lost_know_a_command_that_many_others_followed(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lost_claims")
    async with running(stack, folder, copies=1, only=["orders", "claims"]) as system:
        await system.send(PLACE)
        await system.send(ATTACH)
        await system.send(scanned("SUCCESSFULLY_DELIVERED", NOON))
        await until_no_lag(system, "claims")
        await publish(system, claim(ORDER, "claim.open", OPENING, NOON, id_="open"))
        (opened,) = await entries(system, CLAIMS_EVENTS)
        first, *others = (
            update(opened.body["event_data"]["claim_id"], f"text {n}") for n in range(OTHERS)
        )
        await publish(system, first)
        await publish(system, *others)
        before = [each.id for each in await entries(system, CLAIMS_EVENTS)]
        assert len(before) == OTHERS + 1
        await until_no_lag(system, "orders")

        await asyncio.to_thread(stop_all, system.of("claims"))
        await system.ask("DROP SCHEMA claims CASCADE")
        await orderflow(system, "migrate")
        done = await orderflow(system, "rebuild", "claims", *WHY)
        assert f"recalled_items={OTHERS + 1}" in done
        await asyncio.to_thread(start_all, system.of("claims"))
        await orderflow(system, "republish", "--all", *WHY)
        await until_no_lag(system, "claims")
        await publish(system, first)

        assert [each.id for each in await entries(system, CLAIMS_EVENTS)] == before
        outcomes = [each.body for each in await entries(system, CLAIMS_OUTCOMES)]
        ends = [(o["outcome"], o["reason"]) for o in outcomes if o["command_id"] == "text 0"]
        # As it was decided, read again after the loss, and as it was sent again.
        assert ends == [("applied", None), *[("no_change", "duplicate")] * 2]
        assert {o["order_id"] for o in outcomes} == {str(order_id(SHOP, "1"))}


OPENING = {"id": "1", "tracking_number": "N1001", "reason": "damage"}


def update(claim_id: str, text: str) -> ScriptMessage:
    body = {"claim_id": claim_id, "description": text}
    return claim(ORDER, "claim.update", body, NOON, id_=text)


async def publish(system: System, *messages: ScriptMessage) -> None:
    """Publish, and wait until claims has read it."""
    await system.player.publish(messages)
    await until_no_lag(system, "claims")
