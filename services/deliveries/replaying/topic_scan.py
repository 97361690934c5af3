"""Topic scan: events of one shop, read from topics outside any consumer group.

Records come in the order of their times, those of a partition in their own order. The scan ends
where this service has read to: what comes later is matched when it is read. Where the event topics
begin too late, states of orders (orders.state) stand for the events that are gone. A scan takes at
most half of the time of a processor, since a sender runs in the same process.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.envelope import CE_TYPE
from schemas.topics import ORDERS_STATE
from services.deliveries.domain.replay import Selection
from services.deliveries.messages.decode import ReplayedHead, last_sequences, read_replayed
from services.deliveries.replaying.places import find_places
from services.deliveries.replaying.stored import Cursor, Offsets, ReadEvent
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options
from services.runtime.messages.headers import headers_by_name

POLL_MS = 500
FETCH_MAX_BYTES = 256 * 1024
BATCH_EVENTS, BATCH_BYTES, BATCH_RECORDS = 500, 4 * 1024 * 1024, 20_000
ORDER_EVENTS_MAX = 20_000
"""Events of one order are added together, up to so many."""
TURN_RECORDS = 100


@dataclass(slots=True)
class Batch:
    """What was found, and where the scan goes on."""

    events: list[ReadEvent] = field(default_factory=list)
    offsets: Offsets = field(default_factory=dict)
    is_last: bool = False
    begins_at: datetime | None = None
    """The topics begin then, and the selection before: older events are there no more."""
    body_bytes: int = 0
    records: int = 0

    def is_full(self, *, is_order: bool) -> bool:
        """Whether it is to be handed over."""
        if is_order:
            return len(self.events) >= ORDER_EVENTS_MAX
        return (
            len(self.events) >= BATCH_EVENTS
            or self.body_bytes >= BATCH_BYTES
            or self.records >= BATCH_RECORDS
        )


def read_record(record: ConsumerRecord, settings: Settings) -> ReadEvent:
    """An event in a record, with its bytes as a batch keeps them.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: the record is no event of the contract.
    """
    value = record.value or b""
    type_ = next((each for name, each in record.headers if name == CE_TYPE), b"").decode()
    head = read_replayed(value, type_)
    topic = record.topic.removeprefix(settings.kafka_topic_prefix)
    return ReadEvent(head, topic, type_, headers_by_name(record.headers), value)


class TopicScan:
    """Reads events in a task, a batch ahead of what was taken."""

    def __init__(
        self, settings: Settings, replay_id: str, shop: str, selection: Selection, cursor: Cursor
    ) -> None:
        self.replay_id = replay_id
        self._settings = settings
        self._shop = shop
        self._marker = shop.encode()
        self._selection = selection
        self._cursor = cursor
        self._offsets: Offsets = {}
        self._begins_at: datetime | None = None
        self._first: dict[str, int] = {}
        """The first sequence of each topic, where one order is read."""
        self._batches: asyncio.Queue[Batch] = asyncio.Queue(maxsize=1)
        self._task = asyncio.create_task(self._run())

    def take(self) -> Batch | None:
        """The next batch; None while it is read.

        Raises:
            Exception: the scan ended early, as where Kafka does not answer.
        """
        if self._batches.empty() and self._task.done():
            self._task.result()
        return None if self._batches.empty() else self._batches.get_nowait()

    async def close(self) -> None:
        """End the scan."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        consumer = AIOKafkaConsumer(
            **client_options(self._settings),
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_MAX_BYTES,
        )
        await consumer.start()
        try:
            await self._scan(consumer)
        finally:
            await consumer.stop()

    async def _scan(self, consumer: AIOKafkaConsumer) -> None:
        places = await find_places(consumer, self._settings, self._selection, self._cursor)
        self._begins_at = places.begins_at
        for at, offset in places.starts.items():
            consumer.seek(at, offset)
            self._offsets.setdefault(at.topic, {})[at.partition] = offset
        is_order = self._selection.order_id is not None
        batch, started = Batch(), time.monotonic()
        for ends in (places.states, places.ends):
            async for record in _merged(consumer, ends):
                self._offsets[record.topic][record.partition] = record.offset + 1
                self._add(batch, record)
                if batch.records % TURN_RECORDS == 0:
                    await asyncio.sleep(time.monotonic() - started)
                    started = time.monotonic()
                if batch.is_full(is_order=is_order):
                    await self._hand_over(batch, is_last=False)
                    batch = Batch()
        if is_order:
            batch.events = self._without_needless_states(batch.events)
        await self._hand_over(batch, is_last=True)

    async def _hand_over(self, batch: Batch, *, is_last: bool) -> None:
        batch.offsets = {topic: dict(found) for topic, found in self._offsets.items()}
        batch.is_last, batch.begins_at = is_last, self._begins_at
        await self._batches.put(batch)

    def _add(self, batch: Batch, record: ConsumerRecord) -> None:
        """Add a record if the selection takes it; most records are those of other shops."""
        batch.records += 1
        value = record.value
        if not value or self._marker not in value:
            return
        try:
            read = read_record(record, self._settings)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return  # The service refused it when it read the record.
        if read.head.head.shop == self._shop and self._takes(read.head, read.topic):
            batch.events.append(read)
            batch.body_bytes += len(value)

    def _takes(self, head: ReplayedHead, topic: str) -> bool:
        selection = self._selection
        is_selected = selection.takes(head.order_id, head.sequence, head.triggered_at)
        if selection.order_id is not None:
            if head.order_id == selection.order_id:
                self._first.setdefault(topic, head.sequence)
        elif topic == ORDERS_STATE and self._begins_at:
            return is_selected and head.triggered_at < self._begins_at
        return is_selected

    def _without_needless_states(self, events: list[ReadEvent]) -> list[ReadEvent]:
        """The events of an order, with its newest state if events are gone that it has in it."""
        states = [each for each in events if each.topic == ORDERS_STATE]
        others = [each for each in events if each.topic != ORDERS_STATE]
        if not states:
            return others
        gone = [
            source
            for source, last in last_sequences(states[-1].value).items()
            if last and self._first.get(f"{source}.events", last + 1) > 1
        ]
        return [states[-1], *others] if gone else others


async def _merged(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> AsyncIterator[ConsumerRecord]:
    """The records of all partitions up to their ends, by time."""
    waiting = {at: deque[ConsumerRecord]() for at in ends}
    heads: list[tuple[int, int, TopicPartition]] = []
    """The oldest record of each partition that has one here: time, offset."""
    lacking = set(ends)
    """Partitions of which no record is here, and that have not come to their ends."""
    while True:
        while lacking:
            got = await consumer.getmany(*lacking, timeout_ms=POLL_MS)
            for at in sorted(lacking):
                waiting[at].extend(each for each in got.get(at, ()) if each.offset < ends[at])
                if waiting[at]:
                    heapq.heappush(heads, _place_of(waiting[at][0], at))
                elif await consumer.position(at) < ends[at]:
                    continue
                else:
                    consumer.pause(at)
                lacking.discard(at)
        if not heads:
            return
        *_, at = heapq.heappop(heads)
        yield waiting[at].popleft()
        if waiting[at]:
            heapq.heappush(heads, _place_of(waiting[at][0], at))
        else:
            lacking.add(at)


def _place_of(record: ConsumerRecord, at: TopicPartition) -> tuple[int, int, TopicPartition]:
    return record.timestamp, record.offset, at
