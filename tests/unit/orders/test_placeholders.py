"""Texts in the place of a tracking number that certainly are none."""

import pytest

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import with_shipment
from services.orders.domain.model.reasons import Reason
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    Desk,
    attach,
    event_types,
    fields,
    place,
    ref,
    report,
    scan,
    update_shipment,
    upsert,
)

PLACEHOLDERS = [
    "none",
    "N/A",
    "n.a.",
    "null",
    "pending",
    "follows by e-mail",
    "0",
    "000000",
    "00-00 00",
    "０００",
    "keine Nummer",
    "нет",
    "https://carrier.example/t/1Z999AA10123456784",
    "www.carrier.example/t/1Z999AA10123456784",
    " WWW.carrier.example/1Z999",
    "ada1815@example.org",
    "https://carrier.example/de/track?piececode=00340434161094020002&language=de&zip=10115",
    "1Z999" * 13,
]
NUMBERS = [
    "N1",
    "1",
    "1Z999AA10123456784",
    "00340434 1610 9402",
    "JJD-0003-0001",
    "None1",
    "000000001",
    "RR 123456785 DE",
    "１２３",
    "٣٤",  # Arabic digits
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_placeholder_in_a_command_is_refused_and_nothing_changes(text):
    desk = Desk()
    desk.send(place())
    before = desk.copy()

    for decision in (
        desk.send(attach("N1", text)),
        desk.send(upsert(ref("2"), fields("2"), attach(text).trackings)),
        desk.send(update_shipment(tracking_number=text)),
    ):
        assert decision.outcome is Outcome.REJECTED
        assert decision.reason is Reason.TRACKING_NUMBER_PLACEHOLDER
        assert "leave the tracking out until there is a number" in decision.detail
    assert desk == before


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_placeholder_in_a_report_is_refused_and_nothing_changes(text):
    desk = Desk()

    decision = desk.send(report(scan("PICKED_UP_BY_CARRIER"), number=text))

    assert decision.reason is Reason.TRACKING_NUMBER_PLACEHOLDER
    assert decision.pointer == "/tracking_number"
    assert desk == Desk()


@pytest.mark.parametrize("text", NUMBERS)
def test_number_with_a_digit_other_than_0_is_no_placeholder(text):
    desk = Desk()
    desk.send(place())

    assert event_types(desk.send(attach(text))) == ["order.fulfilled", "shipment.fulfilled"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("none", "'none'"),
        ("N/A", "'N/A'"),
        ("0000", "'0000'"),
        ("Ada Lovelace", "A text without a digit"),
        ("ada@example.org", "A text with @"),
        ("https://carrier.example/t/1", "A link"),
    ],
)
def test_refusal_quotes_no_text_that_may_be_personal(text, said):
    desk = Desk()
    desk.send(place())

    decision = desk.send(attach("N1", text))

    assert decision.detail.startswith(f"{said}")
    assert "lovelace" not in decision.detail.lower()
    assert "ada@" not in decision.detail
    assert decision.pointer == "/trackings/1/tracking_number"


def test_placeholder_that_was_stored_before_can_still_be_named():
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1"))
    order = desk.order()
    stored = replace(order.shipments[0], number="NONE", tracking_number="none")
    desk.orders[order.order_id] = with_shipment(order, stored)

    decision = desk.send(update_shipment(tracking_number="none", tracking_url="https://c.example"))

    assert event_types(decision) == ["shipment.updated"]
