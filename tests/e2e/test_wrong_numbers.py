"""Tracking numbers that are wrong, through Kafka: placeholders, voided and corrected numbers."""

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from demo.messages import command, tracking
from demo.player import Pending
from demo.script import ScriptMessage
from deploy.stack import Addresses
from tests.processes import NOON, System, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "shop"
_ids = map(str, itertools.count())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    folder = tmp_path_factory.mktemp("wrong-numbers")
    async with running(stack, folder, only=("orders",)) as system:
        yield system


def send(number: str, type_: str, **body: Any) -> ScriptMessage:
    return command(f"{SHOP}/{number}", type_, body, NOON, id_=f"wrong-numbers-{next(_ids)}")


def place(order: str) -> ScriptMessage:
    placement = {"order_number": order, "address": {"zip_code": "10115"}}
    return send(order, "order.place", order=placement)


def attach(order: str, *numbers: str, delivery: str | None = None) -> ScriptMessage:
    said = [{"tracking_number": each, "external_shipment_id": delivery} for each in numbers]
    return send(order, "order.upsert", id=order, trackings=said)


def void(order: str, **said: Any) -> ScriptMessage:
    return send(order, "shipment.void", id=order, **said)


def scan(number: str, event: str, hours: int = 1) -> ScriptMessage:
    at = NOON - timedelta(hours=hours)
    body = {"event_name": event, "occurred_at": at.isoformat()}
    return tracking("dhl", number, [body], at, id_=f"wrong-numbers-{next(_ids)}")


def ends(system: System, pending: list[Pending]) -> list[tuple[str, str | None]]:
    return [system.outcome(each) for each in pending]


async def numbers_of(system: System, order: str) -> list[str | None]:
    found = (await system.audit()).orders[f"{SHOP}/{order}"]
    return [each["tracking_number"] for each in found["trackings"]]


async def test_placeholders_are_refused_and_joined_numbers_split(system: System) -> None:
    sent = await system.send(
        place("PH"),
        *(attach("PH", text) for text in ("none", "n/a", "0", "https://a.example/t/1", "A1, B2")),
        attach("PH", "PHN0000001, PHN0000002"),
    )

    assert ends(system, sent) == [
        ("applied", None),
        *[("rejected", "tracking_number_placeholder")] * 4,
        ("rejected", "tracking_number_list"),
        ("applied", None),
    ]
    assert await numbers_of(system, "PH") == ["PHN0000001", "PHN0000002"]


async def test_voided_label_leaves_a_draft_and_its_number_to_others(system: System) -> None:
    await system.send(place("VA"), attach("VA", "VAN0000001", delivery="f1"), place("VB"))
    await system.send(scan("VAN0000001", "OUT_FOR_DELIVERY"))

    sent = await system.send(
        void("VA", external_shipment_id="f1", reason="label voided"),
        void("VA", tracking_number="VAN0000001"),
        attach("VB", "VAN0000001"),
    )

    assert ends(system, sent) == [
        ("applied", None),
        ("no_change", "already_voided"),
        ("applied", None),
    ]
    assert await numbers_of(system, "VA") == [None]
    found = await system.audit()
    assert found.orders[f"{SHOP}/VA"]["status"] == "placed"
    assert found.shipment("VAN0000001")["phase"] == "in_delivery"


async def test_delivered_parcel_is_voided_by_force_only(system: System) -> None:
    await system.send(place("VD"), attach("VD", "VDN0000001"))
    await system.send(
        scan("VDN0000001", "PICKED_UP_BY_CARRIER", 30), scan("VDN0000001", "SUCCESSFULLY_DELIVERED")
    )
    number = {"tracking_number": "VDN0000001"}

    sent = await system.send(
        void("VD", **number), void("VD", **number, force=True, reason="another shop's parcel")
    )

    assert ends(system, sent) == [("rejected", "shipment_delivered"), ("applied", None)]
    found = (await system.audit()).orders[f"{SHOP}/VD"]
    assert (found["status"], found["delivery_state"]) == ("placed", "not_delivered")


async def test_corrected_number_is_the_same_parcel(system: System) -> None:
    await system.send(place("RE"), attach("RE", "REN0000001", delivery="f1"))
    await system.send(scan("REN0000001", "OUT_FOR_DELIVERY"))
    before = (await system.audit()).orders[f"{SHOP}/RE"]["trackings"]

    sent = await system.send(attach("RE", "REN0000002", delivery="f1"))

    assert ends(system, sent) == [("applied", None)]
    assert await numbers_of(system, "RE") == ["REN0000002"]
    (after,) = (await system.audit()).orders[f"{SHOP}/RE"]["trackings"]
    assert after["shipment_id"] == before[0]["shipment_id"]
    assert after["phase"] == "order_processed"
