"""Values that only describe an order: numbers, empty texts, times, texts and lists."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas import commands as contract
from schemas.repair import FACT
from services.orders.domain.decide import decide
from services.orders.domain.model.decision import World
from services.orders.messages import snapshot
from services.runtime.rejections import Rejection
from tests.unit.orders.payloads import (
    BODIES,
    NOW,
    PLACEMENT,
    TEXTS,
    placed,
    plain,
    read_all,
    taken,
    warned,
    with_value,
)

# Numbers.

AMOUNTS = ("total_order_price", "shipping_price", "sub_total_price", "discount_price", "weight")


@given(
    digits=st.integers(0, 10**60),
    places=st.integers(0, 100),
    as_text=st.booleans(),
    member=st.sampled_from(AMOUNTS),
)
def test_amounts_are_kept_exactly_whatever_their_places(digits, places, as_text, member):
    sent = Decimal((0, tuple(map(int, str(digits))), -places))
    if sent >= 10**10 or (sent and sent.adjusted() < -6):
        return

    command = placed(**{member: f"{sent:f}" if as_text else sent})

    read_ = getattr(command.order, member)
    assert (read_, warned(command)) == (sent, [])
    assert "E" not in str(read_)


@pytest.mark.parametrize("member", ["price", "weight"])
@pytest.mark.parametrize(
    "sent", ["0.08875", "0.09975", "453.59237", "5.504587", "14.309999999999999"]
)
def test_amounts_of_lines_and_taxes_are_published_as_sent(member, sent):
    line = {"sku": "a", member: sent, "tax_lines": [{"rate": sent, "price": Decimal(sent)}]}
    line["bundled_products"] = [deepcopy(line)]
    command = placed(products=[line], discounts=[{"code": "A", "amount": sent}])
    decision = decide(World(orders={}, parcels={}, references={}), command, NOW)

    order = json.loads(snapshot.encode(decision.orders[0], 1_000_000).json)["order"]

    (shown,) = order["products"]
    for each in (shown, *shown["bundled_products"]):
        assert each[member] == sent
        assert (each["tax_lines"][0]["rate"], each["tax_lines"][0]["price"]) == (sent, sent)
    assert order["discounts"][0]["amount"] == sent


@pytest.mark.parametrize(
    ("sent", "read_as", "codes"),
    [
        (" 12.50 ", "12.50", []),
        ("+5", "5", []),
        (".5", "0.5", []),
        ("5.", "5", []),
        ("1e3", "1000", []),
        ("", None, []),
        ("  ", None, []),
        ("1,234.50", "1234.50", ["value_read_as"]),
        ("1.234,50", "1234.50", ["value_read_as"]),
        ("1,234,567.5", "1234567.5", ["value_read_as"]),
        ("12,50", "12.50", ["value_read_as"]),
        ("1,234", None, ["value_left_out"]),  # A thousand, or one and a quarter.
        ("12.50 EUR", None, ["value_left_out"]),
        ("NaN", None, ["value_left_out"]),
        ("heavy", None, ["value_left_out"]),
        (10**10, None, ["value_left_out"]),
        (Decimal(f"1{'0' * 400}"), None, ["value_left_out"]),
        (Decimal("0.0000001"), None, ["value_left_out"]),
        (-1, None, ["value_left_out"]),
    ],
    ids=repr,
)
def test_amount_in_another_spelling_is_read_or_left_out_with_a_warning(sent, read_as, codes):
    command = placed(total_order_price=sent)

    assert command.order.total_order_price == (None if read_as is None else Decimal(read_as))
    assert warned(command) == [(code, "/order/total_order_price") for code in codes]


@pytest.mark.parametrize("number", [b"1e400", b"-1e999999999", b"1e-999999999"])
def test_number_of_absurd_size_costs_no_order(number):
    body = b'{"shop_slug":"qa","order":{"order_number":"1","address":{},"weight":%b}}' % number

    command = taken("order.place", body)

    assert (command.order.weight, warned(command)) == (None, [("value_left_out", "/order/weight")])


@pytest.mark.parametrize(
    ("sent", "read_as"), [("2", 2), (2, 2), (Decimal("2.0"), 2), ("2.000", 2), (" 3 ", 3)]
)
def test_quantity_is_read_in_every_spelling_of_a_whole_number(sent, read_as):
    command = placed(products=[{"sku": "a", "quantity": sent}])

    assert (command.order.products[0].quantity, warned(command)) == (read_as, [])


def test_part_of_a_piece_is_a_whole_piece_with_a_warning():
    command = placed(products=[{"sku": "cloth", "quantity": Decimal("2.5")}])

    assert command.order.products[0].quantity == 3
    assert warned(command) == [("value_read_as", "/order/products/0/quantity")]


@pytest.mark.parametrize("none", [0, "0", Decimal("0.00"), "0.000"])
def test_line_of_none_is_left_out_wherever_lines_are(none):
    lines = [{"sku": "a", "quantity": none}, {"sku": "b"}]
    tracking = {"tracking_number": "1Z9", "products": lines}
    bundle = {"sku": "set", "type": "bundle", "bundled_products": lines}
    body = {"shop_slug": "qa", "id": "1", "order": {**PLACEMENT, "products": [*lines, bundle]}}

    command = taken("order.upsert", body | {"trackings": [tracking]})
    update = taken(
        "shipment.update",
        {"shop_slug": "qa", "id": "1", "tracking_number": "1Z9", "products": lines},
    )

    held = command.order.products
    assert [each.sku for each in held] == ["b", "set"]
    assert [each.sku for each in held[1].bundled_products] == ["b"]
    assert [each.sku for each in command.trackings[0].products] == ["b"]
    assert [each.sku for each in update.products] == ["b"]
    assert warned(command) == [
        ("line_left_out", "/order/products/0"),
        ("line_left_out", "/order/products/2/bundled_products/0"),
        ("line_left_out", "/trackings/0/products/0"),
    ]


# Empty texts.


def describing_members(model: type[BaseModel], at: tuple[str | int, ...] = ()) -> list[Any]:
    """The path of each optional member that is no fact, with those of nested models."""
    found = []
    for name, info in model.model_fields.items():
        place = (*at, info.alias or name)
        nested = [each for each in _models_in(info.annotation) if len(at) < 6]
        is_list = "list[" in str(info.annotation)
        for inner in nested:
            found += describing_members(inner, (*place, 0) if is_list else place)
        if not info.is_required() and FACT not in info.metadata and not (nested and is_list):
            found.append(place)
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models_in(each)]


DESCRIBING = [
    (type_, path)
    for type_ in BODIES
    for path in describing_members(contract.MODELS[type_])
    if "zip_code" not in path or type_ != contract.ORDER_PLACE
]


@pytest.mark.parametrize(("type_", "path"), DESCRIBING, ids=str)
def test_empty_text_is_null_wherever_a_member_is_optional(type_, path):
    empty = taken(type_, with_value(type_, path, ""))

    assert empty == taken(type_, with_value(type_, path, None))
    assert empty.warnings == ()


DESCRIBING_TEXTS = [
    each for each in DESCRIBING if each[1][-1] not in ("order_analytics", "referral")
]
SCALARS = TEXTS | st.decimals(allow_nan=False, allow_infinity=False) | st.integers()
TEXT_LIKE = (
    TEXTS
    | st.sampled_from(["x" * 5_000, "UK", "Germany", "0000-00-00 00:00:00", "1,5", "€", "nobody"])
    | st.datetimes().map(str)
    | SCALARS.map(str)
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(DESCRIBING_TEXTS), value=TEXT_LIKE)
def test_text_in_a_describing_member_never_costs_the_command(place, value):
    type_, path = place

    command = taken(type_, with_value(type_, path, value))

    pointer = "".join(f"/{step}" for step in path)
    assert all(each.pointer == pointer or each.pointer in pointer for each in command.warnings)


# Written out, such a number would take all memory.
@pytest.mark.parametrize("number", [b"1e999999999", b"-1e-999999999"])
def test_number_of_absurd_size_is_never_written_out_wherever_a_text_describes(number):
    for type_, path in DESCRIBING_TEXTS:
        body = plain(with_value(type_, path, "@")).encode().replace(b'"@"', number)

        (entry,) = read_all(type_, body)

        said = entry.errors if isinstance(entry, Rejection) else entry.command.warnings
        assert all(each.pointer for each in said)


@given(member=st.sampled_from(AMOUNTS), value=SCALARS)
def test_number_in_a_describing_member_never_costs_the_order(member, value):
    assert placed(**{member: value}).order.order_number == "1"


# Times.


@pytest.mark.parametrize(
    ("sent", "read_as", "codes"),
    [
        ("2026-02-28T18:04:11Z", "2026-02-28T18:04:11+00:00", []),
        ("2026-02-28T18:04:11+0100", "2026-02-28T18:04:11+01:00", []),
        ("2026-02-28 18:04:11 +01:00", "2026-02-28T18:04:11+01:00", []),
        ("20260228T180411Z", "2026-02-28T18:04:11+00:00", []),
        ("Sat, 28 Feb 2026 18:04:11 +0100", "2026-02-28T18:04:11+01:00", []),
        ("28 Feb 2026 18:04 GMT", "2026-02-28T18:04:00+00:00", []),
        ("Sat, 28 Feb 2026 18:04:11 -0000", "2026-02-28T18:04:11+00:00", ["value_read_as"]),
        ("Mon, 31 Feb 2026 18:04:11 +0000", None, ["value_left_out"]),
        ("2026-02-28T18:04:11", "2026-02-28T18:04:11+00:00", ["value_read_as"]),
        ("2026-02-28 18:04", "2026-02-28T18:04:00+00:00", ["value_read_as"]),
        ("2026-02-28", "2026-02-28T00:00:00+00:00", ["value_read_as"]),
        ("", None, []),
        ("0000-00-00 00:00:00", None, ["value_left_out"]),
        ("0001-01-01T00:00:00Z", None, ["value_left_out"]),
        ("28.02.2026", None, ["value_left_out"]),
        ("yesterday", None, ["value_left_out"]),
        (1_772_301_851, None, ["value_left_out"]),
    ],
)
@pytest.mark.parametrize("member", ["order_placed_at", "updated_at"])
def test_time_without_a_zone_is_utc_and_a_time_that_is_none_is_not_said(
    member, sent, read_as, codes
):
    body = {"shop_slug": "qa", "order": dict(PLACEMENT)}
    holder: dict[str, Any] = body if member == "updated_at" else body["order"]  # type: ignore[assignment]
    holder[member] = sent

    command = taken("order.place", body)

    found = command.updated_at if member == "updated_at" else command.order.order_placed_at
    assert (found.isoformat() if found else None) == read_as
    assert [each.code.value for each in command.warnings] == codes


@pytest.mark.parametrize(
    ("sent", "read_as", "codes"),
    [
        ("2026-03-05", date(2026, 3, 5), []),
        ("2026-03-05T00:00:00Z", date(2026, 3, 5), ["value_read_as"]),
        ("2026-03-05T23:30:00+09:00", date(2026, 3, 5), ["value_read_as"]),
        ("0000-00-00", None, ["value_left_out"]),
    ],
)
def test_promised_day_is_the_day_as_written(sent, read_as, codes):
    command = placed(promised_delivery_date=sent)

    assert command.order.promised_delivery_date == read_as
    assert [each.code.value for each in command.warnings] == codes


# Texts and lists.


def test_long_text_is_cut_and_a_long_identifier_left_out():
    line = {"title": "t" * 2_000, "sku": "s" * 129, "size": "z" * 65}

    command = placed(products=[line])

    (held,) = command.order.products
    assert (len(held.title), held.sku, len(held.size)) == (1024, None, 64)
    assert warned(command) == [
        ("value_left_out", "/order/products/0/sku"),
        ("text_cut", "/order/products/0/title"),
        ("text_cut", "/order/products/0/size"),
    ]


def test_long_list_that_describes_is_cut():
    images = [{"src": f"https://shop.example/{n}.png"} for n in range(25)]

    command = placed(products=[{"sku": "a", "images": images}], segments=["x"] * 120)

    assert len(command.order.products[0].images) == 20
    assert len(command.order.segments) == 100
    assert warned(command) == [
        ("list_cut", "/order/products/0/images"),
        ("list_cut", "/order/segments"),
    ]


def test_warnings_quote_nothing_personal():
    secret = "Geheimnis" * 40
    command = placed(
        email_id=secret,
        address={"name": secret, "phone": secret, "city": secret},
        external_customer_id=secret,
        user_agent=secret * 5,
    )

    assert len(command.warnings) == 6
    assert not any("Geheimnis" in each.detail for each in command.warnings)
