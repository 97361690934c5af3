"""What notifies a customer, on the real stack: every event's `notify`, read from the topics."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from demo.journal import read_all
from demo.messages import command, tracking
from demo.script import ScriptMessage
from deploy.stack import Addresses
from schemas.topics import ORDERS_EVENTS, SHIPMENTS_EVENTS
from tests.processes import ANSWER_SECONDS, NOON, System, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "shop"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("notifications")
    async with running(stack, folder, copies=1, only=("orders",)) as system:
        yield system


def place(number: str, **fields: Any) -> ScriptMessage:
    order = {"order_number": number, "address": {"zip_code": "10115"}, **fields}
    return _send(number, "order.place", {"order": order})


def attach(order: str, number: str | None = None, again: int = 0) -> ScriptMessage:
    """Attach the number that the order itself has for its own, or another one."""
    label = {"tracking_number": number or order}
    return _send(order, "order.upsert", {"id": order, "trackings": [label]}, again)


def void(order: str, number: str) -> ScriptMessage:
    return _send(order, "shipment.void", {"id": order, "tracking_number": number})


def cancel(number: str, **fields: Any) -> ScriptMessage:
    return _send(number, "order.cancel", {"id": number, **fields})


def _send(number: str, type_: str, body: dict[str, Any], again: int = 0) -> ScriptMessage:
    return command(f"{SHOP}/{number}", type_, body, NOON, id_=f"{number} {type_} {again}")


def report(number: str, *scans: tuple[str, timedelta]) -> ScriptMessage:
    """A report of scans, each with its age at noon."""
    bodies = [{"event_name": n, "occurred_at": (NOON - age).isoformat()} for n, age in scans]
    return tracking("dhl", number, bodies, NOON, id_=f"{number} {scans}")


async def notified(system: System, number: str) -> list[str]:
    """Names of the events of an order that notify, in the order of its versions."""
    await system.groups.until_all_read(ANSWER_SECONDS, ("orders",))
    installation = system.installation
    journal = await read_all(
        installation.options, installation.prefix, [ORDERS_EVENTS, SHIPMENTS_EVENTS]
    )
    events = [each.body for entries in journal.values() for each in entries]
    mine = [e for e in events if e["context"]["order"]["order_number"] == number]
    mine.sort(key=lambda event: int(event["order_version"]))
    return [e["event_name"] for e in mine if e["event_data"]["notify"] and e["event_group"]]


SCANS: dict[str, tuple[list[list[tuple[str, timedelta]]], list[str]]] = {
    "FIRSTPUSH1": (
        [
            [("LABEL_CREATED", 24 * MINUTE), ("PICKED_UP_BY_CARRIER", 18 * MINUTE)],
            [("ARRIVAL_AT_TRANSPORT_HUB", MINUTE)],
        ],
        ["PICKED_UP_BY_CARRIER"],
    ),
    "OLDHISTORY1": (
        [
            [("LABEL_CREATED", 11 * DAY), ("PICKED_UP_BY_CARRIER", 10 * DAY)],
            [("ARRIVAL_AT_TRANSPORT_HUB", MINUTE)],
            [("DEPARTURE_FROM_TRANSPORT_HUB", 0 * MINUTE)],
        ],
        ["ARRIVAL_AT_TRANSPORT_HUB"],
    ),
    "VANANDNOTICE1": (
        [[("OUT_FOR_DELIVERY", 2 * MINUTE), ("CUSTOMER_NOTIFIED", MINUTE)]],
        ["OUT_FOR_DELIVERY"],
    ),
    "VANANDDELIVERY1": (
        [[("OUT_FOR_DELIVERY", 2 * MINUTE), ("SUCCESSFULLY_DELIVERED", MINUTE)]],
        ["SUCCESSFULLY_DELIVERED"],
    ),
    "LABEL1": ([[("LABEL_CREATED", MINUTE)]], []),
    "LOST1": ([[("PICKED_UP_BY_CARRIER", 9 * DAY)], [("LOST", MINUTE)]], ["LOST"]),
}


@pytest.mark.parametrize("number", SCANS)
async def test_scans_notify_once_of_what_is_true(system: System, number: str) -> None:
    reports, expected = SCANS[number]
    await system.send(place(number), attach(number))
    for scans in reports:
        await system.send(report(number, *scans))

    assert await notified(system, number) == ["ORDER_PLACED", "SHIPMENT_FULFILLED", *expected]


@pytest.mark.parametrize(
    ("number", "age", "expected"),
    [("HOURAGO1", HOUR, ["SUCCESSFULLY_DELIVERED"]), ("DAYSAGO1", 20 * DAY, [])],
)
async def test_number_of_a_delivered_parcel_notifies_of_no_label(
    system: System, number: str, age: timedelta, expected: list[str]
) -> None:
    await system.send(place(number))
    early = await system.send_early(report(number, ("SUCCESSFULLY_DELIVERED", age)))
    await system.send(attach(number))
    await system.answered(early)

    assert await notified(system, number) == ["ORDER_PLACED", *expected]


def _at(age: timedelta) -> str:
    return (NOON - age).isoformat()


OLD = 300 * DAY
ORDERS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "NEW": ({}, {}, ["ORDER_PLACED", "ORDER_CANCELLED"]),
    "IMPORTED": ({"order_placed_at": _at(OLD)}, {}, []),
    "CANCELLEDTHEN": ({"order_placed_at": _at(OLD)}, {"cancelled_at": _at(OLD)}, []),
    "CANCELLEDNOW": (
        {"order_placed_at": _at(OLD)},
        {"cancelled_at": _at(HOUR)},
        ["ORDER_CANCELLED"],
    ),
}


@pytest.mark.parametrize("number", ORDERS)
async def test_orders_notify_while_they_are_news(system: System, number: str) -> None:
    placed, cancelled, expected = ORDERS[number]

    await system.send(place(number, **placed), cancel(number, **cancelled))

    assert await notified(system, number) == expected


async def test_orders_in_one_box_notify_each_customer_once(system: System) -> None:
    box, orders = "ONEBOX0001", ("BOXED1", "BOXED2")
    await system.send(*map(place, orders))
    for again in range(3):
        await system.send(*(attach(each, box, again) for each in orders))
    await system.send(report(box, ("OUT_FOR_DELIVERY", 2 * MINUTE)))
    await system.send(void("BOXED2", box))
    await system.send(attach("BOXED2", box, again=3))
    # After the second hand-over: before it, the parcel would have ended without this order.
    await system.send(report(box, ("SUCCESSFULLY_DELIVERED", -MINUTE)))

    once = ["ORDER_PLACED", "SHIPMENT_FULFILLED", "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED"]
    for order in orders:
        assert await notified(system, order) == once
