"""Warnings: what was doubtful is applied all the same, and its sender and the operators see it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from schemas.outcomes import WARNINGS_MAX, OutcomeRecord
from services.orders.domain.decide import decide
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.decision import Outcome, World
from services.orders.domain.model.order import Address
from services.orders.domain.model.warnings import (
    KEPT_MAX,
    WARNING_SENTENCES,
    FactWarning,
    WarningCode,
)
from services.orders.messages.decode import DecodedItem, read
from services.orders.messages.encode import outcome_record
from services.orders.outcomes import count_and_log
from services.orders.unit_of_work import Decided
from services.runtime.messages.records import Coordinates, Original
from services.runtime.observability.metrics import Metrics
from tests.unit.orders.builders import NOON, Desk, place, ref, update

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_warning(pointer="/address/city", detail="a number is left out"):
    return FactWarning(code=WarningCode.VALUE_LEFT_OUT, pointer=pointer, detail=detail)


def warned(command, *warnings):
    return replace(command, warnings=warnings or (a_warning(),))


def asked(body, type_="order.place", offset=0):
    """An item as it was read from `orders.commands`, with one warning."""
    headers = (("ce_type", type_.encode()), ("ce_id", b"c-1"), ("ce_source", b"/shops/demo-shop"))
    at = Coordinates("orders.commands", 0, offset)
    original = Original(at, b"demo-shop/1", headers, json.dumps(body).encode(), NOW)
    *_, entry = read(original, NOW)
    assert isinstance(entry, DecodedItem), entry
    return DecodedItem(entry.item, warned(entry.command))


def outcome_of(item, *, pointers=("/a",)):
    command = warned(item.command, *map(a_warning, pointers))
    decision = decide(World(orders={}, parcels={}, references={}), command, NOW)
    record = outcome_record(item.item, command, decision, None, NOW)
    return json.loads(record.value)


PLACE = {"shop_slug": "demo-shop", "order": {"order_number": "1", "address": {"zip_code": "1"}}}


def test_warning_codes_have_a_sentence_each():
    assert set(WARNING_SENTENCES) == set(WarningCode)
    assert all(sentence.endswith(".") for sentence in WARNING_SENTENCES.values())


def test_warnings_of_an_item_are_in_its_decision_and_on_the_order():
    desk = Desk()

    decision = desk.send(warned(place()))

    assert decision.outcome is Outcome.APPLIED
    assert decision.warnings == (a_warning(),)
    (kept,) = desk.order().warnings
    assert (kept.warning, kept.at) == (a_warning(), NOON)


def test_warnings_found_by_rules_come_after_those_found_when_the_item_was_read():
    desk = Desk()
    recorder = Recorder(
        world=World(orders={}, parcels={}, references={}), item=warned(place()), now=NOON
    )

    recorder.warn(WarningCode.VALUE_LEFT_OUT, "/order/weight", "a text is left out")
    found = recorder.with_warnings(desk.send(place()))

    assert [each.pointer for each in found.warnings] == ["/address/city", "/order/weight"]


def test_warnings_do_not_hide_a_refusal():
    desk = Desk()
    desk.send(place())

    refused = desk.send(warned(update(ref(), expected_number_of_shipments=101)))

    assert refused.outcome is Outcome.REJECTED
    assert refused.warnings == (a_warning(),)
    assert desk.order().warnings == ()


def test_warnings_on_an_order_are_one_for_each_code_and_pointer_and_bounded():
    desk = Desk()
    desk.send(place())
    for number in range(KEPT_MAX + 3):
        address = Address(zip_code=str(number))
        desk.send(warned(update(ref(), address=address), a_warning(f"/{number}"), a_warning("/x")))

    kept = [each.warning.pointer for each in desk.order().warnings]

    assert kept == [*(f"/{number}" for number in range(4, KEPT_MAX + 3)), "/x"]


def test_order_without_warnings_stores_none():
    desk = Desk()
    desk.send(place())

    assert desk.order().warnings == ()


def test_outcome_shows_warnings():
    outcome = outcome_of(asked(PLACE))

    assert outcome["outcome"] == "applied"
    assert outcome["warnings"] == [
        {"code": "value_left_out", "pointer": "/a", "detail": "a number is left out"}
    ]
    assert "warnings_left_out" not in outcome
    assert OutcomeRecord.model_validate(outcome).warnings[0].pointer == "/a"


def test_outcome_without_warnings_has_no_such_member():
    item = replace(asked(PLACE), command=replace(asked(PLACE).command, warnings=()))
    decision = decide(World(orders={}, parcels={}, references={}), item.command, NOW)

    outcome = json.loads(outcome_record(item.item, item.command, decision, None, NOW).value)

    assert "warnings" not in outcome
    assert OutcomeRecord.model_validate(outcome).warnings == []


def test_outcome_shows_the_first_warnings_and_counts_the_rest():
    outcome = outcome_of(asked(PLACE), pointers=[f"/{n}" for n in range(WARNINGS_MAX + 3)])

    assert [each["pointer"] for each in outcome["warnings"]] == [
        f"/{n}" for n in range(WARNINGS_MAX)
    ]
    assert outcome["warnings_left_out"] == 3


def test_outcome_of_a_bulk_item_has_pointers_from_the_root_of_the_message():
    items = [{"id": "1", "order": PLACE["order"]}, {"id": "2", "trackings": []}]
    bulk = {"shop_slug": "demo-shop", "items": items}

    outcome = outcome_of(asked(bulk, "orders.fulfill_bulk"), pointers=["/order/weight"])

    assert outcome["index"] == 1
    assert outcome["warnings"][0]["pointer"] == "/items/1/order/weight"


@pytest.mark.parametrize("items", [1, 3])
def test_warnings_are_counted_by_code_and_logged_once_for_each_sender(items):
    metrics, world = Metrics(), World(orders={}, parcels={}, references={})
    decided = []
    for offset in range(items):
        item = asked(PLACE, offset=offset)
        decided.append(Decided(item, decide(world, item.command, NOW)))

    with capture_logs() as logs:
        count_and_log(metrics, decided, ())

    labels = {"service": "orders", "topic": "orders.commands", "reason": "value_left_out"}
    assert metrics.registry.get_sample_value("orderflow_warnings_total", labels) == items
    (entry,) = [each for each in logs if each["event"] == "items_warned"]
    assert (entry["ce_source"], entry["items"]) == ("/shops/demo-shop", items)
    assert (entry["codes"], entry["at"]) == ({"value_left_out": items}, "orders.commands/0/0")
