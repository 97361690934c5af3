"""The partition of a key is the one that Kafka's producers choose."""

from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka
from hypothesis import example, given
from hypothesis import strategies as st

from services.runtime.kafka.partitioning import murmur2, partition_of


@given(st.binary(max_size=64))
@example(b"")
@example(b"demo-shop/1001")
def test_murmur2_equals_that_of_aiokafka(data):
    assert murmur2(data) == murmur2_of_aiokafka(data)


@given(st.binary(min_size=1, max_size=64), st.integers(1, 1_000))
def test_partition_of_a_key_equals_the_default_partitioner(key, partitions):
    assert partition_of(key, partitions) == (murmur2_of_aiokafka(key) & 0x7FFFFFFF) % partitions
