"""Payloads of real shop systems through Kafka: taken, published as sent, with warnings beside."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import pytest_asyncio

from demo.audit import Audit
from demo.messages import command
from demo.player import Pending
from demo.script import ScriptMessage
from deploy.stack import Addresses
from tests.processes import NOON, System, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP = "shop"

WOOCOMMERCE = """{
  "order_number": "4711", "external_id": "727", "order_placed_at": "2026-02-28T18:04:11",
  "currency": "eur", "total_order_price": "29.35", "discount_price": "", "email_id": "",
  "external_customer_id": "", "weight": "",
  "address": {"name": "Ada Example", "company": "", "address_line_1": "Weg 1", "city": "Wien",
              "zip_code": "1010", "province": "", "country_code": "AT", "phone": ""},
  "products": [
    {"line_id": "315", "sku": "", "title": "Becher", "quantity": 2, "price": 14.309999999999999,
     "weight": "453.59237", "images": [{"src": ""}],
     "tax_lines": [{"rate": "0.08875", "price": "2.5431", "currency": ""}]},
    {"line_id": "316", "title": "Gratis", "quantity": 0, "price": "0.00"}]
}"""
SHOPIFY = """{
  "order_number": "#1001", "order_name": "#1001", "external_id": 450789469,
  "order_placed_at": "2026-02-28T13:04:11-05:00", "currency": "USD",
  "total_order_price": "598.94", "email_id": "bob@mail.example",
  "address": {"name": "Bob Example", "city": "Louisville", "zip_code": "40202",
              "country": "United States", "province_code": "KY"},
  "products": [
    {"line_id": 466157049, "variant_id": 39072856, "sku": "IPOD", "quantity": 1, "price": "199.00",
     "images": [{"src": "//cdn.shop.example/ipod nano.png"}],
     "tax_lines": [{"title": "State Tax", "rate": 0.09975, "price": "19.85"}]}],
  "segments": "vip, newsletter"
}"""
WAREHOUSE = """{
  "order_number": "SO/2026/0042", "total_order_price": "1,234.50",
  "promised_delivery_date": "2026-03-05T00:00:00",
  "address": {"name": "Example Ltd", "city": "Hong Kong", "country_code": "HKG"},
  "products": [{"sku": "Mu\\u0308tze", "quantity": "3.000"}]
}"""
PHP = """{
  "order_number": "P-7", "external_id": "0", "external_customer_id": 0, "email_id": " ",
  "order_analytics": [], "discounts": [], "segments": [],
  "address": {"name": "Ada Example", "address_line_1": "Weg 1", "city": " ", "country_code": "AT"},
  "products": [
    {"line_id": "0", "variant_id": 0, "sku": "CUP", "images": [], "tax_lines": [[]]},
    {"line_id": "0", "variant_id": "0", "sku": "0", "bundled_products": []}]
}"""
DOUBTFUL = {
    "1e400": ('"total_order_price": 1e400', "/order/total_order_price"),
    "NaN as text": ('"total_order_price": "NaN"', "/order/total_order_price"),
    "year 0001": ('"order_placed_at": "0001-01-01T00:00:00Z"', "/order/order_placed_at"),
    "year 9999": ('"order_placed_at": "9999-12-31T23:59:59-01:00"', "/order/order_placed_at"),
    "no country": ('"address": {"country_code": "Narnia"}', "/order/address/country_code"),
}


def upsert(number: str, order: str, trackings: str = "[]") -> ScriptMessage:
    """A message with the JSON of an order as its sender wrote it."""
    name = json.dumps(number)
    value = f'{{"shop_slug":"{SHOP}","id":{name},"order":{order},"trackings":{trackings}}}'
    made = command(f"{SHOP}/{number}", "order.upsert", {}, NOON, id_=f"upsert {number}")
    return replace(made, value=value.encode())


def doubtful(number: str, member: str) -> ScriptMessage:
    address = "" if "address" in member else ', "address": {"zip_code": "10115"}'
    return upsert(number, f'{{"order_number": "{number}", {member}{address}}}')


@dataclass(frozen=True, slots=True)
class Played:
    """What was sent, what the topics say of it, and the system."""

    sent: dict[str, Pending]
    found: Audit
    system: System

    def order(self, number: str) -> dict[str, Any]:
        """The order as its latest event shows it."""
        return self.found.orders[f"{SHOP}/{number}"]

    def warnings(self, number: str) -> list[tuple[str, str]]:
        """Code and pointer of each warning of the message's outcome."""
        outcome = self.system.watcher.outcomes[self.sent[number].places[0]]
        assert outcome["outcome"] == "applied"
        return [(each["code"], each["pointer"]) for each in outcome.get("warnings", [])]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def played(
    stack: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Played]:
    parcel = '[{"tracking_number": "1Z999", "products": [{"sku": "Mütze", "quantity": 3}]}]'
    messages = {
        "4711": upsert("4711", WOOCOMMERCE),
        "#1001": upsert("#1001", SHOPIFY),
        "SO/2026/0042": upsert("SO/2026/0042", WAREHOUSE, parcel),
        "P-7": upsert("P-7", PHP, "[]"),
        **{
            name: doubtful(f"D{place}", member)
            for place, (name, (member, _)) in enumerate(DOUBTFUL.items())
        },
    }
    async with running(stack, tmp_path_factory.mktemp("everyday")) as system:
        pending = await system.send(*messages.values())
        found = await system.audit()
        yield Played(dict(zip(messages, pending, strict=True)), found, system)


async def test_order_of_woocommerce_is_applied_as_sent(played: Played) -> None:
    order = played.order("4711")

    (line,) = order["products"]
    assert (line["price"], line["weight"]) == ("14.309999999999999", "453.59237")
    assert (line["tax_lines"][0]["rate"], line["tax_lines"][0]["price"]) == ("0.08875", "2.5431")
    assert (line["sku"], line["images"], order["email_id"]) == (None, [], None)
    assert (order["currency"], order["order_placed_at"]) == ("EUR", "2026-02-28T18:04:11Z")
    assert played.warnings("4711") == [
        ("value_read_as", "/order/order_placed_at"),
        ("entry_left_out", "/order/products/0/images/0"),
        ("line_left_out", "/order/products/1"),
    ]


async def test_order_of_shopify_is_applied_as_sent(played: Played) -> None:
    order = played.order("#1001")

    (line,) = order["products"]
    assert (order["external_id"], line["line_id"]) == ("450789469", "466157049")
    assert (line["tax_lines"][0]["rate"], order["address"]["country_code"]) == ("0.09975", "US")
    assert order["segments"] == ["vip", "newsletter"]
    assert played.warnings("#1001") == [
        ("value_read_as", "/order/products/0/images/0/src"),
        ("value_read_as", "/order/segments"),
    ]


async def test_order_of_a_warehouse_is_applied_with_its_parcel(played: Played) -> None:
    order = played.order("SO/2026/0042")

    assert (order["status"], order["total_order_price"]) == ("fulfilled", "1234.50")
    assert order["products"][0]["sku"] == "M\u00fctze"
    assert (order["address"]["country_code"], order["address"]["zip_code"]) == ("HK", None)
    assert ("value_read_as", "/order/address/country_code") in played.warnings("SO/2026/0042")


async def test_empty_values_of_php_say_nothing(played: Played) -> None:
    order = played.order("P-7")

    cup, other = order["products"]
    assert (cup["line_id"], cup["variant_id"], cup["images"], cup["tax_lines"]) == (
        None,
        None,
        [],
        [],
    )
    assert (other["line_id"], other["variant_id"], other["sku"]) == (None, None, "0")
    assert (order["external_id"], order["external_customer_id"]) == (None, None)
    assert (order["email_id"], order["order_analytics"], order["address"]["city"]) == (
        None,
        None,
        None,
    )
    assert played.warnings("P-7") == []


@pytest.mark.parametrize("name", DOUBTFUL)
async def test_doubtful_value_is_left_out_and_the_order_applied(played: Played, name: str) -> None:
    assert played.warnings(name) == [("value_left_out", DOUBTFUL[name][1])]


async def test_everyday_orders_lose_double_and_refuse_nothing(played: Played) -> None:
    assert played.found.is_clean
    assert not played.found.refusals


async def test_warnings_are_counted_by_code(played: Played) -> None:
    counted: dict[str, float] = {}
    for replica in played.system.of("orders"):
        for code, count in re.findall(
            r'orderflow_warnings_total\{reason="(\w+)",service="orders",.*\} (\S+)',
            replica.metrics(),
        ):
            counted[code] = counted.get(code, 0) + float(count)

    assert counted["value_left_out"] >= len(DOUBTFUL)
    assert counted["line_left_out"] >= 1
