"""Messages are read in both modes of CloudEvents; item ids recognise repeated deliveries."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from services.runtime.messages.records import (
    Coordinates,
    Malformed,
    Original,
    item_id,
    original_of,
    read_message,
)

AT = Coordinates("orders.commands", 3, 42)


def an_original(value=b"{}", headers=(), key=b"shop/1", at=AT):
    return Original(at, key, tuple(headers), value, datetime(2026, 3, 1, tzinfo=UTC))


def the_id(original, index=0):
    return item_id(original, read_message(original).envelope, index)


@pytest.mark.parametrize(
    "original",
    [
        an_original(headers=[("ce_type", b"order.place"), ("ce_id", b"7"), ("ce_source", b"s")]),
        an_original(b'{"specversion":"1.0","type":"order.place","id":"7","source":"s","data":{}}'),
        an_original(
            b'{"type":"order.place","id":"7","source":"s","data":{}}',
            headers=[("content-type", b"application/cloudevents+json; charset=UTF-8")],
        ),
    ],
)
def test_message_in_binary_and_structured_mode_has_the_same_attributes(original):
    message = read_message(original)

    envelope = message.envelope
    assert (envelope.type, envelope.id, envelope.source) == ("order.place", "7", "s")
    assert message.body == {}


def test_message_type_may_be_in_the_body_alone():
    assert read_message(an_original(b'{"type":"order.place"}')).envelope.type == "order.place"


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_source", "traceparent"])
def test_message_header_that_is_read_must_be_text(name):
    with pytest.raises(Malformed) as refused:
        read_message(an_original(headers=[(name, b"\xff\xfe")]))

    assert refused.value.reason == "header_not_utf8"
    assert refused.value.errors[0].pointer == f"/headers/{name}"


def test_message_header_that_is_not_read_may_hold_any_bytes():
    assert read_message(an_original(headers=[("x-trace-bin", b"\xff")])).body == {}


def test_item_id_with_source_and_id_is_the_same_at_any_coordinates():
    headers = [("ce_id", b"7"), ("ce_source", b"s")]
    elsewhere = Coordinates("orders.commands", 0, 1)

    assert the_id(an_original(headers=headers)) == the_id(
        an_original(headers=headers, at=elsewhere)
    )


def test_item_id_differs_by_source():
    one, other = ([("ce_id", b"7"), ("ce_source", source)] for source in (b"s", b"t"))

    assert the_id(an_original(headers=one)) != the_id(an_original(headers=other))


def test_item_id_without_source_differs_by_key():
    headers = [("ce_id", b"7")]

    one, other = an_original(headers=headers), an_original(headers=headers, key=b"shop/2")

    assert the_id(one) != the_id(other)


def test_item_id_without_id_is_from_the_coordinates():
    elsewhere = Coordinates("orders.commands", 3, 43)

    assert the_id(an_original()) == the_id(an_original())
    assert the_id(an_original()) != the_id(an_original(at=elsewhere))


def test_item_id_differs_by_index():
    assert the_id(an_original(), 0) != the_id(an_original(), 1)


@pytest.mark.parametrize(
    ("timestamp", "year"), [(-1, 1970), (0, 1970), (1_772_000_000_000_000, 9999), (2**63 - 1, 9999)]
)
def test_original_of_a_timestamp_in_other_units_is_bounded(timestamp, year):
    record = SimpleNamespace(
        partition=0, offset=1, key=None, value=b"{}", headers=[("a", None)], timestamp=timestamp
    )

    original = original_of(record, "orders.commands")

    assert original.timestamp.year == year
    assert original.headers == (("a", b""),)
