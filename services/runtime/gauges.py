"""What a process tells of each partition: how far behind it is, and whether it is stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from aiokafka import TopicPartition

from services.runtime.telemetry import Metrics


class PartitionGauges:
    """Gauges of the partitions this process has; those it lost are taken back.

    Else the largest value ever shown by a former owner would stand until that process ends.
    """

    def __init__(self, service: str, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self._shown: set[TopicPartition] = set()

    def set_lag(self, partition: TopicPartition, *, messages: int, seconds: float) -> None:
        """Messages not applied yet, and the age in seconds of the oldest of them."""
        labels = self._show(partition)
        self._metrics.lag_messages.labels(*labels).set(messages)
        self._metrics.lag_seconds.labels(*labels).set(seconds)

    def set_stopped(self, partition: TopicPartition) -> None:
        """Nothing is read from the partition any more."""
        self._metrics.partition_stopped.labels(*self._show(partition)).set(1)

    def keep_only(self, partitions: Collection[TopicPartition]) -> None:
        """Take back what was told of other partitions: somebody else has them."""
        gauges = (
            self._metrics.lag_messages,
            self._metrics.lag_seconds,
            self._metrics.partition_stopped,
        )
        for partition in self._shown.difference(partitions):
            for gauge in gauges:
                with contextlib.suppress(KeyError):
                    gauge.remove(*self._labels(partition))
        self._shown.intersection_update(partitions)

    def _show(self, partition: TopicPartition) -> tuple[str, str, str]:
        self._shown.add(partition)
        return self._labels(partition)

    def _labels(self, partition: TopicPartition) -> tuple[str, str, str]:
        return self._service, partition.topic, str(partition.partition)
