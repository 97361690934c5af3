"""How a poll is cut into batches within limits of bytes and of orders."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.consumer.chunking import BatchLimits, chunks

LIMITS = BatchLimits(bytes_max=100, orders_max=5)


def a_record(size=10, orders=1):
    return SimpleNamespace(value=b"x" * size, orders=orders)


def cut(records):
    return chunks(records, lambda record: record.orders, LIMITS)


def test_chunks_of_a_poll_within_the_limits_are_one_batch():
    assert len(cut([a_record()] * 5)) == 1


def test_chunks_end_by_bytes_and_by_orders():
    assert [len(batch) for batch in cut([a_record(size=60)] * 3)] == [1, 1, 1]
    assert [len(batch) for batch in cut([a_record(orders=2)] * 5)] == [2, 2, 1]


def test_chunk_of_a_record_above_a_limit_is_that_record():
    batches = cut([a_record(), a_record(orders=1000), a_record()])

    assert [len(batch) for batch in batches] == [1, 1, 1]


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(1, 9))))
def test_chunks_lose_and_move_no_record_and_keep_the_limits(sizes):
    records = [a_record(size, orders) for size, orders in sizes]

    batches = cut(records)

    assert [record for batch in batches for record in batch] == records
    for batch in batches:
        assert len(batch) == 1 or (
            sum(len(record.value) for record in batch) <= LIMITS.bytes_max
            and sum(record.orders for record in batch) <= LIMITS.orders_max
        )
