"""The last record applied, seen once more before the next: is this still the log that was read?"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from aiokafka import TopicPartition

from services.runtime.messages.records import ConsumedRecord


@dataclass(frozen=True, slots=True)
class RecordFingerprint:
    """What tells one record from another one at its offset."""

    offset: int
    timestamp_ms: int
    crc32: int


def fingerprint_of(record: ConsumedRecord) -> RecordFingerprint:
    """The mark of a record."""
    crc32 = zlib.crc32(record.value or b"", zlib.crc32(record.key or b""))
    return RecordFingerprint(record.offset, record.timestamp, crc32)


class Witnesses:
    """Partitions whose next poll begins with the last record applied, to be looked at and dropped.

    A broker restored from an older disk, or a leader that lagged, can have lost records and taken
    new ones in their place: offsets alone do not tell.
    """

    def __init__(self) -> None:
        self._awaited: dict[TopicPartition, RecordFingerprint] = {}

    def expect(self, partition: TopicPartition, mark: RecordFingerprint) -> None:
        """The partition was sought to this record."""
        self._awaited[partition] = mark

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """They are sought elsewhere now."""
        for partition in partitions:
            self._awaited.pop(partition, None)

    def hear(
        self, records: Sequence[ConsumedRecord]
    ) -> tuple[Sequence[ConsumedRecord], list[TopicPartition]]:
        """The records without the witnesses among them, and the partitions they speak against.

        Where the first record is a later one, the witness is gone by retention or compaction,
        and nothing can be told.
        """
        if not self._awaited:
            return records, []
        rest: list[ConsumedRecord] = []
        against: list[TopicPartition] = []
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            mark = self._awaited.pop(partition, None)
            if mark is None or record.offset != mark.offset:
                rest.append(record)
            elif fingerprint_of(record) != mark:
                against.append(partition)
        return rest, against


class PositionLost(Exception):
    """Records are missing or are others than they were: never reset silently."""

    def __init__(self, service: str, partition: TopicPartition, position: int, what: str) -> None:
        topic, number = partition
        super().__init__(
            f"{topic}[{number}]: {what}. Nothing is read from this partition until an operator "
            "decides (docs/operating.md, 'A position outside its topic'): have the records back, "
            f"then `orderflow partitions resume {topic} {number} --service {service} --why …`; or "
            f"step over them: `orderflow partitions move {topic} {number} --service {service} "
            "--to earliest|latest|OFFSET --why …`"
        )
        self.partition = partition
        self.position = position


class OffsetOutOfRange(PositionLost):
    """The topic no longer, or not yet, has the stored position."""

    def __init__(
        self, service: str, partition: TopicPartition, position: int, first: int, end: int
    ) -> None:
        super().__init__(
            service,
            partition,
            position,
            f"stored position {position} is outside the topic's offsets {first}..{end}; records "
            "were lost or the topic was made anew",
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
            f"the topic was deleted and made anew (its id was {was} and is {is_now}); stored "
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
            "log was cut and written anew",
        )
