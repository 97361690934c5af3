"""What comes after a delivery, on the real stack: scans of the way change nothing, legs begin."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from demo.messages import command, tracking
from demo.script import ScriptMessage
from deploy.stack import Addresses
from tests.processes import NOON, System, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "shop"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DELIVERED_AT = NOON - 10 * DAY
DELIVERED = ("SUCCESSFULLY_DELIVERED", 0 * HOUR)

# Scans by the time since the delivery; the phase, the sub-status and the leg that they add up to.
CASES: dict[str, tuple[list[tuple[str, timedelta]], str, str, int]] = {
    "HUB": (
        [DELIVERED, ("ARRIVAL_AT_TRANSPORT_HUB", 13 * HOUR)],
        "delivered",
        "SUCCESSFULLY_DELIVERED",
        1,
    ),
    "DROP": ([DELIVERED, ("DROPPED_OFF", 5 * DAY)], "in_transit", "DROPPED_OFF", 2),
    "PICKUP": (
        [DELIVERED, ("PICKED_UP_BY_CARRIER", 5 * DAY)],
        "in_transit",
        "PICKED_UP_BY_CARRIER",
        2,
    ),
    "MINUTE": (
        [DELIVERED, ("PICKED_UP_BY_CARRIER", MINUTE)],
        "delivered",
        "SUCCESSFULLY_DELIVERED",
        1,
    ),
    "TENHOURS": ([DELIVERED, ("DROPPED_OFF", 10 * HOUR)], "delivered", "SUCCESSFULLY_DELIVERED", 1),
    "AGAIN": ([DELIVERED, ("DROPPED_OFF", HOUR), ("SORTED", 9 * HOUR)], "in_transit", "SORTED", 2),
    "LATEVAN": (
        [DELIVERED, ("PICKED_UP_BY_CARRIER", MINUTE), ("OUT_FOR_DELIVERY", 5 * MINUTE)],
        "delivered",
        "SUCCESSFULLY_DELIVERED",
        1,
    ),
    "FINER": (
        [
            DELIVERED,
            ("DELIVERED_TO_NEIGHBOUR", MINUTE),
            ("PROOF_OF_DELIVERY_AVAILABLE", HOUR),
        ],
        "delivered",
        "DELIVERED_TO_NEIGHBOUR",
        1,
    ),
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("deliveries")
    async with running(stack, folder, copies=1, only=("orders",)) as system:
        yield system


def place(number: str) -> ScriptMessage:
    order = {"order_number": number, "address": {"zip_code": "10115"}}
    labels = [{"tracking_number": number, "carrier_reference": "dhl"}]
    body: dict[str, Any] = {"id": number, "order": order, "trackings": labels}
    return command(f"{SHOP}/{number}", "order.upsert", body, NOON, id_=f"place {number}")


def scan(number: str, name: str, at: datetime) -> ScriptMessage:
    body = {"event_name": name, "occurred_at": at.isoformat()}
    return tracking("dhl", number, [body], NOON, id_=f"{number} {name}")


@pytest.mark.parametrize("arrival", ["in order", "backwards", "before the order"])
@pytest.mark.parametrize("case", CASES)
async def test_delivery_stands_unless_a_leg_begins(system: System, case: str, arrival: str) -> None:
    scans, phase, sub_status, leg = CASES[case]
    number = f"{case}{arrival.split(maxsplit=1)[0].upper()}1"
    messages = [scan(number, name, DELIVERED_AT + after) for name, after in scans]
    if arrival == "before the order":
        early = await system.send_early(*messages)
        await system.send(place(number))
        await system.answered(early)
    else:
        await system.send(place(number))
        for message in messages if arrival == "in order" else reversed(messages):
            await system.send(message)

    audit = await system.audit()
    parcel = audit.shipment(number)
    (summary,) = audit.orders[f"{SHOP}/{number}"]["trackings"]
    assert (parcel["phase"], parcel["leg"]) == (phase, leg)
    assert parcel["sub_status"] == summary["sub_status"] == sub_status
    assert datetime.fromisoformat(parcel["delivered_at"]) == DELIVERED_AT
