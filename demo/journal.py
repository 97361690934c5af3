"""Read topics from their beginning to where they end now, as any outsider can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a topic; `topic` is the catalogue's name, without the installation's prefix."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str] = field(repr=False)

    @property
    def id(self) -> str:
        """The CloudEvents id, or where the record lies."""
        return self.headers.get("ce_id") or f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def body(self) -> Any:
        """The JSON value; raises ValueError when it is none."""
        return orjson.loads(self.value)


def entry_of(record: ConsumerRecord, prefix: str) -> Entry:
    """A record as it is kept; bytes that are not UTF-8 are replaced."""
    return Entry(
        topic=record.topic.removeprefix(prefix),
        partition=record.partition,
        offset=record.offset,
        key=(record.key or b"").decode("utf-8", "replace"),
        value=record.value or b"",
        headers={name: (value or b"").decode("utf-8", "replace") for name, value in record.headers},
    )


def make_reader(options: Mapping[str, Any]) -> AIOKafkaConsumer:
    """A consumer without a group: no position moves, nothing is committed."""
    return AIOKafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        **options,
    )


async def partitions_of(options: Mapping[str, Any], topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of the topics that exist."""
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        described = await admin.describe_topics([name for name in topics if name in existing])
    finally:
        await admin.close()
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]


async def read_all(
    options: Mapping[str, Any], prefix: str, topics: Iterable[str]
) -> dict[str, list[Entry]]:
    """All records of the topics up to their ends now, by topic, each partition in its order."""
    names = list(topics)
    found: dict[str, list[Entry]] = {name: [] for name in names}
    consumer = make_reader(options)
    await consumer.start()
    try:
        partitions = await partitions_of(options, [prefix + name for name in names])
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while not await _has_reached(consumer, ends):
            polled = await consumer.getmany(timeout_ms=200, max_records=5000)
            for records in polled.values():
                for record in records:
                    entry = entry_of(record, prefix)
                    found[entry.topic].append(entry)
    finally:
        await consumer.stop()
    return found


async def _has_reached(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    return all([await consumer.position(at) >= end for at, end in ends.items()])
