"""Read topics from outside, without a consumer group."""

from collections.abc import AsyncIterator
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from orderflow.console.terminal import CommandError

Record: TypeAlias = ConsumerRecord


async def assign_all(
    consumer: AIOKafkaConsumer, *topics: str, from_beginning: bool
) -> dict[TopicPartition, int]:
    """Take every partition of the physical topics; returns where each ended at this moment.

    Raises CommandError when a topic is not there.
    """
    partitions = [each for topic in topics for each in await _partitions(consumer, topic)]
    consumer.assign(partitions)
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    starts = await consumer.beginning_offsets(partitions) if from_beginning else ends
    for partition in partitions:
        consumer.seek(partition, starts[partition])
    return ends


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = consumer.partitions_for_topic(topic) or set()
    if not numbers:
        await consumer._client.force_metadata_update()  # noqa: SLF001 - the first answer may be empty
        numbers = consumer.partitions_for_topic(topic) or set()
    if not numbers:
        raise CommandError(f"there is no topic {topic}: run `orderflow topics create`")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def records(
    consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int] | None
) -> AsyncIterator[Record]:
    """Records as they come, for ever; with `ends` until each partition has reached its end."""
    while ends is None or any([await consumer.position(p) < end for p, end in ends.items()]):
        batches = await consumer.getmany(timeout_ms=500)
        found = [record for batch in batches.values() for record in batch]
        for record in sorted(found, key=lambda record: record.timestamp):
            yield record
