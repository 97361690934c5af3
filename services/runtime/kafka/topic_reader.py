"""Read whole topics once, outside any consumer group: for operators' commands."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options
from services.runtime.kafka.topics import TopicError, require

POLL_MS = 500


async def read_to_end(
    settings: Settings, names: Sequence[str], since: datetime | None = None
) -> AsyncGenerator[Sequence[ConsumerRecord], None]:
    """Committed records of topics, a fetch at a time, until the ends that the topics have now.

    `names` are those of the catalogue. `since`: from then on by the records' times; None: from the
    beginning. The records of one partition come in their order.

    Raises:
        TopicError: Kafka lacks one of the topics.
    """
    await require(settings, names)
    topics = [settings.topic(name) for name in names]
    consumer = AIOKafkaConsumer(
        *topics,
        **client_options(settings),
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    await consumer.start()  # Without a group it has all partitions from now on.
    try:
        partitions = [at for topic in topics for at in _partitions(consumer, topic)]
        ends = await consumer.end_offsets(partitions)
        for partition, offset in (await _begins(consumer, partitions, since, ends)).items():
            consumer.seek(partition, offset)
        while any([await consumer.position(at) < end for at, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                yield records
    finally:
        await consumer.stop()


def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise TopicError(f"Kafka has no topic {topic}: run `orderflow topics create`")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def _begins(
    consumer: AIOKafkaConsumer,
    partitions: Sequence[TopicPartition],
    since: datetime | None,
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    if since is None:
        begins: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        return begins
    asked = dict.fromkeys(partitions, int(since.timestamp() * 1000))
    found = await consumer.offsets_for_times(asked)
    return {at: found[at].offset if found.get(at) else ends[at] for at in partitions}
