"""Several tracking numbers in one field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.joined_numbers import numbers_in
from services.orders.domain.model.reasons import Reason
from services.orders.domain.value import replace
from services.orders.intake import refusals
from tests.unit.orders.builders import NOON, Desk, attach, item, place, report, scan
from tests.unit.orders.payloads import PLACEMENT, original, read_all, taken, warned

ONE, TWO, THREE = "1Z999AA10123456101", "1Z999AA10123456102", "00340434161094020002"
JOINED = f"{ONE}, {TWO}"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (f"{ONE}, {TWO}", (ONE, TWO)),
        (f"{ONE},{TWO}", (ONE, TWO)),
        (f"{ONE};{TWO};", (ONE, TWO)),
        (f"{ONE} | {TWO}", (ONE, TWO)),
        (f"{ONE}\n{TWO}\n", (ONE, TWO)),
        (f"{ONE}\r\n{TWO}", (ONE, TWO)),
        (f"{ONE} / {TWO}", (ONE, TWO)),
        (f"{ONE} and {TWO}", (ONE, TWO)),
        (f"{ONE} und {TWO}", (ONE, TWO)),
        (f"{ONE} & {TWO}", (ONE, TWO)),
        (f"{ONE}, {TWO} and {THREE}", (ONE, TWO, THREE)),
        (f"0034 0434 1610 9402, {TWO}", ("0034 0434 1610 9402", TWO)),
        (f"{ONE}, {ONE.lower()}", (ONE,)),
        # One number, however it is written:
        ("00340434 1610 9402 0002", ()),
        ("JJD-0003/0001_22", ()),
        (f"{ONE},", ()),
        (ONE, ()),
        # Not certain:
        (f"{ONE}, n/a", ()),
        (f"{ONE}, 102", ()),
        ("12,345,678", ()),
        (f"{ONE} {TWO}, {THREE}", ()),
        (f"{ONE}, Deutsche Post", ()),
    ],
)
def test_numbers_in_a_field(text, numbers):
    assert numbers_in(text) == numbers


@given(
    st.lists(st.from_regex(r"[A-Z0-9]{9}[1-9]", fullmatch=True), min_size=2, max_size=5),
    st.sampled_from([",", ", ", ";", "|", "\n", " / ", " and ", "&"]),
)
def test_numbers_joined_by_a_separator_are_those_numbers(numbers, separator):
    assert numbers_in(separator.join(numbers)) == tuple(dict.fromkeys(numbers))


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        (f"{ONE}, 102", "','"),
        ("12;34", "';'"),
        ("N1 / N2", "'/'"),
        ("N1 and N2", "'and'"),
        ("N1\nN2", "a line break"),
    ],
)
def test_uncertain_list_of_numbers_is_refused_with_its_separator(text, separator):
    desk = Desk()
    desk.send(place())
    before = desk.copy()

    decision = desk.send(attach(text))

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, Reason.TRACKING_NUMBER_LIST)
    assert f"separated by {separator}" in decision.detail
    assert desk == before


def test_report_of_several_numbers_is_refused():
    decision = Desk().send(report(scan("PICKED_UP_BY_CARRIER"), number=f"{ONE}, {TWO}"))

    assert decision.reason is Reason.TRACKING_NUMBER_LIST


def test_certain_list_is_read_as_several_trackings_with_a_warning():
    tracking = {"tracking_number": JOINED, "carrier_reference": "ups", "external_shipment_id": "f1"}

    command = taken("order.upsert", _upsert(tracking, {"tracking_number": THREE}))

    found = [
        (each.tracking_number, each.carrier_reference, each.external_shipment_id, each.position)
        for each in command.trackings
    ]
    assert found == [(ONE, "ups", "f1", 0), (TWO, "ups", "f1", 0), (THREE, None, None, 1)]
    assert warned(command) == [("value_read_as", "/trackings/0/tracking_number")]


def test_list_in_a_bulk_item_is_split_and_warned_of():
    item = {"id": "1", "trackings": [{"tracking_number": JOINED}]}

    (entry,) = read_all("orders.fulfill_bulk", {"shop_slug": "qa", "items": [item]})

    assert [each.tracking_number for each in entry.command.trackings] == [ONE, TWO]
    assert warned(entry.command) == [("value_read_as", "/trackings/0/tracking_number")]


def test_field_may_hold_many_numbers():
    numbers = [f"0034043416109402{n:04}" for n in range(1, 21)]

    command = taken("order.upsert", _upsert({"tracking_number": ", ".join(numbers)}))

    assert [each.tracking_number for each in command.trackings] == numbers


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://carrier.example/track", (True, True)),
        (f"https://carrier.example/{ONE}", (True, False)),
        (f"https://carrier.example/{ONE.lower()}/{TWO}", (True, True)),
    ],
)
def test_link_is_kept_for_the_numbers_that_it_names(url, kept):
    command = taken("order.upsert", _upsert({"tracking_number": JOINED, "tracking_url": url}))

    assert tuple(each.tracking_url == url for each in command.trackings) == kept


@pytest.mark.parametrize("delivery", [{}, {"external_shipment_id": "f1"}])
def test_list_of_products_of_joined_numbers_counts_once(delivery):
    order = {**PLACEMENT, "products": [{"sku": "MUG", "quantity": 3}]}
    products = [{"sku": "MUG", "quantity": 3}]
    tracking = {"tracking_number": JOINED, "products": products, **delivery}
    desk = Desk()

    decision = desk.send(taken("order.upsert", {**_upsert(tracking), "order": order}))
    repeated = taken("order.upsert", {**_upsert(tracking), "order": order})
    again = desk.send(replace(repeated, **item()))

    first, second = desk.order("1", "qa").shipments
    assert [each.code.value for each in decision.warnings] == ["value_read_as"]
    assert [packed.quantity for packed in first.lines] == [3]
    assert second.shares_with == first.shipment_id
    assert again.reason is Reason.NO_DIFFERENCE


@pytest.mark.parametrize("text", ["none", "N/A", "null", "-", "000"])
def test_placeholder_for_the_id_of_a_parcel_is_left_out_with_a_warning(text):
    first = {"tracking_number": ONE, "external_shipment_id": text}
    second = {"tracking_number": TWO, "external_shipment_id": text}
    desk = Desk()
    desk.send(taken("order.upsert", _upsert(first)))

    command = taken("order.upsert", {"shop_slug": "qa", "id": "1", "trackings": [second]})
    desk.send(replace(command, **item()))

    assert warned(command) == [("value_left_out", "/trackings/0/external_shipment_id")]
    assert [each.tracking_number for each in desk.order("1", "qa").shipments] == [ONE, TWO]


@pytest.mark.parametrize("type_", ["shipment.void", "shipment.update"])
@pytest.mark.parametrize("text", ["none", "N/A", "000"])
def test_placeholder_for_an_id_beside_a_number_names_no_parcel(type_, text):
    body = {"shop_slug": "qa", "id": "1", "tracking_number": ONE, "external_shipment_id": text}

    command = taken(type_, body)

    assert warned(command) == [("value_left_out", "/external_shipment_id")]
    assert (command.tracking_number, command.external_shipment_id) == (ONE, None)


@pytest.mark.parametrize("text", ["f1", "ful-a", "A", "10", "gid://shop/Fulfillment/1"])
def test_id_of_a_parcel_may_have_letters_only(text):
    command = taken("order.upsert", _upsert({"tracking_number": ONE, "external_shipment_id": text}))

    assert [each.external_shipment_id for each in command.trackings] == [text]
    assert not command.warnings


def test_refusal_behind_a_list_points_to_its_place_in_the_message():
    desk = Desk()

    decision = desk.send(
        taken("order.upsert", _upsert({"tracking_number": JOINED}, {"tracking_number": "none"}))
    )

    assert decision.pointer == "/trackings/1/tracking_number"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("none", "tracking_number_placeholder"),
        ("n/a", "tracking_number_placeholder"),
        ("0", "tracking_number_placeholder"),
        ("-", "tracking_number_empty"),
        ("N1x, N2x", "tracking_number_list"),
        (f"https://carrier.example/{'x' * 60}", "tracking_number_placeholder"),
    ],
)
@pytest.mark.parametrize("is_bulk", [False, True])
def test_command_line_refuses_what_no_decision_takes(text, reason, is_bulk):
    body = _upsert({"tracking_number": THREE}, {"tracking_number": text})
    place = "/items/0" if is_bulk else ""
    if is_bulk:
        body = {"shop_slug": "qa", "items": [body]}

    (found,) = refusals(
        original("orders.fulfill_bulk" if is_bulk else "order.upsert", body), 0, NOON
    )

    assert found.reason == reason
    assert [each.pointer for each in found.errors] == [f"{place}/trackings/1/tracking_number"]


def _upsert(*trackings):
    return {"shop_slug": "qa", "id": "1", "order": PLACEMENT, "trackings": list(trackings)}
