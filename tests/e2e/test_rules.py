"""Refused, stale and not yet, on the real stack with two replicas of each service."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from demo.facts import plain_number
from demo.messages import claim, command, tracking
from demo.script import ScriptMessage
from deploy.stack import Addresses
from tests.processes import NOON, System, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "shop"
ADDRESS = {"zip_code": "10115", "city": "Berlin", "country_code": "DE"}
LINE = {"sku": "MUG", "quantity": 2, "price": "12.95"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    short = {"ORDERFLOW_SWEEP_INTERVAL_SECONDS": "0.2"}
    async with running(stack, tmp_path_factory.mktemp("rules"), environment=short) as system:
        yield system


def place(number: str, **fields: Any) -> ScriptMessage:
    placement = {"order_number": number, "address": ADDRESS, "products": [LINE], **fields}
    return _send(number, "order.place", {"order": placement}, "place")


def upsert(number: str, *numbers: str, **fields: Any) -> ScriptMessage:
    labels = [{"tracking_number": each, "carrier_reference": "dhl"} for each in numbers]
    return _send(number, "order.upsert", {"id": number, "trackings": labels, **fields}, "upsert")


def update(number: str, **fields: Any) -> ScriptMessage:
    return _send(number, "order.update", {"id": number, **fields}, f"update {sorted(fields)}")


def scan(number: str, event: str, at: datetime = NOON) -> ScriptMessage:
    body = {"event_name": event, "occurred_at": at.isoformat()}
    return tracking("dhl", number, [body], at, id_=f"{number} {event}")


def _send(number: str, type_: str, body: dict[str, Any], name: str) -> ScriptMessage:
    made = command(f"{SHOP}/{number}", type_, body, NOON, id_="")
    identity = f"{number} {name} {hashlib.sha256(made.value or b'').hexdigest()[:8]}".encode()
    return replace(made, headers=(*made.headers[:1], ("ce_id", identity), *made.headers[2:]))


TOO_MUCH = {"tracking_number": "MUCH1", "products": [{**LINE, "quantity": 3}]}
STRANGER = {"tracking_number": "STRANGE1", "products": [{"sku": "NOT-ORDERED"}]}
REFUSED = {
    "more than a hundred drafts": (
        "R1",
        [place("R1")],
        update("R1", expected_number_of_shipments=101),
        "too_many_shipments",
    ),
    "more than a hundred at once": (
        "R2",
        [place("R2")],
        upsert("R2", *[f"R2P{at:03}" for at in range(101)]),
        "too_many_shipments",
    ),
    "references that name two orders": (
        "R5",
        [place("R5"), place("R5B", external_id="other")],
        upsert("R5", order={"order_number": "R5", "external_id": "other", "address": ADDRESS}),
        "reference_conflict",
    ),
    "an order placed otherwise": (
        "R6",
        [place("R6")],
        place("R6", email_id="someone@else.example"),
        "order_exists",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_command_that_breaks_a_rule_is_rejected_and_changes_nothing(
    system: System, name: str
) -> None:
    number, before, wrong, reason = REFUSED[name]
    await system.send(*before)

    (refused,) = await system.send(wrong)
    (after,) = await system.send(update(number, expected_number_of_shipments=2))

    assert system.outcome(refused) == ("rejected", reason)
    assert (await system.refusal(refused))["reason"] == reason
    # One event for the placement, one for the update behind it: the refused one left none.
    assert system.outcome(after) == ("applied", None)
    assert system.watcher.outcomes[after.places[0]]["order_version"] == 2


async def test_orders_may_share_a_name_which_then_names_none_of_them(system: System) -> None:
    def by_name(city: str) -> ScriptMessage:
        body = {"id": "#1001", "id_type": "order_name", "address": {**ADDRESS, "city": city}}
        return _send("O1", "order.update", body, f"{city} by name")

    def a_claim(name: str) -> ScriptMessage:
        named = {"id": "#1001", "id_type": "order_name", "tracking_number": "O2P1"}
        body = {**named, "reason": "damage"}
        return claim(f"{SHOP}/O2", "claim.open", body, NOON, id_=f"O2 {name}")

    shared = await system.send(place("O1", order_name="#1001"), place("O2", order_name="#1001"))
    await system.send(upsert("O2", "O2P1"))
    await system.groups.until_all_read(60)
    refused = await system.send(by_name("Bonn"), a_claim("refused"))

    assert [system.outcome(each) for each in shared] == [("applied", None)] * 2
    (warning,) = system.watcher.outcomes[shared[1].places[0]]["warnings"]
    assert (warning["code"], warning["pointer"]) == ("name_shared", "/order/order_name")
    for each in refused:
        refusal = await system.refusal(each)
        assert refusal["reason"] == "reference_ambiguous"
        assert all(number in refusal["detail"] for number in ("O1", "O2"))

    renamed = {"order_number": "O1", "order_name": "#1002", "address": ADDRESS}
    await system.send(_send("O1", "order.upsert", {"id": "O1", "order": renamed}, "rename"))
    await system.groups.until_all_read(60)
    taken = await system.send(by_name("Potsdam"), a_claim("taken"))

    assert [system.outcome(each) for each in taken] == [("applied", None)] * 2
    found = await system.audit()
    assert found.orders[f"{SHOP}/O2"]["address"]["city"] == "Potsdam"
    assert found.orders[f"{SHOP}/O1"]["address"]["city"] == "Berlin"


DAYS = {
    "a day in another zone": (
        "Y1",
        {"occurred_at": "2026-02-28T00:00:00", "precision": "day"},
        "late",
    ),
    "a midnight that is a day": ("Y2", {"occurred_at": "2026-02-27T00:00:00Z"}, "on_time"),
    "an instant": ("Y3", {"occurred_at": "2026-02-28T07:59:59Z"}, "on_time"),
}


@pytest.mark.parametrize("name", DAYS)
async def test_delivery_of_day_precision_is_compared_by_its_written_day(
    system: System, name: str
) -> None:
    number, scan_time, verdict = DAYS[name]
    california = {"zip_code": "94103", "country_code": "US", "province_code": "CA"}
    await system.send(place(number, address=california, promised_delivery_date="2026-02-27"))
    await system.send(upsert(number, f"DAY{number}"))
    body = {"event_name": "SUCCESSFULLY_DELIVERED", **scan_time}
    await system.send(tracking("dhl", f"DAY{number}", [body], NOON, id_=f"day {number}"))
    await system.groups.until_all_read(60)

    rows = await system.ask(
        "SELECT on_time FROM analytics.parcel_fact JOIN analytics.order_fact USING (order_id) "
        "WHERE order_number = $1",
        number,
    )

    assert [row["on_time"] for row in rows] == [verdict]


@pytest.mark.parametrize(
    ("number", "label", "code"),
    [("G1", TOO_MUCH, "quantity_above_ordered"), ("G2", STRANGER, "product_not_ordered")],
)
async def test_parcel_with_goods_that_were_not_ordered_is_taken_with_a_warning(
    system: System, number: str, label: dict[str, Any], code: str
) -> None:
    await system.send(place(number))

    (taken,) = await system.send(upsert(number, trackings=[label]))

    assert system.outcome(taken) == ("applied", None)
    (warning,) = system.watcher.outcomes[taken.places[0]]["warnings"]
    assert (warning["code"], warning["pointer"]) == (code, "/trackings/0/products/0")


@pytest.mark.parametrize("guard", ["source_version", "updated_at"])
async def test_older_command_never_replaces_a_newer_one(system: System, guard: str) -> None:
    older, newer = (3, 5) if guard == "source_version" else (_at(3), _at(5))
    number = f"S-{guard}".replace("_", "-")
    await system.send(place(number))

    applied, stale = await system.send(
        update(number, address={"city": "Potsdam"}, **{guard: newer}),
        update(number, address={"city": "Bonn"}, **{guard: older}),
    )

    assert system.outcome(applied) == ("applied", None)
    assert system.outcome(stale) == ("no_change", "stale")
    found = await system.audit()
    assert found.orders[f"{SHOP}/{number}"]["address"]["city"] == "Potsdam"


async def test_repeated_command_changes_nothing(system: System) -> None:
    first, again = await system.send(place("D1"), place("D1"))

    assert system.outcome(first)[0] == "applied"
    assert system.outcome(again) == ("no_change", "duplicate")


async def test_repeated_command_changes_nothing_after_hundreds_of_others(system: System) -> None:
    old = update("D2", address={**ADDRESS, "city": "Old Town"})
    await system.send(place("D2"), old)
    await system.send(*[update("D2", address={**ADDRESS, "city": f"C{at}"}) for at in range(300)])

    (again,) = await system.send(old)

    assert system.outcome(again) == ("no_change", "duplicate")
    order = (await system.audit()).orders[f"{SHOP}/D2"]
    assert order["address"]["city"] == "C299"


async def test_repeated_bulk_of_66_items_for_one_order_changes_nothing(system: System) -> None:
    def item(city: str) -> dict[str, Any]:
        return {"id": "D3", "order": {"order_number": "D3", "address": {**ADDRESS, "city": city}}}

    bulk = _send("D3", "orders.fulfill_bulk", {"items": [item(f"B{n}") for n in range(66)]}, "bulk")
    first, again = await system.send(bulk, bulk)

    assert [system.outcome(first, at) for at in range(66)] == [("applied", None)] * 66
    assert [system.outcome(again, at) for at in range(66)] == [("no_change", "duplicate")] * 66


async def test_commands_wait_for_their_order_and_are_applied_when_it_is_placed(
    system: System,
) -> None:
    early = await system.send_early(
        _under("warehouse", upsert("W1", "W1P1")),
        _under("erp", update("W1", expected_number_of_shipments=2)),
    )

    await system.send(place("W1"))
    await system.answered(early)

    assert [system.outcome(each)[0] for each in early] == ["applied", "applied"]
    order = (await system.audit()).orders[f"{SHOP}/W1"]
    assert order["status"] == "partially_fulfilled"
    assert order["expected_number_of_shipments"] == 2


async def test_parcel_change_waits_for_the_parcel(system: System) -> None:
    url = "https://carrier.example/W3P1"
    change = {"id": "W3", "tracking_number": "W3-P1", "tracking_url": url}
    await system.send(place("W3"))
    early = await system.send_early(_under("erp", _send("W3", "shipment.update", change, "url")))

    await system.send(upsert("W3", "W3P1"))
    await system.answered(early)

    assert system.outcome(early[0]) == ("applied", None)
    assert (await system.audit()).shipment("W3P1")["tracking_url"] == url


async def test_waiting_command_is_rejected_after_fifteen_minutes(
    system: System,
) -> None:
    (early,) = await system.send_early(update("N1", expected_number_of_shipments=2))
    system.let_pass(timedelta(minutes=14))
    await system.send(place("N2"))
    assert early.places[0] not in system.watcher.outcomes

    system.let_pass(timedelta(minutes=2))
    await system.answered([early])

    assert system.outcome(early) == ("rejected", "order_not_found")
    assert (await system.refusal(early))["errors"][0]["pointer"] == "/id"


async def test_tracking_waits_for_its_order(system: System) -> None:
    early = await system.send_early(
        scan("T1P1", "OUT_FOR_DELIVERY"), scan("T1P1", "PICKED_UP_BY_CARRIER", _before(9))
    )

    await system.send(place("T1"), upsert("T1", "T1P1"))
    await system.answered(early)

    assert await _phase(system, "T1P1") == "in_delivery"


async def test_claim_waits_for_its_order_and_for_the_delivery(system: System) -> None:
    body = {"id": "C1", "tracking_number": "C1P1", "reason": "investigation"}
    early = await system.send_early(claim(f"{SHOP}/C1", "claim.open", body, NOON, id_="C1 claim"))

    await system.send(place("C1"), upsert("C1", "C1P1"), scan("C1P1", "SUCCESSFULLY_DELIVERED"))
    await system.answered(early)

    claims = (await system.audit()).claim_states.values()
    mine = [each for each in claims if each["tracking_number"] == "C1P1"]
    assert [(each["reason"], each["status"]) for each in mine] == [("investigation", "pending")]


async def test_pieces_of_an_order_are_claimed_once_whatever_names_them(system: System) -> None:
    line = {"sku": "MUG", "line_id": "L1", "variant_id": "V1", "quantity": 2}
    listed = {"tracking_number": "G3P1", "products": [{"variant_id": "V1", "quantity": 2}]}
    await system.send(
        place("G3", products=[line]), upsert("G3", trackings=[listed, {"tracking_number": "G3P2"}])
    )
    first, again, other = (
        claim(
            f"{SHOP}/G3",
            "claim.open",
            {
                "id": "G3",
                "tracking_number": number,
                "reason": reason,
                "selected_items": [{"sku": "MUG", "quantity": count}],
            },
            NOON,
            id_=f"G3 {number} {reason}",
        )
        for number, reason, count in (
            ("G3P1", "damage", 2),
            ("G3P1", "return", 1),
            ("G3P2", "damage", 1),
        )
    )

    await system.send(first)
    refused = [await system.refusal(each) for each in await system.send(again, other)]

    assert [each["reason"] for each in refused] == [
        "quantity_above_shipped",
        "item_not_in_shipment",
    ]
    claims = (await system.audit()).claim_states.values()
    assert [each["reason"] for each in claims if each["tracking_number"] == "G3P1"] == ["damage"]


async def test_tracking_of_an_unowned_number_is_rejected_after_sixty_days(system: System) -> None:
    """The last test: the scans of the others are older than its clock lets a new parcel see."""
    (early,) = await system.send_early(scan("U1P1", "PICKED_UP_BY_CARRIER"))
    system.let_pass(timedelta(days=59))
    await system.send(place("U1"))
    assert early.places[0] not in system.watcher.refused

    system.let_pass(timedelta(days=2))
    await system.answered([early])

    assert (await system.refusal(early))["topic"] == "carrier.tracking"
    assert (await system.refusal(early))["reason"] == "number_not_owned"


def _under(key: str, message: ScriptMessage) -> ScriptMessage:
    return replace(message, key=f"{SHOP}/{key}".encode())


def _at(minutes: int) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


def _before(hours: int) -> datetime:
    return NOON - timedelta(hours=hours)


async def _phase(system: System, number: str) -> str:
    found = await system.audit()
    return str(found.shipment(plain_number(number))["phase"])
