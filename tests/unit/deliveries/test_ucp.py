"""The body `ucp`: the order object of the Universal Commerce Protocol."""

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from schemas.deliveries import DestinationUpsert
from schemas.example_files import load_examples
from services.deliveries.messages.ucp.log import LOG_BYTES_MAX, write_log
from services.deliveries.messages.ucp.money import minor_units
from services.deliveries.messages.ucp.order import ucp_body
from services.orders.domain.model.order import Address, BundledProduct, Product
from tests.unit.deliveries.ucp import ERROR, PAGE, contents, sent_of, validator_of, values_of
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    Desk,
    attach,
    cancel,
    place,
    product,
    report,
    scan,
    void,
)

MUG = product("MUG", 2, title="Mug", price=Decimal("12.95"))
TEA = product("TEA", 1, price=Decimal("8.50"))
SET = Product(
    sku="SET",
    quantity=2,
    price=Decimal(40),
    bundled_products=(BundledProduct(sku="CUP", quantity=2), BundledProduct(sku="POT")),
)
PICKED_UP, DELIVERED, RETRACTED = "PICKED_UP_BY_CARRIER", "SUCCESSFULLY_DELIVERED", "SCAN_RETRACTED"


def played(*commands, products=(MUG, TEA), **said):
    """The bodies of an order's events."""
    desk = Desk(now=NOON + 300 * HOUR)
    values = values_of(desk, [place(products=products, **said), *commands])
    (found,) = values.values()
    return sent_of(found)


def last(*commands, **said):
    """The last body of an order that is played."""
    return played(*commands, **said)[-1].body


def types(body):
    """The types of the fulfilment events of a body."""
    return [each["type"] for each in body["fulfillment"]["events"]]


def quantities(body):
    """By line item: total, fulfilled and status."""
    return {
        each["id"]: (each["quantity"]["total"], each["quantity"]["fulfilled"], each["status"])
        for each in body["line_items"]
    }


# What an order says.


def test_ucp_order_that_is_placed():
    body = last(
        order_name="#1",
        external_id="gid-1",
        total_order_price=Decimal("38.40"),
        shipping_price=Decimal("4.00"),
        sub_total_price=Decimal("34.40"),
        promised_delivery_date=None,
        address=Address(name="Ada Example", street="Weg 1", zip_code="10115", country_code="DE"),
    )

    assert (body["label"], body["checkout_id"], body["currency"]) == ("#1", "gid-1", "EUR")
    assert body["permalink_url"] == "https://shop.example/orders/1"
    assert body["line_items"][0] == {
        "id": "MUG",
        "item": {"id": "MUG", "title": "Mug", "price": 1295},
        "quantity": {"total": 2, "fulfilled": 0},
        "totals": [{"type": "subtotal", "amount": 2590}, {"type": "total", "amount": 2590}],
        "status": "processing",
    }
    assert body["totals"] == [
        {"type": "subtotal", "amount": 3440},
        {"type": "fulfillment", "amount": 400},
        {"type": "total", "amount": 3840},
    ]
    (expectation,) = body["fulfillment"]["expectations"]
    assert contents(expectation) == {"MUG": 2, "TEA": 1}
    assert expectation["destination"] == {
        "street_address": "Weg 1",
        "address_country": "DE",
        "postal_code": "10115",
        "first_name": "Ada",
        "last_name": "Example",
    }
    assert body["fulfillment"]["events"] == []
    assert "messages" not in body


def test_ucp_parcel_on_its_way_and_delivered():
    body = last(
        attach("N1"),
        report(scan(PICKED_UP, NOON + HOUR)),
        report(scan("SORTED", NOON + 2 * HOUR)),
        report(scan("RECIPIENT_NOT_HOME", NOON + 3 * HOUR)),
        report(scan(DELIVERED, NOON + 4 * HOUR)),
    )

    assert types(body) == ["processing", "shipped", "in_transit", "failed_attempt", "delivered"]
    delivered = body["fulfillment"]["events"][-1]
    assert contents(delivered) == {"MUG": 2, "TEA": 1}
    assert delivered["description"] == DELIVERED
    assert (delivered["tracking_number"], delivered["carrier"]) == ("N1", "dhl")
    assert delivered["occurred_at"] == "2024-01-05T16:00:00Z"
    assert quantities(body) == {"MUG": (2, 2, "fulfilled"), "TEA": (1, 1, "fulfilled")}


def test_ucp_entry_has_the_id_of_its_event():
    sent = played(attach("N1"), report(scan(PICKED_UP, NOON + HOUR)))

    parcels = [each.event["event_id"] for each in sent if each.event["source"] == "shipments"]
    assert [each["id"] for each in sent[-1].body["fulfillment"]["events"]] == parcels


def test_ucp_quantities_of_two_parcels():
    body = last(
        attach("N1", products=(product("MUG", 1),)),
        report(scan(PICKED_UP, NOON + HOUR)),
        attach("N2", products=(product("MUG", 1),)),
        expected_number_of_shipments=3,
    )

    assert quantities(body) == {"MUG": (2, 1, "partial"), "TEA": (1, 0, "processing")}
    assert [contents(each) for each in body["fulfillment"]["expectations"]] == [
        {"MUG": 1},
        {"MUG": 1},
        {"TEA": 1},
    ]


def test_ucp_bundle_is_fulfilled_when_all_its_parts_are():
    half = attach("N1", products=(product("CUP", 4), product("POT", 1)))
    sent = [half, report(scan(PICKED_UP, NOON + HOUR))]

    assert quantities(last(*sent, products=(SET,))) == {"SET": (2, 1, "partial")}


def test_ucp_parcel_that_came_back_is_active_no_more():
    body = last(attach("N1"), report(scan("RETURNED_TO_SENDER", NOON + 9 * HOUR)))

    assert quantities(body) == {"MUG": (0, 0, "removed"), "TEA": (0, 0, "removed")}
    assert types(body)[-1] == "returned_to_sender"
    assert body["fulfillment"]["expectations"] == []


def test_ucp_parcel_that_is_lost_is_not_fulfilled():
    body = last(attach("N1"), report(scan("LOST", NOON + 9 * HOUR)))

    assert quantities(body) == {"MUG": (2, 0, "processing"), "TEA": (1, 0, "processing")}
    assert types(body)[-1] == "undeliverable"


def test_ucp_parcel_that_is_delivered_on_its_way_back_is_returned():
    body = last(
        attach("N1"),
        report(scan(PICKED_UP, NOON + HOUR)),
        report(scan("REFUSED", NOON + 2 * HOUR)),
        report(scan(DELIVERED, NOON + 9 * HOUR)),
    )

    assert types(body) == ["processing", "shipped", "return_transit", "returned_to_sender"]


def test_ucp_scan_that_comes_late_leaves_the_order_of_entries():
    body = last(
        attach("N1"),
        report(scan(DELIVERED, NOON + 9 * HOUR)),
        report(scan(PICKED_UP, NOON + HOUR)),
    )

    assert types(body) == ["processing", "delivered", "in_transit"]
    assert quantities(body)["MUG"] == (2, 2, "fulfilled")


def test_ucp_scan_that_is_retracted_is_a_further_event():
    body = last(
        attach("N1"),
        report(scan(PICKED_UP, NOON + HOUR, scan_id="1")),
        report(scan(DELIVERED, NOON + 3 * HOUR, scan_id="2")),
        report(scan(RETRACTED, NOON + 4 * HOUR, scan_id="3", retracts="2")),
    )

    assert types(body) == ["processing", "shipped", "delivered", "in_transit"]
    assert body["fulfillment"]["events"][-1]["description"] == RETRACTED
    assert quantities(body)["MUG"] == (2, 2, "fulfilled")


def test_ucp_number_that_was_wrong_is_cancelled_and_its_event_stays():
    body = last(attach("N1"), void(tracking_number="N1", is_forced=True))

    assert types(body) == ["processing", "canceled"]
    assert quantities(body)["MUG"] == (2, 0, "processing")


def test_ucp_order_that_is_cancelled():
    body = last(cancel(cancelled_at=NOON + HOUR))

    assert quantities(body) == {"MUG": (0, 0, "removed"), "TEA": (0, 0, "removed")}
    (adjustment,) = body["adjustments"]
    assert (adjustment["type"], adjustment["status"]) == ("cancellation", "completed")
    assert contents(adjustment) == {"MUG": -2, "TEA": -1}
    assert body["fulfillment"]["expectations"] == []


def test_ucp_claim_is_an_adjustment():
    example = load_examples("claim.updated")[0]

    (sent,) = sent_of([json.dumps(example.value).encode()])

    claim = example.value["context"]["claims"][0]
    (adjustment,) = sent.body["adjustments"]
    assert adjustment == {
        "id": claim["claim_id"],
        "type": "claim",
        "occurred_at": claim["created_at"],
        "status": "completed",
        "description": claim["reason"],
    }


def test_ucp_log_that_begins_late_has_what_the_order_says_of_its_parcels():
    sent = played(
        attach("N1", tracking_placed_at=NOON),
        report(scan(PICKED_UP, NOON + HOUR)),
        report(scan(DELIVERED, NOON + 3 * HOUR)),
    )
    by_type = {each.event["ref"].rpartition("/")[2]: each.value for each in sent}

    found = sent_of([by_type["ORDER_DELIVERED"], by_type[DELIVERED]])

    assert [types(each.body) for each in found] == [["processing", "shipped", "delivered"]] * 2


def test_ucp_log_is_bounded():
    moved = [report(scan("SORTED", NOON + n * HOUR)) for n in range(40)]
    lines = tuple(product(f"{n:0>250}", 1) for n in range(40))

    sent = played(attach("N1"), *moved, products=lines)

    sizes = [len(write_log(each.log)) for each in sent]
    assert max(sizes) <= LOG_BYTES_MAX
    assert sizes[-1] == sizes[-2]
    assert types(sent[-1].body)[:2] == ["processing", "shipped"]


# What cannot be said.


def test_ucp_order_without_prices_says_so():
    body = last(products=(product("MUG", 1),))

    assert body["line_items"][0]["item"]["price"] == 0
    assert body["line_items"][0]["totals"] == []
    assert [each["path"] for each in body["messages"]] == [
        "$.line_items[0].item.price",
        "$.totals[?@.type=='subtotal']",
        "$.totals[?@.type=='total']",
    ]


def test_ucp_totals_name_what_the_shop_does_not_break_down():
    body = last(total_order_price=Decimal("40.00"), sub_total_price=Decimal("34.40"))

    assert body["totals"][1:] == [
        {"type": "other", "amount": 560, "display_text": "Taxes, fees and other amounts"},
        {"type": "total", "amount": 4000},
    ]


def test_ucp_event_without_the_whole_order_is_an_error_of_the_protocol():
    (sent,) = played()[:1]
    for change in (
        {"context_truncated": True},
        {"context": {**sent.event["context"], "order": None}},
        {"context": "of another version"},
    ):
        value = json.dumps({**sent.event, **change}).encode()

        body = json.loads(ucp_body(value, None, PAGE))

        validator_of(ERROR).validate(body)
        assert body["messages"][0]["code"] == "order_incomplete"


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("12.95", "EUR", 1295),
        ("12.95", "XYZ", 1295),
        ("1295", "JPY", 1295),
        ("1.2345", "KWD", 1234),
        ("0.125", "EUR", 12),
        ("0.135", "EUR", 14),
        ("1234567890.12", "EUR", 123_456_789_012),
        ("-0.005", "EUR", 0),
        ("9999999999.999999", "EUR", 1_000_000_000_000),
        ("0." + "9" * 100, "EUR", 100),
        ("1.5", "CLF", 15_000),
    ],
)
def test_ucp_amounts_are_exact_and_in_minor_units(amount, currency, expected):
    assert minor_units(Decimal(amount), currency) == expected


def a_destination(page):
    """The body of `destination.upsert`."""
    said = {"shop_slug": "demo", "destination_id": "a", "url": PAGE, "body": "ucp"}
    return DestinationUpsert.model_validate(said | ({"order_url": page} if page else {}))


@pytest.mark.parametrize("page", [PAGE, "https://shop.example/o/{order_id}?id={external_id}#top"])
def test_ucp_destination_has_the_page_of_an_order(page):
    assert a_destination(page).order_url == page


@pytest.mark.parametrize(
    "page",
    [
        None,
        "https://shop.example/orders",
        "https://{order_number}.example/",
        "https://shop.example/{email_id}/{order_number}",
        "javascript:alert({order_number})",
        "https://shop.example/" + "x" * 2_048 + "{order_number}",
    ],
    ids=["none", "no order", "host", "name", "scheme", "long"],
)
def test_ucp_destination_without_the_page_of_an_order_is_refused(page):
    with pytest.raises(ValidationError, match="order_url"):
        a_destination(page)


def test_ucp_page_of_an_order_has_its_names_escaped():
    (sent,) = played(external_id="gid://shop/1 ä")
    page = "https://shop.example/{external_id}/{order_number}/{order_id}"

    body = json.loads(ucp_body(sent.value, None, page))

    escaped = f"gid%3A%2F%2Fshop%2F1%20%C3%A4/1/{sent.event['order_id']}"
    assert body["permalink_url"] == f"https://shop.example/{escaped}"
