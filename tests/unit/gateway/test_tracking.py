"""Tracking as a record: the bytes that were sent, and an id that a repeated request has too."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services import registry
from services.gateway.messages.tracking import tracking_record
from services.orders.messages.carriers.registry import TYPE_OF

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record_of(body, sender="aftership", source="/carriers/aftership", now=NOW, trace=None):
    return tracking_record(
        body,
        sender=sender,
        type_=f"{sender}.tracking",
        source=source,
        content_type="application/json",
        traceparent=trace,
        now=now,
    )


@given(st.binary(min_size=1, max_size=100), st.binary(min_size=1, max_size=100))
def test_record_has_the_bytes_and_an_id_of_source_and_body(body, other):
    record, again = record_of(body), record_of(body, now=NOW + timedelta(days=1))

    assert record.value == body
    assert (record.id, record.key) == (again.id, again.key)
    assert record.key.decode() == f"aftership/{record.id}"
    assert (record_of(other).id == record.id) == (other == body)
    assert record_of(body, source="/carriers/other").id != record.id


def test_record_has_the_senders_trace_where_it_is_valid_and_else_a_new_one():
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    assert dict(record_of(b"x", trace=trace).headers)["traceparent"] == trace.encode()
    for wrong in (None, "", "x", trace + "\n", trace.upper()):
        found = dict(record_of(b"x", trace=wrong).headers)["traceparent"].decode()
        assert found != wrong
        assert len(found) == len(trace)


def test_types_of_senders_are_those_of_the_service_that_reads_tracking():
    entries = [registry.entry_of(name) for name in registry.names()]

    assert [registry.load(each.senders) for each in entries if each.senders] == [TYPE_OF]
    assert TYPE_OF["standard"] == "tracking.reported"
