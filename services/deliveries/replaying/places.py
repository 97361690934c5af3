"""Places: which partitions a scan reads, from where and how far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import CLAIMS_EVENTS, ORDERS_EVENTS, ORDERS_STATE, SHIPMENTS_EVENTS
from services.deliveries.domain.replay import Selection
from services.deliveries.replaying.stored import Cursor
from services.runtime.clock import SystemClock
from services.runtime.config.settings import Settings
from services.runtime.kafka.partitioning import partition_of
from services.runtime.kafka.topics import partitions_of, require

EVENT_TOPICS = (ORDERS_EVENTS, SHIPMENTS_EVENTS, CLAIMS_EVENTS)
CLOCK_DIFFERENCE = timedelta(minutes=5)
"""Clocks of brokers and services may differ by so much."""

Offsets = dict[TopicPartition, int]


@dataclass(slots=True)
class Places:
    """Where a scan reads: first offsets and ends of partitions."""

    starts: Offsets
    ends: Offsets
    """Of the event topics: where new events begin, or those that are kept."""
    begins_at: datetime | None
    """The event topics begin then, and the selection before."""
    states: Offsets = field(default_factory=dict)
    """Ends of orders.state, where states of orders are to be read first."""


async def find_places(
    consumer: AIOKafkaConsumer, settings: Settings, selection: Selection, cursor: Cursor
) -> Places:
    """Find the places, and assign the partitions to the consumer.

    Raises:
        TopicError: Kafka lacks one of the event topics.
    """
    await require(settings, EVENT_TOPICS)
    events = [at for name in EVENT_TOPICS for at in await _partitions(settings, selection, name)]
    states = await _partitions(settings, selection, ORDERS_STATE)
    begins: Offsets = await consumer.beginning_offsets([*events, *states])
    starts = await _starts(consumer, settings, selection, {at: begins[at] for at in events})
    places = Places(starts, {}, cursor.begins_at)
    if not cursor.offsets and selection.sequence_from is None and selection.sequence_until is None:
        places.begins_at = await _find_begin(consumer, settings, selection, places, begins)
    consumer.assign([*events, *(states if places.begins_at else ())])
    if places.begins_at:
        places.starts |= {at: begins[at] for at in states}
        places.states = await consumer.end_offsets(states) if states else {}
    for at, first in places.starts.items():
        stored = cursor.offsets.get(at.topic, {}).get(at.partition)
        places.starts[at] = first if stored is None else max(begins[at], stored)
    places.ends = await _ends(consumer, settings, cursor, events)
    return places


async def _partitions(settings: Settings, selection: Selection, name: str) -> list[TopicPartition]:
    """All partitions of a topic, or that of the selected order; none where there is no topic."""
    topic = settings.topic(name)
    numbers = await partitions_of(settings, topic)
    if selection.order_id is not None and numbers:
        return [TopicPartition(topic, partition_of(selection.order_id.encode(), len(numbers)))]
    return [TopicPartition(topic, number) for number in numbers]


async def _starts(
    consumer: AIOKafkaConsumer, settings: Settings, selection: Selection, begins: Offsets
) -> Offsets:
    if selection.since is None or settings.clock_file:
        return dict(begins)  # Business time says nothing of the times of records.
    return await _offsets_at(consumer, begins, selection.since - CLOCK_DIFFERENCE)


async def _find_begin(
    consumer: AIOKafkaConsumer,
    settings: Settings,
    selection: Selection,
    places: Places,
    begins: Offsets,
) -> datetime | None:
    """When the oldest records that are still there were written, if older ones are selected.

    Of several partitions the latest: what is older may be missing.
    """
    counted = {settings.topic(name) for name in (ORDERS_EVENTS, SHIPMENTS_EVENTS)}
    cut = [
        at
        for at, start in places.starts.items()
        if at.topic in counted and begins[at] > 0 and start == begins[at]
    ]
    if not cut:
        return None
    found = await consumer.offsets_for_times(dict.fromkeys(cut, 0))
    now = SystemClock().now()
    begin = max(
        datetime.fromtimestamp(found[at].timestamp / 1000, UTC) if found.get(at) else now
        for at in cut
    )
    return begin if selection.since is None or selection.since < begin else None


async def _ends(
    consumer: AIOKafkaConsumer,
    settings: Settings,
    cursor: Cursor,
    events: list[TopicPartition],
) -> Offsets:
    """Nothing is read of a partition that the service has not read."""
    read = {at: cursor.ends.get(at.topic, {}).get(at.partition, 0) for at in events}
    if settings.clock_file:
        return read
    found = await _offsets_at(consumer, read, cursor.kept_since + CLOCK_DIFFERENCE)
    return {at: min(end, found[at]) for at, end in read.items()}


async def _offsets_at(
    consumer: AIOKafkaConsumer, partitions: Mapping[TopicPartition, int], moment: datetime
) -> Offsets:
    """The first offset at a time of each partition; its end where all records are older."""
    asked = dict.fromkeys(partitions, max(0, int(moment.timestamp() * 1000)))
    ends: Offsets = await consumer.end_offsets(list(partitions))
    found = await consumer.offsets_for_times(asked)
    return {at: found[at].offset if found.get(at) else ends[at] for at in partitions}
