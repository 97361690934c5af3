"""Gauges of one assigned partition."""

from __future__ import annotations

import contextlib

from aiokafka import TopicPartition

from services.runtime.observability.metrics import Metrics


class PartitionGauges:
    """The gauges of one partition, removed when the partition is lost.

    Otherwise the last value set by a former reader would be exported until its process ends.
    """

    __slots__ = ("_applied_to", "_is_shown", "_labels", "_metrics", "_since_ms")

    def __init__(self, service: str, partition: TopicPartition, metrics: Metrics) -> None:
        self._metrics = metrics
        self._labels = (service, partition.topic, str(partition.partition))
        self._is_shown = False
        self._applied_to: int | None = None
        self._since_ms: int | None = None

    def applied(self, next_offset: int, timestamp_ms: int) -> None:
        """A batch is committed: the offset after it, and the timestamp of its last record."""
        self._applied_to = next_offset
        self._since_ms = timestamp_ms

    def measure(self, end: int, position: int | None, now_ms: int) -> None:
        """Set the lag: `end` is the offset of the next record to come, `position` the stored one.

        The oldest message not applied is no older than the last one that was applied, nor than the
        last measurement without lag. A stopped partition has no position: its lag is measured from
        the last batch.
        """
        reached = self._applied_to if position is None else position
        if reached is None:
            return
        behind = max(0, end - reached)
        if not behind or self._since_ms is None:
            self._since_ms = now_ms
        seconds = max(0, now_ms - self._since_ms) / 1000 if behind else 0
        labels = self._show()
        self._metrics.lag_messages.labels(*labels).set(behind)
        self._metrics.lag_seconds.labels(*labels).set(seconds)

    def set_stopped(self, *, is_stopped: bool) -> None:
        """Show whether the partition is stopped."""
        self._metrics.partition_stopped.labels(*self._show()).set(int(is_stopped))

    def set_fuse(self, fullness: float) -> None:
        """Show how near the circuit breaker is to its limit; it trips above 1."""
        self._metrics.fuse_level.labels(*self._show()).set(fullness)

    def set_bad_sources(self, count: int) -> None:
        """Show how many sources send too many malformed items, each by itself."""
        self._metrics.bad_sources.labels(*self._show()).set(count)

    def remove(self) -> None:
        """Export nothing of the partition any more: another process reads it."""
        if not self._is_shown:
            return
        self._is_shown = False
        for gauge in (
            self._metrics.lag_messages,
            self._metrics.lag_seconds,
            self._metrics.partition_stopped,
            self._metrics.fuse_level,
            self._metrics.bad_sources,
        ):
            with contextlib.suppress(KeyError):
                gauge.remove(*self._labels)

    def _show(self) -> tuple[str, str, str]:
        if not self._is_shown:
            self._is_shown = True
            self._metrics.partition_stopped.labels(*self._labels).set(0)
        return self._labels
