"""CloudEvents over HTTP, read as commands: what is taken, what is refused with which pointer."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.example_files import load_examples
from schemas.topics import CLAIMS_COMMANDS
from services.claims import intake as claims_intake
from services.gateway.messages.cloud_events import EVENTS_MAX, media_type, read_events
from services.gateway.messages.commands import TYPES, CommandReader
from services.gateway.refusal import Refused
from services.orders import intake
from services.runtime.batch.items import WHOLE
from services.runtime.incoming import unpublished

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BINARY, STRUCTURED, BATCH = (
    "application/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
)
PLACE = {
    "shop_slug": "demo-shop",
    "order": {"order_number": "1001", "address": {"zip_code": "10115"}},
}
HEAD = {"ce-id": "c1", "ce-type": "order.place"}
EVENT = {"id": "c1", "type": "order.place", "data": PLACE}


def take(media, body, headers=None, shop="demo-shop"):
    found = read_events(media, list((headers or {}).items()), body)
    return CommandReader(shop, f"/shops/{shop}", None, NOW).read(*found)


def refusal(media, body, headers=None):
    with pytest.raises(Refused) as refused:
        take(media, body, headers)
    return refused.value


@pytest.mark.parametrize(
    ("kind", "topic"),
    [("destination.upsert", "deliveries.commands"), ("tracking.reported", "carrier.tracking")],
)
def test_command_of_another_topic_is_refused_with_its_topic(kind, topic):
    (error,) = refusal(BINARY, json.dumps(PLACE).encode(), {**HEAD, "ce-type": kind}).errors

    assert error.pointer == "/headers/ce-type"
    assert error.message == f"{kind} is not taken at this address: its topic is {topic}"


def status_of(media, body):
    """The status of an answer."""
    try:
        take(media, body, HEAD)
    except Refused as refused:
        return refused.status
    return 202


def pointers(refused):
    return [each.pointer for each in refused.errors]


def dumped(value):
    return json.dumps(value).encode()


def test_command_of_each_mode_is_the_same_record_with_the_bytes_that_were_sent():
    data = (
        b'{"shop_slug": "demo-shop",  "order": {"order_number": "1001", "total_order_price": 1.50,'
        b' "address": {"zip_code": "10115"}}}'
    )
    event = b'{"type": "order.place", "id": "c1", "data":' + data + b"}"

    (binary,) = take(BINARY, data, HEAD)
    (structured,) = take(STRUCTURED, event)
    (first, second) = take(BATCH, b"[" + event + b"," + event + b"]")

    def without_trace(record):
        return [header for header in record.headers if header[0] != "traceparent"]

    for each in (binary, structured, first, second):
        assert (each.topic, each.key, each.value, each.id) == (
            "orders.commands", b"demo-shop/1001", data, "c1"
        )  # fmt: skip
        assert without_trace(each) == without_trace(binary)
    headers = dict(binary.headers)
    assert headers["ce_source"] == b"/shops/demo-shop"
    assert headers["ce_type"] == b"order.place"
    assert headers["content-type"] == b"application/json"
    assert headers["ce_time"] == b"2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    "example",
    [each for each in load_examples() if each.type in TYPES],
    ids=lambda each: f"{each.type}.{each.case}",
)
def test_examples_of_the_contract_are_taken_as_their_service_takes_them(example):
    event = {"id": "c1", "type": example.type, "partitionkey": example.key, "data": example.value}
    shop = example.value["shop_slug"]
    value = dumped(example.value)
    original = unpublished(example.topic, example.key, tuple(example.kafka_headers()), value, NOW)
    service = claims_intake if example.topic == CLAIMS_COMMANDS else intake
    refused = [each for found in service.refusals(original, WHOLE, NOW) for each in found.errors]

    if refused:
        found = refusal(STRUCTURED, dumped(event))
        assert pointers(found) == [f"/data{each.pointer}" for each in refused]
        return
    (record,) = take(STRUCTURED, dumped(event), shop=shop)

    assert record.topic == example.topic
    assert record.key.decode() == example.key


def test_key_of_another_shop_is_422():
    refused = refusal(STRUCTURED, dumped({**EVENT, "partitionkey": "other-shop/1"}))

    assert (refused.status, pointers(refused)) == (422, ["/partitionkey"])


def test_attributes_are_handed_on():
    headers = {
        **HEAD,
        "ce-specversion": "1.0",
        "ce-source": "/shops/demo-shop",
        "ce-time": "2026-02-03T04:05:06Z",
        "ce-subject": "K%C3%B6ln%20%251",
        "ce-myextension": "7",
        "ce-traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    }

    (record,) = take(BINARY, dumped(PLACE), headers)

    found = dict(record.headers)
    assert found["ce_time"] == b"2026-02-03T04:05:06Z"
    assert found["ce_subject"].decode() == "Köln %1"
    assert found["ce_myextension"] == b"7"
    assert found["traceparent"] == f"00-{'a' * 32}-{'b' * 16}-01".encode()


WRONG_SHOP = {**PLACE, "shop_slug": "other-shop"}


@pytest.mark.parametrize(
    ("event", "reason", "pointer"),
    [
        ({**EVENT, "data": WRONG_SHOP}, "wrong_shop", "/data/shop_slug"),
        ({**EVENT, "source": "/shops/other-shop"}, "source_not_allowed", "/source"),
    ],
)
def test_command_of_another_shop_or_source_is_403(event, reason, pointer):
    for media, body, at in (
        (STRUCTURED, event, ""),
        (BATCH, [EVENT, event], "/1"),
    ):
        refused = refusal(media, dumped(body))
        assert (refused.status, refused.reason) == (403, reason)
        assert pointers(refused) == [at + pointer]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"id": None}, "/id"),
        ({"id": ""}, "/id"),
        ({"type": None}, "/type"),
        ({"type": "order.explode"}, "/type"),
        ({"type": "tracking.reported"}, "/type"),
        ({"id": "x" * 300}, "/id"),
        ({"id": "a\nb"}, "/id"),
        ({"id": {"a": 1}}, "/id"),
        ({"subject": "\x00"}, "/subject"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"datacontenttype": "text/plain"}, "/datacontenttype"),
        ({"Bad-Name": "x"}, "/Bad-Name"),
        ({"data": 7}, "/data"),
        ({"data": None}, "/data"),
        ({"data": {"shop_slug": "demo-shop"}}, "/data/order"),
        ({"data": {**PLACE, "order": {"order_number": 7.5}}}, "/data/order/order_number"),
        ({"data_base64": "e30="}, "/data_base64"),
    ],
)
def test_event_that_is_wrong_is_422_with_its_pointer_and_nothing_of_a_batch_is_taken(
    change, pointer
):
    event = {name: value for name, value in {**EVENT, **change}.items()
             if value is not None or name == "data"}  # fmt: skip

    for media, body, at in (
        (STRUCTURED, event, ""),
        (BATCH, [EVENT, event, event], ("/1", "/2")),
    ):
        refused = refusal(media, dumped(body))
        assert refused.status == 422
        expected = [pointer] if at == "" else [place + pointer for place in at]
        assert [each for each in pointers(refused) if each in expected] == expected


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("plain", "plain"),
        ("%C3%A9", "é"),
        ("%c3%a9", "é"),
        ("100%", "100%"),
        ('"in quotes"', "in quotes"),
        (r'"a \"b\" \\ c"', r'a "b" \ c'),
        ('before "within" after', "before within after"),
        ('"caf%C3%A9"', "café"),
        ('open "', 'open "'),
        ("é".encode().decode("latin-1"), "é"),
    ],
)
def test_header_is_unquoted_and_percent_decoded(said, meant):
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
    section 3.1.3.2; senders of UTF-8 as it is are understood as well.
    """
    (record,) = take(BINARY, dumped(PLACE), {**HEAD, "ce-id": said})

    assert record.id == meant


def test_header_of_another_encoding_is_422():
    assert pointers(refusal(BINARY, dumped(PLACE), {**HEAD, "ce-id": "caf\xe9"})) == [
        "/headers/ce-id"
    ]


@pytest.mark.parametrize("media", [BINARY, STRUCTURED, BATCH])
def test_body_may_begin_with_a_byte_order_mark(media):
    body = {BINARY: PLACE, STRUCTURED: EVENT, BATCH: [EVENT]}[media]

    (record,) = take(media, b"\xef\xbb\xbf" + dumped(body), HEAD if media == BINARY else {})

    assert record.key == b"demo-shop/1001"


@pytest.mark.parametrize(
    ("media", "body", "pointer"),
    [
        (STRUCTURED, b'{"id": "1", "id": "2", "type": "order.place", "data": {}}', "/id"),
        (STRUCTURED, b'{"id": "1", "type": "order.place", "data": {}, "data": {}}', "/data"),
        (STRUCTURED, b'{"id": "1", "type": "order.place", "data": {"a": {"b": NaN}}}', "/data/a/b"),
        (STRUCTURED, b'{"id": "\\ud800", "type": "order.place", "data": {}}', "/id"),
        (BATCH, b'[{}, {"id": "1", "type": "x", "data": {"a": 1, "a": 2}}]', "/1/data/a"),
    ],
)
def test_json_that_is_not_strict_is_422_with_its_pointer(media, body, pointer):
    refused = refusal(media, body)

    assert (refused.status, pointers(refused)) == (422, [pointer])


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        ({"ce-type": "order.place"}, "/headers/ce-id"),
        ({"ce-id": "c1"}, "/headers/ce-type"),
        ({**HEAD, "ce-id": "%FF"}, "/headers/ce-id"),
        ({**HEAD, "ce-id": "a%0Ab"}, "/headers/ce-id"),
        ({**HEAD, "ce-id": "a%00b"}, "/headers/ce-id"),
        ({**HEAD, "ce-Bad_Name": "x"}, "/headers/ce-Bad_Name"),
    ],
)
def test_header_that_is_wrong_is_422_with_its_name(headers, pointer):
    refused = refusal(BINARY, dumped(PLACE), headers)

    assert refused.status == 422
    assert pointer in pointers(refused)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (BINARY, b""),
        (BINARY, b"{"),
        (BINARY, b"\xff"),
        (BINARY, b"null"),
        (BINARY, b"[]"),
        (BINARY, b'{"shop_slug": "demo-shop", "shop_slug": "demo-shop"}'),
        (BINARY, b"[" * 100_000),
        (STRUCTURED, b""),
        (STRUCTURED, b"[]"),
        (STRUCTURED, b"{}"),
        (STRUCTURED, b'{"id":"c","type":"order.place","data":{"a":NaN}}'),
        (STRUCTURED, b'{"id":"c","type":"order.place","data":' + b"[" * 100_000),
        (STRUCTURED, b'{"id":"\xff","type":"order.place","data":{}}'),
        (BATCH, b"[]"),
        (BATCH, b"{}"),
        (BATCH, b"[1]"),
        (BATCH, b"[" + b"{}," * EVENTS_MAX + b"{}]"),
    ],
)
def test_body_that_is_no_command_is_422(media, body):
    refused = refusal(media, body, HEAD)

    assert refused.status == 422
    assert refused.errors


@pytest.mark.parametrize(
    "said",
    ["", "text/plain", "application/xml", "application/json; charset=latin-1",
     "application/cloudevents", "application/cloudevents+avro"],
)  # fmt: skip
def test_media_type_of_no_command_is_415(said):
    with pytest.raises(Refused) as refused:
        media_type(said)

    assert refused.value.status == 415


@pytest.mark.parametrize(
    "said",
    [BINARY, "Application/JSON; charset=UTF-8", f"{STRUCTURED}; charset=utf-8", BATCH],
)
def test_media_type_of_commands_is_taken(said):
    assert media_type(said) == said.partition(";")[0].lower()


@given(st.binary(max_size=200), st.sampled_from((BINARY, STRUCTURED, BATCH)))
def test_any_bytes_are_refused_or_taken_and_raise_nothing_else(body, media):
    assert status_of(media, body) in (202, 403, 422)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "type", "data", "source", "shop_slug", "order", "x"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_refused_or_taken_and_raises_nothing_else(value):
    for media in (BINARY, STRUCTURED, BATCH):
        assert status_of(media, dumped(value)) in (202, 403, 422)


def test_what_is_taken_is_what_the_service_takes():
    (record,) = take(BINARY, dumped(PLACE), HEAD)
    original = unpublished(record.topic, record.key.decode(), record.headers, record.value, NOW)

    assert intake.refusals(original, WHOLE, NOW) == []
