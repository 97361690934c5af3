"""Follow every topic while it is written, committed records only, as any outsider can."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from demo.journal import Entry, entry_of, partitions_of
from schemas.topics import CATALOGUE

Partition = tuple[str, int]
"""Topic by its catalogue name, and partition."""


class Reader:
    """Reads all topics of an installation from their beginning, for as long as it runs."""

    def __init__(
        self, options: Mapping[str, Any], prefix: str, take: Callable[[Entry], None]
    ) -> None:
        self._options = options
        self._prefix = prefix
        self._take = take
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._partitions: list[TopicPartition] = []
        self.ends: dict[Partition, int] = {}
        """One more than the last record seen of each partition."""
        self.changed_at = time.monotonic()

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            **self._options,
        )
        await self._consumer.start()
        topics = [self._prefix + topic.name for topic in CATALOGUE]
        self._partitions = await partitions_of(self._options, topics)
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning(*self._partitions)
        self._task = asyncio.create_task(self._follow(self._consumer), name="campaign.reader")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._consumer:
            await self._consumer.stop()

    async def has_read_all(self) -> bool:
        """Whether everything that can be read now has been; False while the broker is away."""
        assert self._consumer
        if self._task and self._task.done():
            self._task.result()
        try:
            ends = await self._consumer.end_offsets(self._partitions)
            return all([await self._consumer.position(at) >= end for at, end in ends.items()])
        except (KafkaError, OSError):
            return False

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            polled = await consumer.getmany(timeout_ms=200, max_records=2000)
            for at, records in polled.items():
                for record in records:
                    self._take(entry_of(record, self._prefix))
                topic = at.topic.removeprefix(self._prefix)
                self.ends[(topic, at.partition)] = records[-1].offset + 1
                self.changed_at = time.monotonic()
