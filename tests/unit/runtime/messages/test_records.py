"""Envelopes and item ids: what makes two deliveries the same item."""

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
def test_binary_and_structured_mode_say_the_same(original):
    message = read_message(original)

    envelope = message.envelope
    assert (envelope.type, envelope.id, envelope.source) == ("order.place", "7", "s")
    assert message.body == {}


def test_a_type_may_stand_in_the_body_alone():
    assert read_message(an_original(b'{"type":"order.place"}')).envelope.type == "order.place"


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "ce_source", "traceparent"])
def test_a_header_we_read_must_be_text(name):
    with pytest.raises(Malformed) as refused:
        read_message(an_original(headers=[(name, b"\xff\xfe")]))

    assert refused.value.reason == "header_not_utf8"
    assert refused.value.errors[0].pointer == f"/headers/{name}"


def test_headers_of_others_may_hold_anything():
    assert read_message(an_original(headers=[("x-trace-bin", b"\xff")])).body == {}


def test_source_and_id_name_an_item_wherever_it_lies():
    headers = [("ce_id", b"7"), ("ce_source", b"s")]
    elsewhere = Coordinates("orders.commands", 0, 1)

    assert the_id(an_original(headers=headers)) == the_id(
        an_original(headers=headers, at=elsewhere)
    )


def test_the_same_id_from_another_source_is_another_item():
    one, other = ([("ce_id", b"7"), ("ce_source", source)] for source in (b"s", b"t"))

    assert the_id(an_original(headers=one)) != the_id(an_original(headers=other))


def test_an_id_without_a_source_counts_within_its_key():
    headers = [("ce_id", b"7")]

    one, other = an_original(headers=headers), an_original(headers=headers, key=b"shop/2")

    assert the_id(one) != the_id(other)


def test_without_an_id_the_place_is_the_id():
    elsewhere = Coordinates("orders.commands", 3, 43)

    assert the_id(an_original()) == the_id(an_original())
    assert the_id(an_original()) != the_id(an_original(at=elsewhere))


def test_each_item_of_a_message_has_its_own_id():
    assert the_id(an_original(), 0) != the_id(an_original(), 1)


@pytest.mark.parametrize(
    ("timestamp", "year"), [(-1, 1970), (0, 1970), (1_772_000_000_000_000, 9999), (2**63 - 1, 9999)]
)
def test_a_timestamp_in_other_units_is_no_reason_to_stop(timestamp, year):
    record = SimpleNamespace(
        partition=0, offset=1, key=None, value=b"{}", headers=[("a", None)], timestamp=timestamp
    )

    original = original_of(record, "orders.commands")

    assert original.timestamp.year == year
    assert original.headers == (("a", b""),)
