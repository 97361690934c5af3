"""JSON lines for `orderflow send`: what is published, and what is refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orderflow.send.prepare import Prepared, prepare

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
PLACED = {"order_number": "1001", "address": {"zip_code": "10115"}}
_DAMAGE = {"reason": "damage", "tracking_number": "1Z999"}


def _line(kind: str, value: dict[str, Any], **members: Any) -> bytes:
    return json.dumps({"type": kind, "value": value, **members}).encode()


def _one(line: bytes) -> Prepared:
    read = prepare([line], NOW)
    assert read.flaws == []
    (message,) = read.messages
    return message


def test_command_gets_its_topic_key_and_headers() -> None:
    message = _one(_line("order.place", {"shop_slug": "demo-shop", "order": PLACED}))

    headers = dict(message.headers)
    assert (message.topic, message.key) == ("orders.commands", "demo-shop/1001")
    assert headers.pop("traceparent").startswith(b"00-")
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": message.id.encode(),
        "ce_source": b"orderflow-send",
        "ce_type": b"order.place",
        "ce_time": b"2026-05-04T09:30:00+00:00",
        "content-type": b"application/json",
    }


def test_line_members_override_derived_ones() -> None:
    value = {"shop_slug": "demo-shop", "id": "1001"}
    message = _one(
        _line(
            "order.cancel",
            value,
            key="elsewhere",
            id="c-1",
            source="/shops/demo",
            time="2026-01-01T00:00:00Z",
            subject="1001",
            headers={"x-batch": "7"},
        )
    )

    headers = dict(message.headers)
    assert (message.key, message.id) == ("elsewhere", "c-1")
    assert headers["ce_source"] == b"/shops/demo"
    assert headers["ce_time"] == b"2026-01-01T00:00:00Z"
    assert headers["ce_subject"] == b"1001"
    assert headers["x-batch"] == b"7"


@pytest.mark.parametrize(
    ("kind", "value", "topic", "key"),
    [
        (
            "order.upsert",
            {"shop_slug": "demo-shop", "id": "x-9", "id_type": "external_id", "order": PLACED},
            "orders.commands",
            "demo-shop/1001",
        ),
        ("order.cancel", {"shop_slug": "s", "id": "7"}, "orders.commands", "s/7"),
        (
            "orders.fulfill_bulk",
            {"shop_slug": "s", "items": [{"id": "1"}, {"id": "2"}]},
            "orders.commands",
            "s",
        ),
        (
            "tracking.reported",
            {
                "carrier_reference": "ups",
                "tracking_number": "1Z999AA1",
                "scans": [{"event_name": "DELIVERED", "occurred_at": "2026-05-04T09:00:00Z"}],
            },
            "carrier.tracking",
            "ups/1Z999AA1",
        ),
    ],
)
def test_key_is_that_of_the_contract(
    kind: str, value: dict[str, Any], topic: str, key: str
) -> None:
    message = _one(_line(kind, value))

    assert (message.topic, message.key) == (topic, key)


def test_bulk_command_counts_its_items() -> None:
    value = {"shop_slug": "s", "items": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}

    assert _one(_line("orders.fulfill_bulk", value)).items == 3


def test_amount_is_published_with_its_original_digits() -> None:
    line = (
        b'{"type":"order.place","value":{"shop_slug":"s","order":{"order_number":"1",'
        b'"address":{"zip_code":"1"},"total_order_price":19.90}}}'
    )

    assert b'"total_order_price":19.90' in _one(line).value


def test_integer_of_more_than_64_bits_is_published_with_its_original_digits() -> None:
    value = {"shop_slug": "s", "id": "1", "more": [{"n": 10**30, "negative": -(10**30)}]}

    assert f'"n":{10**30},"negative":-{10**30}'.encode() in _one(_line("order.cancel", value)).value


@pytest.mark.parametrize(
    ("line", "flaw"),
    [
        (b"nonsense", "line 2: /: "),
        (b"[1]", "line 2: /: a line is an object"),
        (b'{"value": {}}', "line 2: /type: missing"),
        (b'{"type": "order.place"}', "line 2: /value: missing"),
        (_line("order.plac", {}), "line 2: /type: no type 'order.plac'; did you mean order.place?"),
        (_line("order.cancel", {}, colour="red"), "line 2: /colour: unknown"),
        (_line("order.cancel", {}, topic="orders.events"), "line 2: /topic: 'orders.events' is no"),
        (
            _line("order.cancel", {"shop_slug": "s", "id": "1"}, topic="carrier.tracking"),
            "line 2: /type: 'order.cancel' is not known on carrier.tracking; known: ",
        ),
        (_line("order.cancel", {}, topic=["x"]), "line 2: /topic: ['x'] is no topic to send to"),
        (
            _line("order.cancel", {"shop_slug": "s", "id": "1", "more": "x" * 2_000_000}),
            "line 2: /value: takes 2,000,036 bytes; orders.commands takes 1,048,576",
        ),
        (
            _line("order.cancel", {"shop_slug": "s", "id": "1"}, headers={"n": 7}),
            "line 2: /headers: texts by name",
        ),
        (
            _line("order.place", {"shop_slug": "s", "order": {"order_number": "1"}}),
            "line 2: /order/address: ",
        ),
        (
            _line("orders.fulfill_bulk", {"shop_slug": "s", "items": [{"id": "1"}, {}]}),
            "line 2: /items/1/id: ",
        ),
        (
            _line("order.cancel", {"shop_slug": "s", "id": "1"}, id="i" * 300),
            "line 2: /headers/ce_id: at most 256 characters",
        ),
        (
            _line("order.cancel", {"shop_slug": "s", "id": "1"}, key="k" * 2000),
            "line 2: /key: the record's key has more than 1024 bytes",
        ),
        (
            _line("claim.open", {"shop_slug": "s", "id": "1", "reason": "mood"}),
            "line 2: /reason: must be 'damage'",
        ),
        (
            _line("claim.open", {"shop_slug": "s", "id": "1", "id_type": "uuid", **_DAMAGE}),
            "line 2: /id: must be a UUID where id_type is uuid",
        ),
        (
            _line("tracking.reported", {"tracking_number": "1Z999", "scans": [{"code": "PU"}]}),
            "line 2: /scans/0/occurred_at: ",
        ),
    ],
)
def test_bad_line_is_named_with_its_number_and_field(line: bytes, flaw: str) -> None:
    good = _line("order.cancel", {"shop_slug": "s", "id": "1"})

    read = prepare([good, line, b"  \n", good], NOW)

    assert [message.line for message in read.messages] == [1, 4]
    assert read.bad == len(read.flaws) == 1
    assert str(read.flaws[0]).startswith(flaw)


def test_bad_message_can_be_sent_on_purpose() -> None:
    line = _line("order.place", {"shop_slug": "s", "order": {}})

    read = prepare([line], NOW, is_checked=False)

    assert [message.key for message in read.messages] == ["s"]
    assert not read.flaws


def test_unknown_type_can_be_sent_on_purpose_to_a_named_topic() -> None:
    line = _line("order.dance", {"shop_slug": "s"}, topic="orders.commands")

    read = prepare([line], NOW, is_checked=False)

    (message,) = read.messages
    assert (message.topic, message.type) == ("orders.commands", "order.dance")
    assert not read.flaws
