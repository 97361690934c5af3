"""Journey: a parcel's set of scans put in order and added up to a state (domain reference, 5).

The state is a pure function of the *set* of scans and of the time up to which they are believed:
shuffling, repeating or delaying scans ends in the same state (P5). So nothing here may look at
when a scan was recorded, or at its place in a message. Rule numbers are those of the reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from services.orders.domain.arrangement import FUTURE_MAX, SetAside, arrange, is_movement, sort_key
from services.orders.domain.catalogue import Phase
from services.orders.domain.course import Course
from services.orders.domain.frozen import Value
from services.orders.domain.scans import Direction, Precision, Scan
from services.orders.domain.step import Step
from services.orders.domain.tracking_state import TrackingState


class Journey(Value, frozen=True):
    """All steps in order of occurrence, and the scans that do not count."""

    start: TrackingState
    steps: tuple[Step, ...]
    aside: tuple[SetAside, ...]

    @property
    def state(self) -> TrackingState:
        """Where it ends."""
        return self.steps[-1].state if self.steps else self.start


def start_of(direction: Direction) -> TrackingState:
    """The state of a shipment with a tracking number and no scan."""
    is_return = direction is Direction.CUSTOMER_MERCHANT
    phase = Phase.RETURN_CREATED if is_return else Phase.ORDER_PROCESSED
    return TrackingState(phase=phase, direction=direction)


def travel(
    scans: Iterable[Scan],
    as_of: datetime,
    direction: Direction = Direction.MERCHANT_CUSTOMER,
) -> Journey:
    """Put scans in order and add them up, believing nothing later than a day after `as_of`."""
    return Replay(scans, as_of, direction).journey()


class Replay:
    """A journey that grows by one scan at a time, and always is that of the set of its scans.

    A scan that comes last of all that count is added to the sum as it stands; for any other the
    whole set is put in order and added up again.
    """

    def __init__(
        self,
        scans: Iterable[Scan],
        as_of: datetime,
        direction: Direction = Direction.MERCHANT_CUSTOMER,
    ) -> None:
        self._scans = list(scans)
        self._as_of = as_of
        self._start = start_of(direction)
        self._steps: list[Step] | None = None  # Nothing is added up before it is asked for.
        self._is_looked_through = self._has_days = self._has_moved = False

    def journey(self) -> Journey:
        """The journey of the scans so far."""
        if self._steps is None:
            self._begin()
        assert self._steps is not None
        return Journey(self._start, tuple(self._steps), tuple(self._aside))

    def add(self, scan: Scan) -> None:
        """Add a scan whose key is new."""
        if self._steps and self._is_last(scan, self._steps[-1].scan):
            self._scans.append(scan)
            self._steps.append(self._course.take(scan))
            self._has_moved = self._has_moved or is_movement(scan)
        else:
            self._scans.append(scan)
            self._begin()

    def _begin(self) -> None:
        ordered, self._aside = arrange(self._scans, self._as_of)
        self._course = Course(base=self._start.direction, state_now=self._start)
        self._steps = [self._course.take(scan) for scan in ordered]
        self._is_looked_through = False

    def _look_through(self, steps: Iterable[Step]) -> None:
        """What of the scans so far could make another one count otherwise than as the last."""
        self._has_days = any(scan.precision is Precision.DAY for scan in self._scans)
        self._taken_back = {
            (scan.carrier, scan.retracts) for scan in self._scans if scan.retracts is not None
        }
        self._has_moved = any(is_movement(step.scan) for step in steps)
        self._is_looked_through = True

    def _is_last(self, scan: Scan, before: Scan) -> bool:
        """Whether the scan goes behind all others and leaves them as they are; no where in doubt.

        A scan with a day for its time is put among the others of its day. The first movement may
        tell that deliveries before it do not count.
        """
        if sort_key(scan) <= sort_key(before):
            return False
        if scan.retracts is not None or scan.precision is Precision.DAY:
            return False
        if scan.occurred_at - self._as_of > FUTURE_MAX:
            return False
        if not self._is_looked_through:
            self._look_through(self._steps or ())
        if self._has_days or (scan.carrier, scan.scan_id) in self._taken_back:
            return False
        return self._has_moved or not is_movement(scan)
