"""Names and codes of everyday payloads: places, currencies, addresses of e-mail, identifiers."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from msgspec.structs import replace

from schemas import commands as contract
from services.orders.domain.decide import decide
from services.orders.domain.model.decision import Outcome, World
from services.orders.domain.model.ids import order_id_of
from tests.unit.orders.payloads import (
    NOW,
    PLACEMENT,
    TEXTS,
    placed,
    taken,
    warned,
    with_value,
)

# Places and codes.


@pytest.mark.parametrize("address", [{}, {"country_code": "HK"}, {"zip_code": ""}, {"city": "x"}])
def test_order_without_a_postal_code_is_taken(address):
    command = placed(address=address)

    assert (command.order.address.zip_code, warned(command)) == (None, [])


@pytest.mark.parametrize(
    ("sent", "code", "country", "codes"),
    [
        ({"country_code": "de"}, "DE", None, []),
        ({"country_code": "UK"}, "GB", None, ["value_read_as"]),
        ({"country_code": "EL"}, "GR", None, ["value_read_as"]),
        ({"country_code": "DEU"}, "DE", None, ["value_read_as"]),
        ({"country_code": "Germany"}, "DE", None, ["value_read_as"]),
        ({"country_code": "Narnia"}, None, "Narnia", ["value_left_out"]),
        ({"country_code": "XX"}, None, "XX", ["value_left_out"]),
        ({"country_code": "XX", "country": "Mars"}, None, "Mars", ["value_left_out"]),
        ({"country_code": ""}, None, None, []),
        ({"country": "Deutschland"}, "DE", "Deutschland", []),
        ({"country": "uk"}, "GB", "uk", []),
        ({"country": "Mars"}, None, "Mars", []),
        ({"country": "Germany", "country_code": "AT"}, "AT", "Germany", []),
    ],
)
@pytest.mark.parametrize("type_", [contract.ORDER_PLACE, contract.ORDER_UPDATE])
def test_country_is_a_code_of_iso_3166(type_, sent, code, country, codes):
    path: tuple[str, ...] = ("order", "address") if type_ == contract.ORDER_PLACE else ("address",)

    command = taken(type_, with_value(type_, path, sent))

    address = command.order.address if type_ == contract.ORDER_PLACE else command.address
    assert (address.country_code, address.country) == (code, country)
    assert [each.code.value for each in command.warnings] == codes


@pytest.mark.parametrize("empty", ["", None])
@pytest.mark.parametrize(
    ("sent", "cleared", "code", "country"),
    [
        ({"country": "Germany"}, "country_code", "DE", "Germany"),
        ({"country_code": "Narnia"}, "country", None, "Narnia"),
    ],
)
def test_country_that_is_read_from_the_other_member_is_not_cleared(
    sent, cleared, code, country, empty
):
    first = placed(address={"country_code": "AT", "country": "Austria"})
    update = {"shop_slug": "qa", "id": "1", "address": {**sent, cleared: empty}}
    other = replace(first, item_id="00000000-0000-5000-8000-000000000000")
    decision = decide(World(orders={}, parcels={}, references={}), other, NOW)
    orders = {order.order_id: order for order in decision.orders}

    moved = decide(
        World(orders=orders, parcels={}, references={}), taken("order.update", update), NOW
    )

    address = moved.orders[0].placement.address
    assert (address.country_code, address.country) == (code, country)


@pytest.mark.parametrize(
    ("sent", "currency", "codes"),
    [
        ("EUR", "EUR", []),
        ("eur", "EUR", []),
        (" usd ", "USD", []),
        ("", None, []),
        ("€", "EUR", ["value_read_as"]),
        ("ABC", "ABC", ["value_doubtful"]),
        ("abc", "ABC", ["value_doubtful"]),
        ("Dollar", None, ["value_left_out"]),
    ],
)
def test_currency_is_read_in_any_case_and_kept_where_it_is_not_known(sent, currency, codes):
    command = placed(currency=sent)

    assert (command.order.currency, [each.code.value for each in command.warnings]) == (
        currency,
        codes,
    )


@pytest.mark.parametrize(
    ("sent", "email", "codes"),
    [
        ("ada@mail.example", "ada@mail.example", []),
        (" ada@mail.example ", "ada@mail.example", []),
        ("guest", "guest", ["value_doubtful"]),
        ("", None, []),
        (f"{'x' * 300}@mail.example", None, ["value_left_out"]),
    ],
)
def test_email_address_that_is_none_is_kept_with_a_warning(sent, email, codes):
    command = placed(email_id=sent)

    assert (command.order.email_id, [each.code.value for each in command.warnings]) == (
        email,
        codes,
    )


# Names.


@pytest.mark.parametrize(
    "number",
    [
        "SO/2026/1",
        "#1001",
        "a b",
        "1/2/3",
        "/1",
        "1/",
        "Bestellung-ä",
        "№ 7",
        "注文/1",
        "a?b&c=%2F",
    ],
)
def test_order_number_may_hold_any_printable_character(number):
    body = {"shop_slug": "qa", "id": number, "order": {**PLACEMENT, "order_number": number}}

    command = taken("order.upsert", body)
    decision = decide(World(orders={}, parcels={}, references={}), command, NOW)

    assert decision.outcome is Outcome.APPLIED
    assert decision.order_id == order_id_of("qa", number)
    assert decision.orders[0].order_number == number


def test_white_space_around_a_name_is_no_part_of_it():
    body = {"shop_slug": "qa", "id": " 1 ", "order": {**PLACEMENT, "order_number": "1\t"}}

    command = taken("order.upsert", {**body, "order": {**body["order"], "external_id": " e "}})

    assert (command.reference.value, command.order.order_number) == ("1", "1")
    assert (command.order.external_id, command.warnings) == ("e", ())


@given(text=TEXTS.map(str.strip).filter(lambda text: text.isprintable() and text))
def test_names_that_differ_by_unicode_form_only_are_the_same(text):
    read_ = set()
    for form in ("NFC", "NFD"):
        name = normalize(form, text)[:64].strip()
        if normalize("NFC", name) != normalize("NFC", text)[:64].strip():
            return  # Cut within a character.
        line = dict.fromkeys(("sku", "line_id", "variant_id", "title"), name)
        order = {**PLACEMENT, "order_number": name, "external_id": name, "products": [line]}
        command = taken("order.upsert", {"shop_slug": "qa", "id": name, "order": order})
        read_.add(repr(command))

    assert len(read_) == 1
