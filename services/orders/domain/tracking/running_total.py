"""Running total: the state of a set of scans, to which a later scan can be added."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.orders.domain.tracking.notifications import Standing, group_of_scan
from services.orders.domain.tracking.ordering import (
    Cause,
    SetAside,
    is_believed,
    moment_of,
)
from services.orders.domain.tracking.resume_point import RULES, Moment, ResumePoint
from services.orders.domain.tracking.scan import Direction, Precision, Scan
from services.orders.domain.tracking.start import machine_of
from services.orders.domain.tracking.state import TrackingState, is_effective
from services.orders.domain.tracking.state_machine import StateMachine, Trouble

_DAY = timedelta(days=1)


@dataclass(slots=True)
class RunningTotal:
    """The total of the scans so far; mutable, and used within one decision only."""

    machine: StateMachine = field(default_factory=lambda: machine_of(Direction.MERCHANT_CUSTOMER))
    last: Moment | None = None
    last_day: Moment | None = None
    day_line: int = -1
    taken_back: set[tuple[str | None, str]] = field(default_factory=set)
    has_future: bool = False
    """Whether a scan with a future time is set aside; it counts once that time has come."""

    @classmethod
    def resumed(cls, state: TrackingState, trail: ResumePoint) -> RunningTotal:
        """The total at a resume point; `state` is the stored state."""
        machine = StateMachine.resumed(
            Direction.MERCHANT_CUSTOMER,
            state,
            trouble=Trouble(trail.trouble) if trail.trouble else None,
            attempt_at=trail.attempt_at,
            settled_at=trail.settled_at,
            picked_up_at=trail.picked_up_at,
            carriers=set(trail.carriers),
        )
        return cls(
            machine=machine,
            last=trail.last,
            last_day=trail.last_day,
            day_line=trail.day_line,
            taken_back=set(trail.taken_back),
        )

    def trail(self, scans: int, rules: str = RULES) -> ResumePoint | None:
        """The resume point of a parcel with `scans` scans; None where time changes the state.

        `rules` are those of `rules_with` where code maps named one of them.
        """
        if self.has_future:
            return None
        return ResumePoint(
            rules=rules,
            scans=scans,
            trouble=self.machine.trouble,
            attempt_at=self.machine.attempt_at,
            settled_at=self.machine.settled_at,
            picked_up_at=self.machine.picked_up_at,
            carriers=tuple(sorted(self.machine.carriers)),
            last=self.last,
            last_day=self.last_day,
            day_line=self.day_line,
            taken_back=tuple(sorted(self.taken_back, key=repr)),
        )

    def leave(self, aside: Iterable[SetAside]) -> None:
        """Note scans that are set aside: they do not count."""
        self.has_future = any(each.cause is Cause.IN_FUTURE for each in aside)

    def take(self, scan: Scan) -> Standing:
        """Add the scan that is next by time; returns where it stands."""
        machine = self.machine
        effective = is_effective(*machine.add(scan))
        self._note(scan)
        group = group_of_scan(scan, machine.direction)
        return Standing(group, effective, machine.phase, machine.leg, machine.attempts)

    def _note(self, scan: Scan) -> None:
        moment = moment_of(scan)
        if scan.precision is Precision.DAY:
            self.last_day = max(self.last_day or moment, moment)
            self.day_line = max(self.day_line, moment[1])
        else:
            self.last = max(self.last or moment, moment)
        if scan.retracts is not None:
            self.taken_back.add((scan.carrier, scan.retracts))

    def omits(self, scan: Scan, as_of: datetime) -> bool:
        """Whether a new scan does not count and changes nothing about the other scans."""
        if not is_believed(scan, as_of):
            return True
        return scan.retracts is None and self._is_taken_back(scan)

    def is_next(self, scan: Scan, as_of: datetime) -> bool:
        """Whether a new scan counts, is last by time and changes nothing about the other scans.

        Returns False also if this cannot be decided: then the whole set must be sorted again.
        Rules: docs/scan-rules.md.
        """
        if scan.retracts is not None or self.omits(scan, as_of):
            return False
        if self.machine.confirms_pick_up(scan):
            return False
        is_day = scan.precision is Precision.DAY
        return self._is_last_day(scan) if is_day else self._is_last(scan)

    def _is_taken_back(self, scan: Scan) -> bool:
        return scan.scan_id is not None and (scan.carrier, scan.scan_id) in self.taken_back

    def _is_last_day(self, scan: Scan) -> bool:
        """Whether a scan of day precision is last: it is sorted among the scans of its day."""
        moment = moment_of(scan)
        if self.last is not None and self.last[0] >= moment[0]:
            return False
        return self.last_day is None or self.last_day < moment

    def _is_last(self, scan: Scan) -> bool:
        """Whether an exact scan is last: it goes behind a day scan of its day with a lower line."""
        moment = moment_of(scan)
        if self.last is not None and self.last >= moment:
            return False
        if self.last_day is None or moment[0] - self.last_day[0] >= _DAY:
            return True
        return moment[0] >= self.last_day[0] and moment[1] > self.day_line
