"""A batch as the services apply it, and what it reports back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.runtime.batch.items import (
    Dismissal,
    Failure,
    ItemRef,
    Kind,
    Parked,
    QueuePosition,
    RetryResult,
)
from services.runtime.batch.position_step import Step
from services.runtime.messages.records import Original
from services.runtime.postgres.connections import Connection


@dataclass(slots=True)
class Tally:
    """One partition's share of a batch."""

    decided: int = 0
    """Items that ended or wait, malformed ones included."""
    parked: int = 0
    """Items parked by their own failure, never those behind another one."""
    malformed: Counter[str] = field(default_factory=Counter)
    """By `ce_source`; empty where the record names none."""


@dataclass(slots=True)
class BatchReport:
    """What `apply` tells of a batch, item by item; true once it is committed."""

    heard: list[ItemRef] = field(default_factory=list)
    """Items whose decision was begun, in that order."""
    parked: list[tuple[ItemRef, Kind]] = field(default_factory=list)
    malformed: list[tuple[ItemRef, str]] = field(default_factory=list)
    """Items that could not be read, each with its `ce_source`."""
    settled: list[RetryResult] = field(default_factory=list)
    """What became of `Batch.retried`."""

    def tallies(self) -> dict[tuple[str, int], Tally]:
        """Counts by topic (the catalogue's name) and partition."""
        found: dict[tuple[str, int], Tally] = {}

        def of(slot: ItemRef) -> Tally:
            return found.setdefault((slot.at.topic, slot.at.partition), Tally())

        failed = {slot for slot, kind in self.parked if kind is not Kind.BEHIND}
        for slot in self.heard:
            of(slot).decided += slot not in failed
        for slot in failed:
            of(slot).parked += 1
        for slot, source in self.malformed:
            tally = of(slot)
            tally.decided += 1
            tally.malformed[source] += 1
        return found


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for one transaction, each partition's in offset order; `now` is business time.

    Their topics are the catalogue's names, without the installation's prefix.
    """

    records: tuple[Original, ...]
    now: datetime
    doomed: Mapping[ItemRef, Failure] = field(default_factory=dict)
    """Items known to fail: parked with these failures instead of being decided."""
    retried: tuple[Parked, ...] = ()
    """Parked items to decide again, before the records and in the order of the queue."""
    dismissed: Mapping[QueuePosition, Dismissal] = field(default_factory=dict)
    """Those of `retried` that an operator ends: refused without a decision."""
    heard_max: int | None = None
    """A trial: go only so far, and tell nobody. It is rolled back."""
    report: BatchReport = field(default_factory=BatchReport, compare=False)
    step: Step | None = field(default=None, compare=False)
    """Where the batch ends; None in a trial, and where nothing came from Kafka. `Outbox.append`
    stores it with the batch's records; the consumer does where it was not."""

    @property
    def caused_at(self) -> datetime | None:
        """When Kafka took the oldest of the records; None where nothing came from Kafka."""
        return min((record.timestamp for record in self.records), default=None)

    @property
    def is_trial(self) -> bool:
        """Whether it is only to see what fails."""
        return self.heard_max is not None


ApplyBatch = Callable[[Connection, Batch], Awaitable[None]]
