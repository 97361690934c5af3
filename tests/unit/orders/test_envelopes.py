"""Parcels are found whatever their sender put around them, and whatever it added or left out.

Queues and bridges wrap a payload, or collect several in a list; SDKs leave nulls out, or write
empty texts for them.
"""

import json

import pytest

from services.orders.messages import decode
from services.orders.messages.entries import DecodedItem
from tests.unit.orders.mutations import original_of
from tests.unit.orders.test_carrier_corpus import ANSWERS, AS_OF, TYPES, name_of, payload_of

DIALECTS = (
    "aftership", "aggregator", "bpost", "canadapost", "dpd", "easypost", "fedex", "gls", "hermes",
    "laposte", "postnord", "shipengine", "shippo", "track17", "ups", "upu", "usps",
)  # fmt: skip
PAYLOADS = [
    path
    for path in ANSWERS
    if path.parent.name in DIALECTS and path.with_name(f"{path.name.split('.')[0]}.json").exists()
]


def changed(value, change):
    """A value with each object in it changed."""
    if isinstance(value, dict):
        return change({name: changed(each, change) for name, each in value.items()})
    return [changed(each, change) for each in value] if isinstance(value, list) else value


def without_nulls(members):
    return {name: value for name, value in members.items() if value is not None}


def with_empty_texts(members):
    return {name: "" if value is None else value for name, value in members.items()}


def with_unknown_members(members):
    return {"zz_first": {"a": [1]}, **members, "zz_last": "x"}


ENVELOPES = {
    "a list": lambda body: [body],
    "a member": lambda body: {"payload": body},
    "an event of a bridge": lambda body: {"id": "1", "detail-type": "push", "detail": body},
    "a request": lambda body: {"headers": {"content-type": "application/json"}, "body": body},
    "no nulls": lambda body: changed(body, without_nulls),
    "empty texts": lambda body: changed(body, with_empty_texts),
    "unknown members": lambda body: changed(body, with_unknown_members),
}


def scans_of(path, value):
    sent = (decode.TRACKING, TYPES[path.parent.name], value)
    entries = decode.read(original_of(sent), AS_OF)
    commands = [entry.command for entry in entries if isinstance(entry, DecodedItem)]
    return [(each.tracking_number, each.carrier_reference, each.scans) for each in commands]


@pytest.mark.parametrize("path", PAYLOADS, ids=name_of)
def test_payload_is_read_alike_in_each_envelope(path):
    value = payload_of(path)
    expected = scans_of(path, value)

    for name, envelope in ENVELOPES.items():
        wrapped = json.dumps(envelope(json.loads(value)), ensure_ascii=False).encode()
        assert scans_of(path, wrapped) == expected, name


@pytest.mark.parametrize("path", PAYLOADS, ids=name_of)
def test_several_payloads_in_a_list_are_each_read(path):
    value = payload_of(path)
    twice = b"[" + value + b"," + value + b"]"

    assert scans_of(path, twice) == 2 * scans_of(path, value)
