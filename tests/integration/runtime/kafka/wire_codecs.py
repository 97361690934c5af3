"""Reads the codec of record batches as the broker stores them, from the bytes of a fetch."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

# By the low three bits of a batch's attributes (Kafka's message format 2).
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
LENGTH_AT, ATTRIBUTES_AT, COUNT_AT = 8, 21, 57
BEFORE_LENGTH_ENDS = 12
FETCH_BYTES = 8 * 1024 * 1024
READ_UNCOMMITTED = 0


@dataclass(frozen=True, slots=True)
class WireBatch:
    """One record batch: its codec by name, its records, and its bytes with the header."""

    codec: str
    records: int
    size: int


async def fetch_batches(bootstrap_servers: str, topic: str, partitions: int) -> list[WireBatch]:
    """Fetch the batches of a topic's partitions from offset 0, up to 8 MB a partition."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap_servers)
    await client.bootstrap()
    try:
        await client.add_topic(topic)
        found: list[WireBatch] = []
        for partition in range(partitions):
            node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
            wanted = [(topic, [(partition, 0, FETCH_BYTES)])]
            request = FetchRequest(0, 1, FETCH_BYTES, READ_UNCOMMITTED, wanted, rack_id="")
            response = await client.send(node, request)
            ((_, ((_, error, *_, raw),)),) = response.topics
            assert error == 0
            found += _batches(raw)
        return found
    finally:
        await client.close()


def _batches(raw: bytes) -> Iterator[WireBatch]:
    at = 0
    while at + COUNT_AT + 4 <= len(raw):
        (length,) = struct.unpack_from(">i", raw, at + LENGTH_AT)
        (attributes,) = struct.unpack_from(">h", raw, at + ATTRIBUTES_AT)
        (count,) = struct.unpack_from(">i", raw, at + COUNT_AT)
        size = BEFORE_LENGTH_ENDS + length
        yield WireBatch(CODECS[attributes & 7], count, size)
        at += size
