"""A batch as the services apply it, the positions after it, and the report that they fill."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.batch.items import (
    Dismissal,
    Failure,
    FailureKind,
    ItemRef,
    Parked,
    QueuePosition,
    RetryResult,
)
from services.runtime.messages.records import Original
from services.runtime.postgres.connections import Connection


@dataclass(slots=True)
class PositionStep:
    """The new positions of a batch's partitions, by the last records applied.

    They are stored once, in the batch's transaction: by the statement that stores the batch's first
    outgoing records, or by a separate statement where there are none.
    """

    group: str
    columns: tuple[list[str], list[int], list[int], list[int], list[int]]
    """Topics, partitions, offsets, timestamps in ms and checksums, pairwise."""
    is_stored: bool = False


NO_STEP = PositionStep("", ([], [], [], [], []))


@dataclass(slots=True)
class ItemCounts:
    """How the items of one batch ended in one partition."""

    decided: int = 0
    """Items that ended or wait, malformed ones included."""
    parked: int = 0
    """Items parked by their own failure, never those behind another one."""
    malformed: dict[str, int] = field(default_factory=dict)
    """Malformed items by `ce_source`; empty text where the record names none."""


@dataclass(slots=True)
class BatchReport:
    """How the items of a batch ended, filled by `apply`; true once the batch is committed."""

    started: list[ItemRef] = field(default_factory=list)
    """Items whose decision was begun, in that order."""
    parked: list[tuple[ItemRef, FailureKind]] = field(default_factory=list)
    malformed: list[tuple[ItemRef, str]] = field(default_factory=list)
    """Items that could not be read, each with its `ce_source`."""
    retry_results: list[RetryResult] = field(default_factory=list)
    """What became of `Batch.retried`."""

    def counts_by_partition(self) -> dict[tuple[str, int], ItemCounts]:
        """How the items ended, by topic (the catalogue's name) and partition."""
        found: dict[tuple[str, int], ItemCounts] = defaultdict(ItemCounts)
        failed = {item for item, kind in self.parked if kind is not FailureKind.BEHIND}
        for item in self.started:
            found[item.at.topic, item.at.partition].decided += item not in failed
        for item in failed:
            found[item.at.topic, item.at.partition].parked += 1
        for item, source in self.malformed:
            counts = found[item.at.topic, item.at.partition]
            counts.decided += 1
            counts.malformed[source] = counts.malformed.get(source, 0) + 1
        return found


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction applies; `now` is business time.

    The records are in offset order within each partition. Their topics are the catalogue's names,
    without the installation's prefix.
    """

    records: tuple[Original, ...]
    now: datetime
    known_failures: Mapping[ItemRef, Failure] = field(default_factory=dict)
    """Items known to fail: parked with these failures instead of being decided."""
    retried: tuple[Parked, ...] = ()
    """Parked items to decide again, before the records and in the order of the queue."""
    dismissed: Mapping[QueuePosition, Dismissal] = field(default_factory=dict)
    """Those of `retried` that an operator ends: rejected without a decision."""
    is_trial: bool = False
    """The batch is applied only to see what fails: the transaction is rolled back."""
    stop_after: int | None = None
    """In a trial: decide only so many items."""
    report: BatchReport = field(default_factory=BatchReport, compare=False)
    step: PositionStep | None = field(default=None, compare=False)
    """The positions after the batch; None in a trial, and where no record is from Kafka.
    `Outbox.append` stores them with the batch's outgoing records; the consumer does where there
    are none."""
    trace: BatchTrace | None = field(default=None, compare=False)
    """None where traces are off, and in a trial."""

    @property
    def caused_at(self) -> datetime | None:
        """When Kafka took the oldest record; None where no record is from Kafka."""
        return min((record.timestamp for record in self.records), default=None)


Prepare = Callable[[Sequence[Original]], Awaitable[None]]
"""What a service does with the records of a batch before its transaction begins, as resolving
names of hosts: locks and positions are held for the work of Postgres alone."""
ApplyBatch = Callable[[Connection, Batch], Awaitable[None]]
