"""Is the log of a partition still the one that was read? Checks, and the errors they find.

A broker restored from an older disk, or a leader that lagged, can have lost records and taken new
ones at the same offsets; a topic can be deleted and created again. So the id of the topic and a
fingerprint of the last record applied are stored with the position, and compared.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from uuid import UUID

from aiokafka import TopicPartition

from services.runtime.messages.records import ConsumedRecord


@dataclass(frozen=True, slots=True)
class RecordFingerprint:
    """What distinguishes a record from another one at the same offset."""

    offset: int
    timestamp_ms: int
    crc32: int


def fingerprint_of(record: ConsumedRecord) -> RecordFingerprint:
    """The fingerprint of a record, with the CRC-32 of its key and value."""
    crc32 = zlib.crc32(record.value or b"", zlib.crc32(record.key or b""))
    return RecordFingerprint(record.offset, record.timestamp, crc32)


@dataclass(slots=True)
class LogIdentity:
    """Identity of one partition's log: topic id and fingerprint of the last applied record."""

    topic_id: UUID | None = None
    """Kafka's id of the topic at the last seek; None where no broker or row has one."""
    expected: RecordFingerprint | None = None
    """The last record applied, where the partition was sought to it: the next poll begins with it,
    and it is compared and dropped."""
    is_doubted: bool = False
    """Whether the last check of the stall monitor found the position impossible."""

    def take_expected(self) -> RecordFingerprint | None:
        """The expected record, which is expected no more."""
        expected, self.expected = self.expected, None
        return expected


class PositionLost(Exception):
    """Records are missing or are others than they were; the position is not reset by itself."""

    def __init__(self, service: str, partition: TopicPartition, position: int, what: str) -> None:
        topic, number = partition
        super().__init__(
            f"{topic}[{number}]: {what}. Nothing is read from this partition until an operator "
            "decides (docs/runbook.md, 'A position outside its topic'): restore the records, "
            f"then `orderflow partitions resume {topic} {number} --service {service} --why …`; or "
            f"step over them: `orderflow partitions move {topic} {number} --service {service} "
            "--to earliest|latest|OFFSET --why …`"
        )
        self.partition = partition
        self.position = position


class OffsetOutOfRange(PositionLost):
    """The topic no longer has, or does not yet have, the stored position."""

    def __init__(
        self, service: str, partition: TopicPartition, position: int, first: int, end: int
    ) -> None:
        super().__init__(
            service,
            partition,
            position,
            f"stored position {position} is outside the topic's offsets {first}..{end}; records "
            "were lost, or the topic was recreated",
        )


class TopicRecreated(PositionLost):
    """The topic has the stored position, but is another topic of the same name."""

    def __init__(
        self, service: str, partition: TopicPartition, position: int, was: UUID, is_now: UUID
    ) -> None:
        super().__init__(
            service,
            partition,
            position,
            f"the topic was deleted and recreated (its id was {was} and is {is_now}); stored "
            f"position {position} counts records of the old one",
        )


class LogTruncated(PositionLost):
    """The topic has the stored position, but not the records that were applied before it."""

    def __init__(self, service: str, partition: TopicPartition, position: int) -> None:
        super().__init__(
            service,
            partition,
            position,
            f"the record before stored position {position} is not the one that was applied; the "
            "log was truncated and written again",
        )


def check_range(
    service: str,
    partition: TopicPartition,
    position: int,
    log: tuple[int, int],
    *,
    before: int | None = None,
) -> PositionLost | None:
    """Why the position cannot be in a log with this first offset and end; None where it can.

    `before` is the position before the broker was asked, where positions move while it answers:
    the end may be older than `position` then.
    """
    first, end = log
    if first <= position and (position if before is None else before) <= end:
        return None
    return OffsetOutOfRange(service, partition, position, first, end)


def check_topic_id(
    service: str, partition: TopicPartition, position: int, was: UUID | None, is_now: UUID | None
) -> PositionLost | None:
    """Why the position cannot be of this topic; None where the ids agree or one is unknown."""
    if was and is_now and was != is_now:
        return TopicRecreated(service, partition, position, was, is_now)
    return None
