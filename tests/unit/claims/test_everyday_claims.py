"""Claim commands as shops send them: what only describes never costs the claim."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from schemas.repair import RepairCode
from services.claims.messages.decode import read_command
from services.orders.domain.model.warnings import WarningCode
from services.runtime.messages.records import Coordinates, Malformed, Original

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OPEN = {"shop_slug": "qa", "id": "1", "tracking_number": "1Z999", "reason": "damage"}
PICTURE = "https://evidence.example/1.jpg"


def read(body, type_="claim.open"):
    at = Coordinates("claims.commands", 0, 1)
    return read_command(
        Original(at, None, (("ce_type", type_.encode()),), json.dumps(body).encode(), NOW)
    )


def warned(found):
    return [(each.code, each.pointer) for each in found.warnings]


def test_claim_with_describing_values_that_are_wrong_is_taken():
    item = {"sku": 123, "title": "", "quantity": "2", "net_price": "10,88", "image_urls": ["x"]}
    body = {
        **OPEN,
        "selected_items": [item],
        "image_urls": [PICTURE, ""],
        "description": "d" * 5000,
    }

    found = read(body)

    (claimed,) = found.command.selected_items
    assert (claimed.sku, claimed.title, claimed.quantity) == ("123", None, 2)
    assert claimed.net_price == Decimal("10.88")
    assert found.command.evidence.image_urls == (PICTURE,)
    assert len(found.command.description) == 4000
    assert warned(found) == [
        (RepairCode.TEXT_CUT, "/description"),
        (RepairCode.VALUE_READ_AS, "/selected_items/0/net_price"),
        (RepairCode.ENTRY_LEFT_OUT, "/selected_items/0/image_urls/0"),
    ]


@pytest.mark.parametrize(
    ("member", "sent", "read_as"),
    [
        ("image_urls", ["  "], []),
        ("description", " \t", None),
        ("customer_signature_image_url", "\u00a0", None),
        ("resolution_preference", " ", None),
    ],
)
def test_empty_value_in_a_claim_says_nothing(member, sent, read_as):
    found = read({**OPEN, member: sent})

    assert found.command == read({**OPEN, member: read_as}).command
    assert warned(found) == []


def test_price_of_a_claimed_item_is_kept_exactly():
    item = {"sku": "a", "quantity": 1, "net_price": "5.504587"}

    found = read({**OPEN, "selected_items": [item]})

    assert found.command.selected_items[0].net_price == Decimal("5.504587")
    assert warned(found) == []


@pytest.mark.parametrize("form", ["Mu\u0308tze", "M\u00fctze"])
def test_names_in_a_claim_are_read_in_one_unicode_form(form):
    found = read({**OPEN, "id": form, "selected_items": [{"sku": form, "quantity": 1}]})

    assert found.command.order.value == "M\u00fctze"
    assert found.command.selected_items[0].sku == "M\u00fctze"


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"id": 7}, "/id"),
        ({"id": " "}, "/id"),
        ({"reason": "curiosity"}, "/reason"),
        ({"resolution_preference": "money"}, "/resolution_preference"),
        ({"selected_items": [{"sku": "a", "quantity": 0}]}, "/selected_items/0/quantity"),
        ({"selected_items": [{"sku": "a"}]}, "/selected_items/0/quantity"),
        ({"selected_items": "a"}, "/selected_items"),
        ({"selected_items": False}, "/selected_items"),
    ],
)
def test_claim_whose_facts_are_wrong_is_refused(members, pointer):
    with pytest.raises(Malformed) as caught:
        read({**OPEN, **members})

    assert [each.pointer for each in caught.value.errors] == [pointer]


def test_warning_codes_of_claims_are_those_of_the_contract():
    assert {code.value for code in RepairCode} <= {code.value for code in WarningCode}
