"""Payloads as shop systems send them: what only describes never costs the order."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, get_args
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pydantic import BaseModel

from schemas import commands as contract
from schemas.repair import FACT, RepairCode
from services.orders.domain.decide import decide
from services.orders.domain.model.decision import Outcome, World
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.order import Address
from services.orders.domain.model.warnings import WarningCode
from services.orders.messages import snapshot
from services.orders.messages.decode import DecodedItem, alone, read, read_item
from services.runtime.messages.records import Coordinates, Original
from services.runtime.rejections import Rejection

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MARK = "<number>"
PLACEMENT = {"order_number": "1", "address": {"zip_code": "10115", "country_code": "DE"}}

WOOCOMMERCE = {
    "order_number": "4711",
    "external_id": "727",
    "order_placed_at": "2026-02-28T18:04:11",
    "currency": "EUR",
    "total_order_price": "29.35",
    "discount_price": "0.00",
    "shipping_price": "",
    "email_id": "",
    "external_customer_id": "0",
    "address": {
        "name": "Ada Example",
        "company": "",
        "address_line_1": "Beispielweg 1",
        "address_line_2": "",
        "city": "Wien",
        "zip_code": "1010",
        "province": "",
        "province_code": "",
        "country_code": "AT",
        "phone": "",
    },
    "products": [
        {
            "line_id": "315",
            "product_id": "93",
            "variant_id": "0",
            "sku": "",
            "title": "Becher",
            "quantity": 2,
            "price": Decimal("14.309999999999999"),
            "weight": "",
            "images": [{"src": "", "alt": ""}],
            "tax_lines": [{"title": "", "rate": "0.08875", "price": "2.5431", "currency": ""}],
        },
        {"line_id": "316", "title": "Gratis", "quantity": 0, "price": "0.00"},
    ],
    "segments": [""],
}
SHOPIFY = {
    "order_number": "#1001",
    "order_name": "#1001",
    "external_id": 450789469,
    "order_placed_at": "2026-02-28T13:04:11-05:00",
    "currency": "USD",
    "total_order_price": "598.94",
    "email_id": "bob@mail.example",
    "address": {
        "name": "Bob Example",
        "zip_code": "40202",
        "city": "Louisville",
        "country": "United States",
        "country_code": "US",
        "province": "Kentucky",
        "province_code": "KY",
    },
    "products": [
        {
            "line_id": 466157049,
            "product_id": 632910392,
            "variant_id": 39072856,
            "sku": "IPOD2008GREEN",
            "title": "IPod Nano",
            "quantity": 1,
            "price": "199.00",
            "weight": "453.59237",
            "images": [{"src": "//cdn.shop.example/ipod nano.png"}],
            "tax_lines": [{"title": "State Tax", "rate": Decimal("0.06"), "price": "3.98"}],
        }
    ],
    "segments": "vip, newsletter",
}
WAREHOUSE = {
    "order_number": "SO/2026/0042",
    "external_id": "  ",
    "order_placed_at": "2026-02-28",
    "promised_delivery_date": "2026-03-05T00:00:00",
    "total_order_price": "1.234,50",
    "weight": "12,5",
    "address": {"name": "Maße AG", "city": "Hong Kong", "zip_code": None, "country_code": "HKG"},
    "products": [{"sku": "K-7 ", "quantity": "3.000"}, {"sku": "K-8", "quantity": "0"}],
}


def plain(value: Any) -> str:
    """JSON with a Decimal written as its digits."""
    text = json.dumps(value, default=lambda number: f"{MARK}{number:f}{MARK}")
    return text.replace(f'"{MARK}', "").replace(f'{MARK}"', "")


def read_all(type_: str, body: Any) -> tuple[Any, ...]:
    value = body if isinstance(body, bytes) else plain(body).encode()
    headers = (("ce_type", type_.encode()), ("ce_id", b"c-1"), ("ce_source", b"/shops/qa"))
    return read(Original(Coordinates("orders.commands", 0, 1), b"qa/1", headers, value, NOW), NOW)


def taken(type_: str, body: Any) -> Any:
    """The command of a message that is taken."""
    (entry,) = read_all(type_, body)
    assert isinstance(entry, DecodedItem), entry
    return entry.command


def placed(**members: Any) -> Any:
    """The command that places an order with these members."""
    return taken("order.place", {"shop_slug": "qa", "order": {**PLACEMENT, **members}})


def warned(command: Any) -> list[tuple[str, str]]:
    return [(each.code.value, each.pointer) for each in command.warnings]


def refused(type_: str, body: Any) -> list[str]:
    """The pointers of a message that is refused as malformed."""
    (entry,) = read_all(type_, body)
    assert isinstance(entry, Rejection), entry
    assert entry.reason == "invalid_fields"
    return [each.pointer for each in entry.errors]


def test_warning_codes_of_repairs_are_warning_codes():
    assert {code.value for code in RepairCode} <= {code.value for code in WarningCode}


# Whole payloads.


def test_order_of_woocommerce_is_taken():
    command = taken("order.upsert", {"shop_slug": "qa", "id": "4711", "order": WOOCOMMERCE})

    order, (line,) = command.order, command.order.products
    assert (order.email_id, order.shipping_price, order.segments) == (None, None, ())
    assert order.order_placed_at == datetime(2026, 2, 28, 18, 4, 11, tzinfo=UTC)
    assert order.address == Address(
        name="Ada Example",
        address_line_1="Beispielweg 1",
        city="Wien",
        zip_code="1010",
        country_code="AT",
    )
    assert (line.sku, line.weight, line.images) == (None, None, ())
    assert (line.price, line.tax_lines[0].rate) == (
        Decimal("14.309999999999999"),
        Decimal("0.08875"),
    )
    assert warned(command) == [
        ("value_read_as", "/order/order_placed_at"),
        ("entry_left_out", "/order/products/0/images/0"),
        ("line_left_out", "/order/products/1"),
    ]


def test_order_of_shopify_is_taken():
    command = taken("order.upsert", {"shop_slug": "qa", "id": "#1001", "order": SHOPIFY})

    order, (line,) = command.order, command.order.products
    assert (order.external_id, order.segments) == ("450789469", ("vip", "newsletter"))
    assert (line.line_id, line.product_id, line.variant_id) == (
        "466157049",
        "632910392",
        "39072856",
    )
    assert line.weight == Decimal("453.59237")
    assert line.images[0].src == "https://cdn.shop.example/ipod%20nano.png"
    assert warned(command) == [
        ("value_read_as", "/order/products/0/images/0/src"),
        ("value_read_as", "/order/segments"),
    ]


def test_order_of_a_warehouse_is_taken():
    body = {"shop_slug": "qa", "id": "SO/2026/0042", "order": WAREHOUSE}

    command = taken("order.upsert", body)

    order, (line,) = command.order, command.order.products
    assert (order.order_number, order.external_id) == ("SO/2026/0042", None)
    assert (order.total_order_price, order.weight) == (Decimal("1234.50"), Decimal("12.5"))
    assert order.promised_delivery_date == date(2026, 3, 5)
    assert (order.address.country_code, order.address.zip_code) == ("HK", None)
    assert (line.sku, line.quantity) == ("K-7", 3)
    assert ("value_read_as", "/order/address/country_code") in warned(command)
    assert ("line_left_out", "/order/products/1") in warned(command)


def test_clean_order_has_no_warnings():
    assert warned(placed(products=[{"sku": "a", "quantity": 2, "price": "12.95"}])) == []


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


NEEDED = {
    "images": {"src": "https://shop.example/a.png"},
    "discounts": {"code": "A"},
    "trackings": {"tracking_number": "1Z999"},
}
BODIES = {
    contract.ORDER_PLACE: {"order": PLACEMENT},
    contract.ORDER_UPSERT: {"id": "1", "order": PLACEMENT},
    contract.ORDER_UPDATE: {"id": "1"},
    contract.ORDER_CANCEL: {"id": "1"},
    contract.SHIPMENT_UPDATE: {"id": "1", "tracking_number": "1Z999"},
    contract.ORDER_ANALYTICS_UPSERT: {"id": "1", "order_analytics": {}},
}
DESCRIBING = [
    (type_, path)
    for type_ in BODIES
    for path in describing_members(contract.MODELS[type_])
    if "zip_code" not in path or type_ != contract.ORDER_PLACE
]


def with_value(type_: str, path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A command with one member set; the objects around it have what they need."""
    body: dict[str, Any] = {"shop_slug": "qa", **deepcopy(BODIES[type_])}
    holder: Any = body
    for step, following in pairwise(path):
        if isinstance(step, int):
            holder = holder[step]
        elif following == 0:
            holder = holder.setdefault(step, [deepcopy(NEEDED.get(step, {}))])
        else:
            holder = holder.setdefault(step, {})
    holder[path[-1]] = value
    return body


@pytest.mark.parametrize(("type_", "path"), DESCRIBING, ids=str)
def test_empty_text_is_null_wherever_a_member_is_optional(type_, path):
    empty = taken(type_, with_value(type_, path, ""))

    assert empty == taken(type_, with_value(type_, path, None))
    assert empty.warnings == ()


DESCRIBING_TEXTS = [each for each in DESCRIBING if each[1][-1] != "order_analytics"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=70)
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


@given(member=st.sampled_from(AMOUNTS), value=SCALARS)
def test_number_in_a_describing_member_never_costs_the_order(member, value):
    assert placed(**{member: value}).order.order_number == "1"


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


# Times.


@pytest.mark.parametrize(
    ("sent", "read_as", "codes"),
    [
        ("2026-02-28T18:04:11Z", "2026-02-28T18:04:11+00:00", []),
        ("2026-02-28T18:04:11+0100", "2026-02-28T18:04:11+01:00", []),
        ("2026-02-28 18:04:11 +01:00", "2026-02-28T18:04:11+01:00", []),
        ("20260228T180411Z", "2026-02-28T18:04:11+00:00", []),
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


# What stays malformed.


@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({"id": 7}, ["/id"]),
        ({"id": ""}, ["/id"]),
        ({"id": "  "}, ["/id"]),
        ({"id": None}, ["/id"]),
        ({"id_type": "isbn"}, ["/id_type"]),
        ({"shop_slug": ""}, ["/shop_slug"]),
        ({"order": []}, ["/order"]),
        ({"order": {}}, ["/order/order_number", "/order/address"]),
        ({"order": {**PLACEMENT, "order_number": 1}}, ["/order/order_number"]),
        ({"order": {**PLACEMENT, "address": "Berlin"}}, ["/order/address"]),
        ({"order": {**PLACEMENT, "products": {}}}, ["/order/products"]),
        ({"order": {**PLACEMENT, "products": ["MUG"]}}, ["/order/products/0"]),
        ({"order": {**PLACEMENT, "currency": 7}}, ["/order/currency"]),
        ({"order": {**PLACEMENT, "weight": {"value": 3}}}, ["/order/weight"]),
        ({"order": {**PLACEMENT, "weight": True}}, ["/order/weight"]),
        (
            {"order": {**PLACEMENT, "expected_number_of_shipments": "many"}},
            ["/order/expected_number_of_shipments"],
        ),
        (
            {"order": {**PLACEMENT, "products": [{"quantity": 0}, {"quantity": "two"}]}},
            ["/order/products/1/quantity"],
        ),
        (
            {"order": {**PLACEMENT, "products": [{}, {"quantity": -1}]}},
            ["/order/products/1/quantity"],
        ),
        ({"trackings": [{"carrier_reference": "ups"}]}, ["/trackings/0/tracking_number"]),
        ({"trackings": [{"tracking_number": ""}]}, ["/trackings/0/tracking_number"]),
    ],
)
def test_what_is_malformed_is_refused_at_its_place_as_it_was_sent(members, pointers):
    body = {"shop_slug": "qa", "id": "1", "order": {**PLACEMENT}, **members}

    assert refused("order.upsert", body) == pointers


def test_refusal_names_only_what_is_malformed():
    lines = [{"quantity": 0}, {"quantity": "x", "price": "y"}]
    order = {**PLACEMENT, "products": lines, "weight": "heavy", "email_id": ""}

    assert refused("order.place", {"shop_slug": "qa", "order": order}) == [
        "/order/products/1/quantity"
    ]


def test_carrier_that_is_no_key_is_left_out_where_a_parcel_is_attached():
    tracking = {"tracking_number": "1Z999", "carrier_reference": "DHL Paket", "tracking_url": "x"}

    command = taken("order.upsert", {"shop_slug": "qa", "id": "1", "trackings": [tracking]})

    assert command.trackings[0].carrier_reference is None
    assert warned(command) == [
        ("value_left_out", "/trackings/0/carrier_reference"),
        ("value_left_out", "/trackings/0/tracking_url"),
    ]
    assert refused(
        "shipment.update",
        {"shop_slug": "qa", "id": "1", "tracking_number": "1Z9", "carrier_reference": "DHL P"},
    ) == ["/carrier_reference"]


# Bulk commands.


def test_bulk_item_that_is_malformed_is_refused_alone():
    items = [
        {"id": "1", "order": {**PLACEMENT, "weight": "heavy"}},
        "no object",
        None,
        {"id": "4", "order": {"order_number": "4"}},
        {"id": "5", "trackings": [{"tracking_number": "1Z999"}]},
    ]

    entries = read_all("orders.fulfill_bulk", {"shop_slug": "qa", "items": items})

    assert [type(each) for each in entries] == [
        DecodedItem,
        Rejection,
        Rejection,
        Rejection,
        DecodedItem,
    ]
    assert [each.errors[0].pointer for each in entries if isinstance(each, Rejection)] == [
        "/items/1",
        "/items/2",
        "/items/3/order/address",
    ]
    assert warned(entries[0].command) == [("value_left_out", "/order/weight")]
    assert warned(entries[4].command) == []


def test_bulk_command_whose_age_is_unreadable_is_taken_with_a_warning_for_each_item():
    body = {"shop_slug": "qa", "updated_at": "?", "items": [{"id": "1"}, {"id": "2"}]}

    entries = read_all("orders.fulfill_bulk", body)

    assert [warned(each.command) for each in entries] == [[("value_left_out", "/updated_at")]] * 2


def test_item_that_waits_is_read_again_with_the_same_warnings():
    items = [{"id": "1"}, {"id": "2", "order": {**PLACEMENT, "weight": "x", "order_number": "2"}}]
    *_, entry = read_all("orders.fulfill_bulk", {"shop_slug": "qa", "items": items})

    again = read_item(alone(entry), 1, NOW)

    assert repr(again.command) == repr(entry.command)
    assert warned(again.command) == [("value_left_out", "/order/weight")]
