"""Count the records a service has not read; transaction markers are not records."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options

LOOK_MS = 200
LOOK_SECONDS = 10.0


async def count_unread(
    settings: Settings, positions: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Offsets between each position and the end of committed records; 0 if no record is left.

    A transaction marker after the last record takes an offset that no consumer can read.
    Partitions that Kafka does not have are left out.
    """
    consumer = AIOKafkaConsumer(
        **client_options(settings), enable_auto_commit=False, isolation_level="read_committed"
    )
    await consumer.start()
    try:
        present = await consumer.topics()
        there = [p for p in positions if p.topic in present]
        first = await consumer.beginning_offsets(there)
        ends = await consumer.end_offsets(there)
        short = {p: positions[p] for p in there if first[p] <= positions[p] < ends[p]}
        empty = await _without_records(consumer, short, ends)
        return {p: 0 if p in empty else max(0, ends[p] - positions[p]) for p in there}
    finally:
        await consumer.stop()


async def _without_records(
    consumer: AIOKafkaConsumer,
    positions: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> set[TopicPartition]:
    """The partitions in which a reader comes from its position to the end and gets nothing."""
    consumer.assign(list(positions))
    for partition, offset in positions.items():
        consumer.seek(partition, offset)
    left, empty = set(positions), set[TopicPartition]()
    deadline = asyncio.get_running_loop().time() + LOOK_SECONDS
    while left and asyncio.get_running_loop().time() < deadline:
        found = await consumer.getmany(*left, timeout_ms=LOOK_MS, max_records=len(left))
        left -= {partition for partition, records in found.items() if records}
        empty |= {p for p in left if await consumer.position(p) >= ends[p]}
        left -= empty
    return empty
