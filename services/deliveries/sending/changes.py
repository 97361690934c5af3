"""Changes: what the results of attempts mean for the stored rows. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import Struct

from services.deliveries.domain.destination import WhenExhausted
from services.deliveries.domain.schedule import CLOSED, Answer, Circuit, Verdict, judge
from services.deliveries.sending.window import MessageGroup, Row

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""When a held group is due."""


class Attempt(Struct, frozen=True):
    """One attempt to deliver a row, and what was answered."""

    row: Row
    answer: Answer
    at: datetime
    milliseconds: int
    text: str = ""
    when_exhausted: WhenExhausted = WhenExhausted.HOLD
    url: str = ""
    """Where it was sent; the destination may have another one by now."""

    @property
    def number(self) -> int:
        """Which attempt of its event it was, from 1."""
        return self.row.failures + 1


class GroupState(Struct, frozen=True):
    """What is stored of a group."""

    shard: int
    attempts: int
    due_at: datetime
    skipped: int


@dataclass(slots=True)
class Changes:
    """What one transaction writes: the results of attempts, and rows that could not begin."""

    ended: list[Row] = field(default_factory=list)
    deferred: list[Row] = field(default_factory=list)
    """Rows that move to the backlog, if they are not of it."""
    groups: dict[MessageGroup, GroupState] = field(default_factory=dict)
    finished: list[MessageGroup] = field(default_factory=list)
    """Groups of rows that left the backlog."""
    circuits: dict[int, Circuit] = field(default_factory=dict)
    attempts: list[tuple[Attempt, Verdict]] = field(default_factory=list)
    gone: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Destinations that answered 410: the URL that did, and what is said of it."""
    hopeless: dict[int, Circuit] = field(default_factory=dict)
    """Destinations to disable."""

    def take(self, attempt: Attempt, circuit: Circuit, random: float) -> bool:
        """Add the result of an attempt; returns whether the group goes on with its next event.

        `circuit` is that of the destination before the attempt.
        """
        row, now = attempt.row, attempt.at
        following = judge(attempt.answer, attempt.number, now, random)
        self.attempts.append((attempt, following.verdict))
        self._move_circuit(attempt, circuit, random)
        match following.verdict:
            case Verdict.DELIVERED:
                self._end(row, now, skipped=0)
                return True
            case Verdict.GONE:
                self.gone[row.destination] = (attempt.url, "the receiver answered 410 Gone")
                self._defer(row, row.failures + 1, now)
            case Verdict.EXHAUSTED if attempt.when_exhausted is WhenExhausted.SKIP:
                self._end(row, now, skipped=row.skipped + 1)
                return True
            case Verdict.EXHAUSTED:
                self._defer(row, row.failures + 1, NEVER)
            case Verdict.RETRY:
                self._defer(row, row.failures + 1, following.due_at or now)
        return False

    def _end(self, row: Row, now: datetime, skipped: int) -> None:
        self.ended.append(row)
        if row.segment is None:
            self.groups[row.group] = GroupState(row.shard, 0, now, skipped)
            self.finished.append(row.group)

    def _defer(self, row: Row, failures: int, due_at: datetime) -> None:
        if row.segment is not None:
            self.deferred.append(row)
        self.groups[row.group] = GroupState(row.shard, failures, due_at, row.skipped)

    def _move_circuit(self, attempt: Attempt, circuit: Circuit, random: float) -> None:
        """An answer that refuses one event says nothing about the others."""
        destination, answer = attempt.row.destination, attempt.answer
        if answer.is_success:
            if circuit != CLOSED:
                self.circuits[destination] = CLOSED
        elif answer.is_outage:
            after = circuit.after_failure(attempt.at, random)
            self.circuits[destination] = after
            if after.is_hopeless(attempt.at):
                self.hopeless[destination] = after

    def __bool__(self) -> bool:
        return bool(self.ended or self.deferred or self.groups or self.attempts)
