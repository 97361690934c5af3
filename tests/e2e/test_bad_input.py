"""Malformed messages on the real stack: each refused with a field and a reason, its neighbours not.

All of them go out in one partition and in one go, a good command before and after each.
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from demo.messages import claim, command, tracking
from demo.player import Pending
from demo.script import ScriptMessage
from deploy.stack import Addresses
from tests.processes import NOON, System, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "shop"
KEY = f"{SHOP}/one-key-for-all"
ADDRESS = {"zip_code": "10115", "country_code": "DE"}
TOPIC_MAX_BYTES = 1_048_576
ENVELOPE_BYTES = 700
"""What the record's headers and framing take of the topic's limit."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A malformed message and the reason that its sender must be given."""

    value: bytes | None
    reason: str
    pointer: str
    type: str = "order.place"
    header: tuple[str, bytes] | None = None


def order(text: str) -> bytes:
    """A placement whose JSON members are `text`."""
    address = json.dumps(ADDRESS)
    return (
        f'{{"shop_slug":"shop","order":{{"order_number":"X","address":{address},{text}}}}}'.encode()
    )


def large() -> bytes:
    """As large as the topic takes."""
    frame = order('"expected_number_of_shipments":""')
    text = "x" * (TOPIC_MAX_BYTES - ENVELOPE_BYTES - len(frame))
    return order(f'"expected_number_of_shipments":"{text}"')


GOOD = order('"currency":"EUR"')

BAD = {
    "not JSON": Bad(b"{shop: 1}", "not_json", ""),
    "cut off": Bad(GOOD[:-4], "not_json", ""),
    "empty body": Bad(b"", "body_empty", ""),
    "no body": Bad(None, "body_empty", ""),
    "null body": Bad(b"null", "body_null", ""),
    "a list": Bad(b"[]", "invalid_fields", ""),
    "number for text": Bad(order('"currency":7'), "invalid_fields", "/order/currency"),
    "text for number": Bad(
        order('"expected_number_of_shipments":"many"'),
        "invalid_fields",
        "/order/expected_number_of_shipments",
    ),
    "object for list": Bad(order('"products":{}'), "invalid_fields", "/order/products"),
    "missing field": Bad(b'{"shop_slug":"shop"}', "invalid_fields", "/order"),
    "wrong deep inside": Bad(
        order('"products":[{"sku":"a"},{"quantity":-1}]'),
        "invalid_fields",
        "/order/products/1/quantity",
    ),
    "as large as the topic takes": Bad(
        large(), "invalid_fields", "/order/expected_number_of_shipments"
    ),
    "body not UTF-8": Bad(order('"email_id":"') + b'\xff\xfe"}}', "not_utf8", ""),
    "header not UTF-8": Bad(
        GOOD, "header_not_utf8", "/headers/ce_subject", header=("ce_subject", b"\xff\xfe")
    ),
    "NUL in a string": Bad(order(r'"email_id":"a\u0000b"'), "nul_character", "/order/email_id"),
    "NUL in a key": Bad(order(r'"em\u0000ail":"a"'), "nul_character", "/order"),
    "lone surrogate": Bad(order(r'"email_id":"\ud800"'), "lone_surrogate", "/order/email_id"),
    "NaN": Bad(order('"total_order_price":NaN'), "number_not_finite", "/order/total_order_price"),
    "Infinity": Bad(
        order('"total_order_price":-Infinity'), "number_not_finite", "/order/total_order_price"
    ),
    "10,000 nested brackets": Bad(b"[" * 10_000 + b"]" * 10_000, "not_json", ""),
    "10,000 nested objects": Bad(order('"email_id":' + '{"a":' * 10_000 + "1"), "not_json", ""),
    "duplicate key": Bad(
        order('"currency":"EUR","currency":"USD"'), "duplicate_key", "/order/currency"
    ),
    "unknown command": Bad(GOOD, "unknown_type", "/type", type="order.explode"),
    "no command": Bad(GOOD, "type_missing", "/type", type=""),
}


def bad_message(name: str, bad: Bad) -> ScriptMessage:
    sample = command(KEY, bad.type, {}, NOON, id_=f"bad {name}")
    headers = dict(sample.headers) | dict([bad.header] if bad.header else [])
    if not bad.type:
        del headers["ce_type"]
    return replace(sample, value=bad.value, headers=tuple(headers.items()))


def good_message(number: int) -> ScriptMessage:
    placement = {"order_number": f"G{number}", "address": ADDRESS}
    body = {"order": placement}
    return command(f"{SHOP}/G{number}", "order.place", body, NOON, id_=f"good-{number}", key=KEY)


@dataclass(frozen=True, slots=True)
class Played:
    """What was sent in one go, and the system it went through."""

    system: System
    bad: dict[str, Pending]
    good: list[Pending]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with running(stack, tmp_path_factory.mktemp("bad")) as system:
        yield system


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def played(system: System) -> Played:
    messages = [good_message(0)]
    for number, (name, bad) in enumerate(BAD.items(), start=1):
        messages += [bad_message(name, bad), good_message(number)]
    sent = await system.send(*messages)
    return Played(system, dict(zip(BAD, sent[1::2], strict=True)), sent[0::2])


@pytest.mark.parametrize("name", BAD)
async def test_malformed_command_is_rejected_with_the_field_and_the_reason(
    played: Played, name: str
) -> None:
    bad, sent = BAD[name], played.bad[name]

    refusal = await played.system.refusal(sent)

    assert refusal["reason"] == bad.reason
    assert refusal["errors"][0]["pointer"] == bad.pointer
    assert refusal["errors"][0]["message"]
    assert played.system.outcome(sent) == ("rejected", bad.reason)


@pytest.mark.parametrize("name", BAD)
async def test_rejection_holds_the_original_or_its_digest(played: Played, name: str) -> None:
    value = BAD[name].value

    refusal = await played.system.refusal(played.bad[name])

    assert refusal["original_size_bytes"] == len(value or b"")
    assert refusal["original_sha256"] == hashlib.sha256(value or b"").hexdigest()
    if refusal["original"] is not None:
        assert _bytes_of(refusal["original"]) == value
    else:
        assert value is None or len(value) > 60_000
    assert {header for header, _ in refusal["original_headers"]} >= {"ce_id", "ce_source"}


async def test_malformed_command_stops_no_other_in_its_partition(played: Played) -> None:
    partitions = {sent.places[0][1] for sent in [*played.good, *played.bad.values()]}

    assert len(partitions) == 1
    assert {played.system.outcome(sent) for sent in played.good} == {("applied", None)}


async def test_bulk_command_with_one_bad_item_applies_the_others(system: System) -> None:
    numbers = [f"B{number}" for number in range(6)]
    items: list[object] = [
        {"id": number, "order": {"order_number": number, "address": ADDRESS}, "trackings": []}
        for number in numbers
    ]
    items[2] = {"id": 5}
    items[4] = "not an object"
    body = {"items": items}

    (sent,) = await system.send(command(KEY, "orders.fulfill_bulk", body, NOON, id_="bulk"))

    became = [system.outcome(sent, index)[0] for index in range(6)]
    assert became == ["applied", "applied", "rejected", "applied", "rejected", "applied"]
    assert (await system.refusal(sent, 2))["errors"][0]["pointer"] == "/items/2/id"
    assert (await system.refusal(sent, 4))["errors"][0]["pointer"] == "/items/4"


async def test_malformed_tracking_is_rejected_and_the_next_scan_applied(system: System) -> None:
    when = NOON.isoformat()
    label = {"tracking_number": "TRACK1", "carrier_reference": "dhl"}
    body = {"id": "G0", "trackings": [label]}
    good = {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": when}
    bad = {"event_name": "PICKED_UP_BY_CARRIER", "occurred_at": "yesterday"}
    await system.send(good_message(0), command(f"{SHOP}/G0", "order.upsert", body, NOON, id_="t0"))

    refused, _ = await system.send(
        tracking("dhl", "TRACK1", [bad], NOON, id_="t1"),
        tracking("dhl", "TRACK1", [good], NOON, id_="t2"),
    )

    refusal = await system.refusal(refused)
    assert refusal["topic"] == "carrier.tracking"
    assert refusal["errors"][0]["pointer"] == "/scans/0/occurred_at"


async def test_malformed_claim_command_is_rejected(system: System) -> None:
    body = {"id": "G0", "tracking_number": "TRACK1", "reason": "curiosity"}

    (refused,) = await system.send(claim(f"{SHOP}/G0", "claim.open", body, NOON, id_="c1"))

    refusal = await system.refusal(refused)
    assert refusal["reason"] == "invalid_fields"
    assert refusal["errors"][0]["pointer"] == "/reason"


async def test_malformed_messages_lose_double_and_reorder_nothing(played: Played) -> None:
    found = await played.system.audit()

    assert set(found.orders) >= {f"{SHOP}/G{number}" for number in range(len(BAD) + 1)}
    assert f"{SHOP}/X" not in found.orders


def _bytes_of(original: dict[str, str]) -> bytes:
    if original["encoding"] == "base64":
        return base64.b64decode(original["value"])
    return original["value"].encode()
