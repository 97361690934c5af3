"""Cut a poll into batches that one transaction can hold, and a batch into smaller ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from services.runtime.messages.records import ConsumedRecord

Weigh = Callable[[ConsumedRecord], int]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one transaction may hold: bytes of record values, and orders touched by `weigh`."""

    bytes_max: int
    orders_max: int


def by_partition(
    records: Sequence[ConsumedRecord],
) -> dict[TopicPartition, list[ConsumedRecord]]:
    """Records by partition, each partition's in the order of `records`."""
    found: dict[TopicPartition, list[ConsumedRecord]] = {}
    for record in records:
        found.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return found


def chunks(
    records: Sequence[ConsumedRecord], weigh: Weigh, limits: BatchLimits
) -> list[list[ConsumedRecord]]:
    """Batches within the limits, in the order of `records`; a record above a limit is alone."""
    cut: list[list[ConsumedRecord]] = []
    size = weight = 0
    for record in records:
        bytes_, orders = len(record.value or b""), weigh(record)
        over = size + bytes_ > limits.bytes_max or weight + orders > limits.orders_max
        if not cut or over:
            cut.append([])
            size = weight = 0
        cut[-1].append(record)
        size, weight = size + bytes_, weight + orders
    return cut


def split_batch(records: Sequence[ConsumedRecord]) -> list[Sequence[ConsumedRecord]]:
    """Smaller batches: one per partition, or halves of one partition; none of a single record."""
    partitions = by_partition(records)
    if len(partitions) > 1:
        return list(partitions.values())
    half = len(records) // 2
    return [records[:half], records[half:]] if half else []


def one_order(_: Any) -> int:
    """The weight of a record that touches one order."""
    return 1
