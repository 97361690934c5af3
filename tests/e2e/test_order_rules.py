"""What commands change of an order, through Kafka: carriers, addresses, attribution, expiry."""

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
from services.orders.domain.model.ids import order_id_of
from tests.processes import NOON, System, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "shop"
ADDRESS = {
    "name": "Ada Example",
    "phone": "+49 30 1",
    "address_line_1": "Beispielweg 1",
    "city": "Berlin",
    "zip_code": "10115",
    "country_code": "DE",
}
_ids = map(str, itertools.count())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    short = {"ORDERFLOW_SWEEP_INTERVAL_SECONDS": "0.2"}
    folder = tmp_path_factory.mktemp("order-rules")
    async with running(stack, folder, environment=short, only=("orders",)) as system:
        yield system


def send(number: str, type_: str, **body: Any) -> ScriptMessage:
    return command(f"{SHOP}/{number}", type_, body, NOON, id_=f"order-rules-{next(_ids)}")


def place(number: str, **members: Any) -> ScriptMessage:
    order = {"order_number": number, "address": ADDRESS, **members}
    return send(number, "order.place", order=order)


def attach(number: str, *numbers: str, carrier: str | None = None) -> ScriptMessage:
    labels = [{"tracking_number": each, "carrier_reference": carrier} for each in numbers]
    return send(number, "order.upsert", id=number, trackings=labels)


def scan(number: str, event: str, carrier: str = "dhl", hours: int = 1) -> ScriptMessage:
    at = NOON - timedelta(hours=hours)
    body = {"event_name": event, "occurred_at": at.isoformat()}
    return tracking(carrier, number, [body], at, id_=f"order-rules-{next(_ids)}")


async def order_of(system: System, number: str) -> Any:
    return (await system.audit()).orders[f"{SHOP}/{number}"]


def ends(system: System, pending: list[Pending]) -> list[tuple[str, str | None]]:
    return [system.outcome(each) for each in pending]


async def test_carrier_is_corrected_and_its_scans_reach_the_parcel(system: System) -> None:
    await system.send(place("CA"), attach("CA", "CAP1"), attach("CA", "CAP2", carrier="dhl"))
    await system.send_early(scan("CAP2", "OUT_FOR_DELIVERY", "ups"))

    sent = await system.send(
        *(
            send("CA", "shipment.update", id="CA", tracking_number=number, carrier_reference="ups")
            for number in ("CAP1", "CAP2")
        )
    )

    assert ends(system, sent) == [("applied", None)] * 2
    found = await system.audit()
    assert found.shipment("CAP1")["carrier_reference"] == "ups"
    assert found.shipment("CAP2")["carrier_reference"] == "ups"
    assert found.shipment("CAP2")["phase"] == "in_delivery"

    shipment = found.shipment("CAP2")["shipment_id"]
    await system.send(
        send("CA", "shipment.update", id="CA", shipment_id=shipment, carrier_reference="dpd")
    )
    assert (await system.audit()).shipment("CAP2")["carrier_reference"] == "dpd"


@pytest.mark.parametrize("by", ["order.update", "order.upsert", "orders.fulfill_bulk"])
async def test_address_changes_as_one_place_and_by_persons_member(system: System, by: str) -> None:
    number = f"AD-{by.replace('.', '-').replace('_', '-')}"

    def change(**address: Any) -> ScriptMessage:
        if by == "order.update":
            return send(number, by, id=number, address=address)
        order = {"order_number": number, "address": {"zip_code": "10115", **address}}
        if by == "order.upsert":
            return send(number, by, id=number, order=order)
        return send(number, by, items=[{"id": number, "order": order}])

    await system.send(place(number))
    await system.send(change(**{**ADDRESS, "phone": "+49 30 2"}))
    moved = {"zip_code": "80331", "city": "Bonn", "name": None, "company": "Example GmbH"}
    await system.send(change(**moved))

    address = (await order_of(system, number))["address"]
    assert (address["zip_code"], address["city"]) == ("80331", "Bonn")
    assert (address["address_line_1"], address["country_code"]) == (None, None)
    assert (address["name"], address["company"]) == (None, "Example GmbH")
    assert address["phone"] == "+49 30 2"


async def test_telephone_number_alone_leaves_the_place(system: System) -> None:
    await system.send(place("PH"))

    await system.send(send("PH", "order.update", id="PH", address={"phone": "+49 30 000"}))

    address = (await order_of(system, "PH"))["address"]
    assert {name: address[name] for name in ADDRESS} == {**ADDRESS, "phone": "+49 30 000"}


async def test_attribution_is_changed_by_key_removed_by_null_and_replaced_as_a_whole(
    system: System,
) -> None:
    held = []
    await system.send(place("AN", order_analytics={"source": "mail", "medium": "cpc", "own": 1}))
    for said, more in (
        ({"source": None, "term": "mug"}, {}),
        ({"campaign_code": "SPRING"}, {"replace": True}),
        ({"campaign_code": None}, {}),
    ):
        await system.send(
            send("AN", "order.analytics.upsert", id="AN", order_analytics=said, **more)
        )
        held.append((await order_of(system, "AN"))["order_analytics"])

    assert held == [{"medium": "cpc", "term": "mug", "own": 1}, {"campaign_code": "SPRING"}, None]


async def test_change_of_a_parcel_that_never_came_says_so_and_names_the_order(
    system: System,
) -> None:
    await system.send(place("EX"))
    change = {"id": "EX", "tracking_url": "https://carrier.example/404"}
    (early, unknown) = await system.send_early(
        send("EX", "shipment.update", tracking_number="EXP404", **change),
        send("NO", "shipment.update", tracking_number="EXP404", **{**change, "id": "NO"}),
    )
    system.let_pass(timedelta(minutes=16))
    await system.answered([early, unknown])

    assert system.outcome(early) == ("rejected", "shipment_not_found")
    outcome = system.watcher.outcomes[early.places[0]]
    assert (outcome["order_id"], outcome["order_number"]) == (order_id_of(SHOP, "EX"), "EX")
    assert (await system.refusal(early))["errors"][0]["pointer"] == "/tracking_number"
    assert system.outcome(unknown) == ("rejected", "order_not_found")


async def test_old_command_brings_its_parcel_and_old_cancellation_counts(system: System) -> None:
    old = {"updated_at": (NOON - timedelta(days=1)).isoformat()}
    newer = {"order_number": "OLD", "address": ADDRESS, "email_id": "new@example.org"}
    upsert = {"id": "OLD", "order": newer, "updated_at": NOON.isoformat()}
    await system.send(send("OLD", "order.upsert", **upsert))
    order = {**newer, "email_id": "old@example.org"}
    parcel = [{"tracking_number": "OLDP1"}]

    attached, stale, cancelled = await system.send(
        send("OLD", "order.upsert", id="OLD", order=order, trackings=parcel, **old),
        send("OLD", "order.upsert", id="OLD", order=order, trackings=parcel, **old),
        send("OLD", "order.cancel", id="OLD", **old),
    )

    assert system.outcome(attached) == ("applied", None)
    warnings = system.watcher.outcomes[attached.places[0]]["warnings"]
    assert [each["code"] for each in warnings] == ["description_stale"]
    assert system.outcome(stale) == ("no_change", "stale")
    assert system.outcome(cancelled) == ("applied", None)
    found = await order_of(system, "OLD")
    assert (found["email_id"], found["status"]) == ("new@example.org", "cancelled")
    assert found["trackings"][0]["tracking_number"] == "OLDP1"


async def test_order_that_needs_no_parcel_is_taken_by_every_command(system: System) -> None:
    order = {"address": ADDRESS, "expected_number_of_shipments": 0}
    item = {"id": "GIFT3", "order": {**order, "order_number": "GIFT3"}}
    sent = await system.send(
        place("GIFT1", expected_number_of_shipments=0),
        send("GIFT2", "order.upsert", id="GIFT2", order={**order, "order_number": "GIFT2"}),
        send("GIFT3", "orders.fulfill_bulk", items=[item]),
        place("GIFT4", expected_number_of_shipments=2),
        send("GIFT4", "order.update", id="GIFT4", expected_number_of_shipments=0),
    )

    assert ends(system, sent) == [("applied", None)] * 5
    orders = (await system.audit()).orders
    for number in ("GIFT1", "GIFT2", "GIFT3", "GIFT4"):
        found = orders[f"{SHOP}/{number}"]
        assert (found["status"], found["trackings"]) == ("fulfilled", [])
        assert found["expected_number_of_shipments"] == 0


async def test_order_is_partially_then_wholly_delivered(system: System) -> None:
    await system.send(place("DL", expected_number_of_shipments=2), attach("DL", "DLP1", "DLP2"))
    assert (await order_of(system, "DL"))["delivery_state"] == "not_delivered"
    states = []
    for number in ("DLP1", "DLP2"):
        await system.send(scan(number, "SUCCESSFULLY_DELIVERED"))
        found = await order_of(system, "DL")
        states.append((found["delivery_state"], found["is_dispatched"]))

    assert states == [("partially_delivered", True), ("delivered", True)]
