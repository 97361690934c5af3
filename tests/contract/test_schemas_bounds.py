"""What no message may hold is refused with a pointer; what is only unknown never is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from schemas.claims import ClaimOpen, ClaimUpdate
from schemas.commands import (
    BulkFulfillment,
    OrderPlace,
    OrdersFulfillBulk,
    OrderUpdate,
    OrderUpsert,
    ShipmentUpdate,
)
from schemas.enums import Direction, PickupType, Precision, ProductType
from schemas.events import OrderEvent, ShipmentEvent
from schemas.example_files import load_examples
from schemas.orders import OrderAnalytics, OrderDiscount, OrderPlacement, Product
from schemas.topics import CATALOGUE, TOPICS
from schemas.tracking import Scan, TrackingReport, instant_of

SMALL = {"order_number": "1", "address": {"zip_code": "1"}}
SCAN = {"code": "PU", "occurred_at": "2026-03-02T18:05:00Z"}


def refusals(model, body):
    """The fields refused, as pointer to message."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return {"/".join(map(str, e["loc"])): e["msg"] for e in caught.value.errors()}


@pytest.mark.parametrize(
    "amount",
    [
        "NaN",
        "Infinity",
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1e400"),
        "1e400",
        Decimal("1e999999999"),
        Decimal("1e-999999999"),
        10**400,
        float("inf"),
        True,
        "1_000",
        "١٢",
        " 5",
        "",
        "12,90",
        "10000000000",
        "0.0000001",
        Decimal("1e-7"),
        f"1.{'0' * 100}1",
        [],
        {},
    ],
    ids=repr,
)
def test_amount_that_is_invalid_is_refused_with_its_place(amount) -> None:
    assert list(refusals(OrderPlacement, {**SMALL, "total_order_price": amount})) == [
        "total_order_price"
    ]


@pytest.mark.parametrize(
    ("amount", "read"),
    [
        ("12.90", "12.90"),
        (Decimal("12.9"), "12.9"),
        (12, "12"),
        (38.4, "38.4"),
        ("9999999999.9999", "9999999999.9999"),
        (Decimal("1E+2"), "100"),
        ("0.10000", "0.10000"),
        (14.309999999999999, "14.309999999999999"),
        (Decimal("14.309999999999999"), "14.309999999999999"),
        ("0.000001", "0.000001"),
        (f"0.{'3' * 100}", f"0.{'3' * 100}"),
        ("0.00000000", "0.000000"),
        (Decimal("0E-900"), "0.000000"),
        ("-0.00", "0.00"),
    ],
    ids=repr,
)
def test_amount_is_read_exactly_and_written_plainly(amount, read) -> None:
    placement = OrderPlacement.model_validate({**SMALL, "total_order_price": amount})

    assert str(placement.total_order_price) == read


def test_total_below_zero_is_refused_and_a_negative_discount_is_its_size() -> None:
    assert "total_order_price" in refusals(OrderPlacement, {**SMALL, "total_order_price": "-1"})
    assert OrderDiscount.model_validate({"code": "A", "amount": -10.0}).amount == Decimal("10.0")


@pytest.mark.parametrize(
    "count",
    [0, -1, True, False, 100_001, 10**400, Decimal("1e999999999"), Decimal("2.5"), "two", None],
    ids=repr,
)
def test_quantity_that_is_invalid_is_refused_and_null_is_one(count) -> None:
    if count is None:
        assert Product.model_validate({"quantity": None}).quantity == 1
    else:
        assert list(refusals(Product, {"quantity": count})) == ["quantity"]


# pydantic would divide: 6 s for 1e-10000000, and no end was seen for 1e-999999999.
@pytest.mark.parametrize(
    "count",
    [Decimal("1e-999999999"), Decimal("-1e-20000000"), Decimal(f"1.{'0' * 1_000_000}1")],
    ids=["tiny", "negative", "long"],
)
def test_count_with_a_very_small_fraction_is_refused_at_once(count) -> None:
    fraction = "Input should be a valid integer, got a number with a fractional part"
    (example, *_) = load_examples("order.placed")

    assert refusals(Product, {"quantity": count}) == {"quantity": fraction}
    assert refusals(Scan, {**SCAN, "attempt": count}) == {"attempt": fraction}
    assert refusals(OrderEvent, {**example.value, "sequence": count}) == {"sequence": fraction}


def test_count_may_have_a_point_and_an_exponent() -> None:
    said = [Decimal("2.00"), Decimal("1E+3"), Decimal(f"1.{'0' * 1_000_000}")]

    assert [Product.model_validate({"quantity": each}).quantity for each in said] == [2, 1000, 1]
    assert Scan.model_validate({**SCAN, "attempt": Decimal("0e-99999999")}).attempt == 0


def test_parcels_above_a_hundred_are_left_to_the_rule_that_names_its_reason() -> None:
    body = {"shop_slug": "demo", "id": "1", "expected_number_of_shipments": 101}

    assert OrderUpdate.model_validate(body).expected_number_of_shipments == 101


@pytest.mark.parametrize(
    ("moment", "why"),
    [
        ("0001-01-01T00:00:00Z", "between 1970-01-01 and 2100-01-01"),
        ("9999-12-31T23:59:59-23:59", "between 1970-01-01 and 2100-01-01"),
        ("1969-12-31T23:59:59Z", "between 1970-01-01 and 2100-01-01"),
        ("2100-01-01T00:00:00-01:00", "between 1970-01-01 and 2100-01-01"),
        ("2026-02-30T00:00:00Z", "day is out of range"),
        ("2026-03-01T24:00:00Z", "is not a moment that exists"),
        ("2026-03-01T09:30:00", "offset from UTC"),
        ("2026-03-01", "RFC 3339"),
        ("20260301T093000Z", "RFC 3339"),
        (1_767_225_600, "RFC 3339"),
        (True, "RFC 3339"),
        ("yesterday", "RFC 3339"),
    ],
)
def test_moment_out_of_bounds_or_invalid_is_refused_with_the_reason(moment, why) -> None:
    found = refusals(OrderPlace, {"shop_slug": "demo", "order": SMALL, "updated_at": moment})

    assert list(found) == ["updated_at"]
    assert why in found["updated_at"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30", "2026-3-1", 20260301])
def test_day_out_of_bounds_is_refused(day) -> None:
    assert list(refusals(OrderPlacement, {**SMALL, "promised_delivery_date": day})) == [
        "promised_delivery_date"
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("order_number", ""), ("order_number", "/ "), ("order_number", "a\nb"),
        ("order_number", "a\x00b"), ("order_number", "x" * 65), ("order_number", " 1"),
        ("order_number", 1), ("currency", "EURO"), ("email_id", "a\x00"), ("email_id", "x" * 256),
        ("products", {}), ("products", [{}] * 501), ("segments", [1]), ("address", []),
        ("external_id", ""), ("address", {"zip_code": "1", "country_code": "Germany"}),
    ],
)  # fmt: skip
def test_text_that_cannot_be_kept_is_refused(field, value) -> None:
    found = refusals(OrderPlacement, {**SMALL, field: value})

    assert all(pointer.split("/")[0] == field for pointer in found)


@pytest.mark.parametrize("number", ["", "12", "1-2", "1\n2", "x" * 513])
def test_tracking_number_needs_three_letters_or_digits(number) -> None:
    assert "tracking_number" in refusals(
        TrackingReport, {"tracking_number": number, "scans": [SCAN]}
    )


@pytest.mark.parametrize(
    "number", ["123", "1Z 999 AA1", "RR-12/34 DE", "ÄÖ123", "１２３", "1\n23", "123\u200b", "--"]
)
def test_tracking_number_is_kept_as_given(number) -> None:
    body = {"tracking_number": number, "scans": [SCAN], "carrier_reference": "DHL"}
    report = TrackingReport.model_validate(body)

    assert report.tracking_number == number
    assert report.carrier_reference == "dhl"


def test_words_that_are_unknown_never_fail_a_message() -> None:
    product = Product.model_validate({"type": "subscription"})
    scan = Scan.model_validate(
        {**SCAN, "precision": "century", "direction": "up", "pickup": {"type": "balcony"}}
    )

    assert product.type is ProductType.PRODUCT
    assert scan.precision is Precision.SECOND
    assert scan.direction is Direction.MERCHANT_CUSTOMER
    assert scan.pickup is not None
    assert scan.pickup.type is PickupType.UNKNOWN


def test_words_are_known_whatever_their_case() -> None:
    assert Product.model_validate({"type": "BUNDLE"}).type is ProductType.BUNDLE


def test_word_that_decides_is_refused_with_a_pointer_for_its_item_only() -> None:
    assert list(refusals(BulkFulfillment, {"id": "1", "id_type": "guess"})) == ["id_type"]
    assert list(refusals(ClaimOpen, {"shop_slug": "demo", "id": "1", "reason": "mood"})) == [
        "reason"
    ]
    claim = {"shop_slug": "demo", "claim_id": "0a2b7c84-52f1-5d9e-9f5e-6a0f3f0e7c55"}
    assert list(refusals(ClaimUpdate, {**claim, "status": "maybe"})) == ["status"]


def test_bulk_command_takes_items_of_any_shape_but_not_too_many() -> None:
    taken = OrdersFulfillBulk.model_validate({"shop_slug": "demo", "items": [1, None, {}]})

    assert taken.items == [1, None, {}]
    for items in ([], [{}] * 1_001):
        assert list(refusals(OrdersFulfillBulk, {"shop_slug": "demo", "items": items})) == ["items"]


@pytest.mark.parametrize("topic", CATALOGUE, ids=lambda topic: topic.name)
def test_members_that_are_unknown_are_ignored_at_every_depth(topic) -> None:
    for example in load_examples():
        if example.topic == topic.name and example.type != "order.analytics.upsert":
            model = TOPICS[topic.name].models[example.type]
            grown = _grown(example.value)
            assert model.model_validate(grown).model_dump(exclude=FREE) == (
                model.model_validate(example.value).model_dump(exclude=FREE)
            )


# Members that are free objects keep what they are given.
FREE = {"items": True, "order_analytics": True, "order": {"order_analytics": True},
        "context": True, "event_data": True, "original_headers": True}  # fmt: skip


def _grown(value):
    if isinstance(value, dict):
        return {name: _grown(member) for name, member in value.items()} | {"of_tomorrow": [1, {}]}
    if isinstance(value, list):
        return [_grown(member) for member in value]
    return value


def test_event_with_future_members_is_read() -> None:
    (example,) = [e for e in load_examples("shipment.scanned") if e.case == "word_of_tomorrow"]

    event = ShipmentEvent.model_validate(_grown(example.value))

    assert event.event_data.phase == "in_flight"
    assert event.context.shipments[0].flag == "turbulence"


def test_null_means_absent_and_an_empty_list_means_empty() -> None:
    base = {"shop_slug": "demo", "id": "1", "tracking_number": "123"}

    assert ShipmentUpdate.model_validate(base).products is None
    assert ShipmentUpdate.model_validate({**base, "products": None}).products is None
    assert ShipmentUpdate.model_validate({**base, "products": []}).products == []
    assert OrderUpsert.model_validate({**base, "trackings": None}).trackings == []
    assert list(refusals(ShipmentUpdate, {**base, "products": [None]})) == ["products/0"]


def test_shipment_update_names_its_parcel() -> None:
    assert (
        "shipment_id, tracking_number or external_shipment_id"
        in refusals(ShipmentUpdate, {"shop_slug": "demo", "id": "1"})[""]
    )


def test_analytics_keep_members_of_the_shop_within_bounds() -> None:
    kept = OrderAnalytics.model_validate({"source": "mail", "utm": {"id": 7}})
    deep: object = 1
    for _ in range(8):
        deep = {"in": deep}

    assert kept.model_dump(exclude_none=True) == {"source": "mail", "utm": {"id": 7}}
    assert refusals(OrderAnalytics, {"deep": deep})
    assert refusals(OrderAnalytics, {"long": "x" * 9_000})
    assert refusals(OrderAnalytics, {f"m{n}": n for n in range(51)})


@pytest.mark.parametrize(
    ("occurred_at", "timezone", "instant", "is_known"),
    [
        ("2026-03-02T18:05:00+01:00", None, datetime(2026, 3, 2, 17, 5, tzinfo=UTC), True),
        (
            "2026-03-02T18:05:00+01:00",
            "America/Lima",
            datetime(2026, 3, 2, 17, 5, tzinfo=UTC),
            True,
        ),
        ("2026-03-02T18:05:00", "Europe/Berlin", datetime(2026, 3, 2, 17, 5, tzinfo=UTC), True),
        ("2026-07-02T18:05:00", "Europe/Berlin", datetime(2026, 7, 2, 16, 5, tzinfo=UTC), True),
        ("2026-03-02T18:05:00", None, datetime(2026, 3, 2, 18, 5, tzinfo=UTC), False),
        ("2026-03-02T18:05:00", "Mars/Base", datetime(2026, 3, 2, 18, 5, tzinfo=UTC), False),
        ("2026-03-02T18:05:00", "../../etc/passwd", datetime(2026, 3, 2, 18, 5, tzinfo=UTC), False),
        # The hour that is there twice (CEST ends): the first one.
        ("2026-10-25T02:30:00", "Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True),
        # The hour that is not there (CEST begins): by the offset before.
        ("2026-03-29T02:30:00", "Europe/Berlin", datetime(2026, 3, 29, 1, 30, tzinfo=UTC), True),
    ],
)
def test_scan_time_follows_its_offset_its_zone_or_is_uncertain(
    occurred_at, timezone, instant, is_known
) -> None:
    body = {**SCAN, "occurred_at": occurred_at, "timezone": timezone}

    assert instant_of(Scan.model_validate(body)) == (instant, is_known)


def test_scan_has_a_status_and_a_window_that_runs_forward() -> None:
    assert "event_name or code" in refusals(Scan, {"occurred_at": SCAN["occurred_at"]})[""]
    backwards = {**SCAN, "eta": {"from": "2026-03-05", "to": "2026-03-04"}}
    assert "must not be after" in refusals(Scan, backwards)["eta"]


def test_scans_are_at_least_one_and_as_many_as_a_message_holds() -> None:
    assert list(refusals(TrackingReport, {"tracking_number": "123", "scans": []})) == ["scans"]
    report = TrackingReport.model_validate({"tracking_number": "123", "scans": [SCAN] * 5_000})
    assert len(report.scans) == 5_000
