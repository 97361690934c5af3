"""A replay: which events of a shop are sent to a destination again, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cmp_to_key
from itertools import groupby

from msgspec import Struct


class Selection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which events are sent again: those that meet all that is given."""

    order_id: str | None = None
    since: datetime | None = None
    """Triggered then or later."""
    until: datetime | None = None
    """Triggered before."""
    sequence_from: int | None = None
    sequence_until: int | None = None
    """Included. The sequences are those of each topic."""
    only_failed: bool = False
    """Only events that were given up; what waits is tried at once instead of being added."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said: all events of a shop are never meant by chance."""
        return not (self.order_id or self.since or self.until or self.only_failed) and (
            self.sequence_from is None and self.sequence_until is None
        )

    @property
    def fault(self) -> tuple[str, str] | None:
        """The pointer of a member and the fact, where no event can meet the selection."""
        first, last = self.sequence_from, self.sequence_until
        if self.order_id is None and (first is not None or last is not None):
            return (
                "/sequence_from" if first is not None else "/sequence_until",
                "sequences are those of one order: give order_id or order_number too",
            )
        if first is not None and last is not None and first > last:
            return "/sequence_until", f"no sequence is from {first} to {last}: swap them"
        if self.since and self.until and self.since >= self.until:
            return "/until", "no time is from `from` and before `until`: until must be later"
        return None

    def takes(self, order_id: str, sequence: int, triggered_at: datetime) -> bool:
        """Whether an event is of it; whether it was given up is not looked at."""
        return (
            (self.order_id is None or self.order_id == order_id)
            and (self.since is None or triggered_at >= self.since)
            and (self.until is None or triggered_at < self.until)
            and (self.sequence_from is None or sequence >= self.sequence_from)
            and (self.sequence_until is None or sequence <= self.sequence_until)
        )


class StoredEvent(Struct, frozen=True, gc=False):
    """An event of which the body is kept, and where."""

    event_id: str
    day: int
    order_id: str
    topic: str
    sequence: int
    order_version: int | None
    recorded_at: datetime
    body_bytes: int


def in_order(events: Iterable[StoredEvent]) -> list[StoredEvent]:
    """The events of one order as they are sent: of each topic by sequence.

    Between topics the version of the order decides, where both events have one, else when they were
    taken in.
    """
    by_place = sorted(events, key=lambda each: (each.topic, each.sequence))
    topics = [list(found)[::-1] for _, found in groupby(by_place, key=lambda each: each.topic)]
    ordered = []
    while topics:
        topic = min(topics, key=lambda left: _BY_AGE(left[-1]))
        ordered.append(topic.pop())
        topics = [left for left in topics if left]
    return ordered


def _older_first(one: StoredEvent, other: StoredEvent) -> int:
    mine, its = one.order_version, other.order_version
    if mine is not None and its is not None and mine != its:
        return -1 if mine < its else 1
    if one.recorded_at != other.recorded_at:
        return -1 if one.recorded_at < other.recorded_at else 1
    return 0


_BY_AGE = cmp_to_key(_older_first)
