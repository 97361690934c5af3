"""Records and headers are packed and unpacked without loss, and damaged bytes are detected."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import CloudEvent, write_headers
from schemas.schema_ids import schema_id
from services.runtime.messages.headers import (
    PackedDataUnreadable,
    headers_by_name,
    headers_by_place,
    pack_headers,
    read_headers,
)
from services.runtime.outbox.outbox import Outgoing
from services.runtime.outbox.rows import Columns, pack, unpack

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
HEADERS = st.lists(st.tuples(TEXT, st.binary(max_size=40)), max_size=6)
NUMBER = st.none() | st.integers(0, 2**63)
RECORD = st.builds(
    Outgoing,
    topic=TEXT,
    key=st.binary(max_size=40),
    value=st.binary(max_size=400),
    headers=st.binary(max_size=60),
    shard_by=st.just("k"),
)


def a_record(value: bytes = b"v") -> Outgoing:
    return Outgoing("orders.events", b"k", value, headers_by_name(()), "k")


def whole(columns: Columns) -> list[tuple[str, bytes, bytes, bytes]]:
    return list(zip(columns.topics, columns.keys, columns.headers, columns.values, strict=True))


@given(st.lists(RECORD, max_size=12), st.integers(1, 1500))
def test_pack_keeps_records_and_their_order_within_the_bound(records, bytes_max):
    rows = list(pack(records, bytes_max))

    found = [each for row in rows for each in whole(unpack(*_row(row)))]
    assert found == [(r.topic, r.key, r.headers, r.value) for r in records]
    assert all(row.unpacked_bytes <= bytes_max or row.records == 1 for row in rows)


def _row(packed):
    return packed.value, packed.records, packed.unpacked_bytes


def test_pack_divides_rows_only_where_they_would_be_too_large():
    records = [a_record(bytes(size)) for size in (300, 300, 900, 5_000, 10, 10)]

    rows = list(pack(records, 1_000))

    assert [row.records for row in rows] == [2, 1, 1, 2]


@pytest.mark.parametrize("spoil", [
    lambda row: replace(row, value=b"\7" + row.value[1:]),
    lambda row: replace(row, value=b""),
    lambda row: replace(row, value=row.value[:-3]),
    lambda row: replace(row, value=b"\1no frame"),
    lambda row: replace(row, records=row.records + 1),
    lambda row: replace(row, unpacked_bytes=row.unpacked_bytes + 1),
    lambda row: replace(row, unpacked_bytes=row.unpacked_bytes - 1),
])  # fmt: skip
def test_unpack_rejects_damaged_values_and_unknown_forms(spoil):
    (row,) = pack([a_record(), a_record(b"w" * 99)], 10_000)

    with pytest.raises(PackedDataUnreadable, match=r"damaged|does not know"):
        unpack(*_row(spoil(row)))


@given(HEADERS)
def test_headers_by_name_and_as_json_keep_any_headers(headers):
    assert read_headers(headers_by_name(headers)) == headers
    assert read_headers(pack_headers(headers)) == headers


@given(TEXT, TEXT, TEXT, TEXT, st.none() | TEXT, st.none() | TEXT, st.none() | TEXT, NUMBER, NUMBER)
def test_headers_by_place_are_those_that_the_contract_writes(
    id_, source, type_, time, subject, traceparent, causation_id, sequence, order_version
):
    """Also if a value holds the separator byte; empty attributes are left out."""
    attributes = {
        "id": id_,
        "source": source,
        "type": type_,
        "time": time,
        "subject": subject,
        "traceparent": traceparent,
        "causation_id": causation_id,
        "sequence": sequence,
        "order_version": order_version,
    }

    found = read_headers(headers_by_place(**attributes))

    event = CloudEvent(**attributes, data_schema=schema_id(type_))
    assert found == [each for each in write_headers(event) if each[1]]


@pytest.mark.parametrize("packed", [
    b"", b"\x09", b"\x01one", b"\x01" + b"\0" * 12, b"\x02\0\1", b"\x02\0\1\0\0\0\x09a", b"[",
    b"\x02\0\1\0\0\0\0\xff", b"[1]",
])  # fmt: skip
def test_headers_damaged_are_rejected(packed):
    with pytest.raises(PackedDataUnreadable):
        read_headers(packed)
