"""The reckoning of a lap: its length, when its clock runs, what a ceiling packs, what differs."""

import json

import pytest

from bench.assignment import is_stable
from bench.contenders.ceiling_strengthened import pack, unpack
from bench.differences import differences, records_of
from bench.lap_size import JOIN_SECONDS, MARGIN, MOST_BYTES, Pace, items
from bench.race import Traffic
from bench.recorded_effects import Consequence, document_of, owners_of
from bench.stores import Sampled
from demo.journal import Entry

PACE = Pace(seconds=10.0, trial_items=100, most_items=200_000)
ONE_TOPIC = b"\x00\x01\x00\x00\x00\x01\x00\x01t"
NO_TOPIC = b"\x00\x01\x00\x00\x00\x00"


def group(state, *assignments):
    return {"state": state, "members": [{"member_assignment": each} for each in assignments]}


def test_lap_has_messages_for_its_seconds_after_the_first_tenth():
    assert 0.9 * items(1_000.0, 1, Traffic("upserts"), PACE) >= 1_000 * PACE.seconds * MARGIN


def test_lap_has_messages_for_the_joining_of_each_further_replica():
    one, two = (items(1_000.0, count, Traffic("upserts"), PACE) for count in (1, 2))

    assert two >= one + 1_000 * JOIN_SECONDS


def test_lap_is_bounded_by_messages_and_by_bytes():
    assert items(1e6, 1, Traffic("upserts"), PACE) == PACE.most_items
    large = Traffic("upserts", value_bytes=20_000)
    assert items(1e6, 1, large, PACE) == MOST_BYTES // 20_000


@pytest.mark.parametrize(
    ("described", "members", "is_placed"),
    [
        (group("Stable", ONE_TOPIC), 1, True),
        (group("Stable", ONE_TOPIC, ONE_TOPIC), 2, True),
        (group("Stable", ONE_TOPIC), 2, False),
        (group("Stable", ONE_TOPIC, NO_TOPIC), 2, False),
        (group("Stable", ONE_TOPIC, b""), 2, False),
        (group("CompletingRebalance", ONE_TOPIC), 1, False),
        (group("Dead"), 1, False),
    ],
)
def test_clock_starts_when_every_replica_has_partitions(described, members, is_placed):
    assert is_stable(described, members) is is_placed


def test_packed_records_of_the_strengthened_ceiling_unpack_unchanged():
    records = [
        ("orders.events", b"key", b'{"a": 1}', [("ce_id", b"1"), ("ce_type", b"order.placed")]),
        ("orders.outcomes", b"", b"x" * 100_000, [("ce_id", b"2")]),
    ]
    consequences = [
        Consequence(records=records[:1]),
        Consequence(),
        Consequence(records=records[1:]),
    ]

    packed = pack(consequences)

    assert list(unpack(packed)) == records
    assert len(packed) < 1_000
    assert pack([Consequence()]) == b""


def entry(body, *, cause="1", topic="orders.events", **headers):
    headers = {"ce_causationid": cause, **headers}
    return Entry(topic, 0, 0, "key", json.dumps(body).encode(), headers)


def test_records_have_sizes_and_field_names():
    events = [
        entry({"order": {"id": "1", "note": None, "products": [{"sku": "a"}, {"sku": "b"}]}}),
        entry({"order": {"id": "2", "note": "", "products": []}}, cause="2"),
        entry({"other": 1}, cause="another's"),
        entry({"outcome": "applied"}, topic="orders.outcomes"),
    ]

    found = records_of("ours", {"1", "2"}, events)

    assert found.records == {"orders.events": 1.0, "orders.outcomes": 0.5}
    assert found.fields == ["order.id", "order.products[].sku"]
    assert found.empty_fields == 1.5
    assert found.header_bytes["orders.events"] == len("ce_causationid") + 1


def test_differences_list_missing_and_additional_fields():
    ours = records_of(
        "ours", {"1"}, [entry({"a": 1, "b": {"c": 1, "d": 2}, "e": {"f": 1, "g": 1}})]
    )
    theirs = records_of("theirs", {"1"}, [entry({"a": 1, "e": {"f": 1}, "h": 1}, extra="x")])

    assert differences(ours, ours) == []
    assert differences(ours, theirs) == [
        "lacks fields of events: b (2 fields), e.g",
        "has other fields of events: h",
        "has other headers on orders.events: extra",
    ]


@pytest.mark.parametrize("as_stored", [str, str.encode])
def test_stored_documents_are_read_as_text_and_as_bytes(as_stored):
    document = as_stored(json.dumps({"owners": [{"order_id": "1"}, {"order_id": "1"}]}))

    assert document_of({"document": document}) == json.dumps(json.loads(document)).encode()
    assert owners_of({"document": document}) == ["1"]
    assert owners_of({"document": document, "owners": ["2", "3"]}) == ["2", "3"]


@pytest.mark.parametrize("as_stored", [str, str.encode])
def test_copied_order_has_separate_names_in_columns_and_documents(as_stored):
    order = {
        "order_id": "id-1", "shop": "s", "order_number": "N1",
        "document": as_stored("id-1 N1 P1"),
    }  # fmt: skip
    parcel = {"number": "P1", "document": as_stored("P1 of id-1"), "owners": ["id-1"]}

    copied, copied_parcel = Sampled(order, parcel).copy(7)

    id_, shop, number, document = copied
    assert (shop, number) == ("stored", "N1-7")
    assert document == as_stored(f"{id_} N1-7 P1X7")
    assert copied_parcel == ("P1X7", as_stored(f"P1X7 of {id_}"), [id_])
