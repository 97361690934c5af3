"""A stored position that means nothing in its topic: what is told of it, and the way out (P8)."""

from __future__ import annotations

from uuid import UUID

from aiokafka import TopicPartition


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


class PositionOutsideTopic(PositionLost):
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


class TopicMadeAnew(PositionLost):
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


class LogWrittenAnew(PositionLost):
    """The topic has the stored position, but not the records that were applied before it."""

    def __init__(self, service: str, partition: TopicPartition, position: int) -> None:
        super().__init__(
            service,
            partition,
            position,
            f"the record before stored position {position} is not the one that was applied; the "
            "log was cut and written anew",
        )
