"""State machine: adds scans one by one to the state of a shipment.

The rules are in docs/scan-rules.md: here 4 to 7 and 12 to 15.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.orders.domain.tracking.catalogue import (
    SCAN_RETRACTED,
    UNMAPPED,
    Entry,
    Flag,
    FlagEffect,
    Phase,
    Why,
    entry_of,
)
from services.orders.domain.tracking.catalogue import return_phase as on_return
from services.orders.domain.tracking.legs import (
    END_HOLDS_FOR,
    PICK_UPS,
    RETURNS,
    End,
    confirms_pick_up,
    is_confirmed,
    opens_leg,
)
from services.orders.domain.tracking.scan import (
    Direction,
    Eta,
    Pickup,
    Precision,
    Scan,
    day_of,
    latest_of,
)
from services.orders.domain.tracking.state import FINISHED, Effect, Rule, ScanStep, TrackingState
from services.orders.domain.tracking.sub_status import (
    RETURNED,
    after_repeated_end,
    on_the_way_back,
    says_trouble,
)
from services.orders.domain.tracking.why import changes_of, why_of

ONE_ATTEMPT_WITHIN = timedelta(hours=1)
"""Attempt scans this close together are one attempt, reported twice (rule 4)."""

_ON_THE_WAY = frozenset({Phase.IN_TRANSIT, Phase.IN_DELIVERY, Phase.DELIVERY_FAILED, Phase.COLLECT})
_BEFORE_TRANSIT = frozenset({Phase.ORDER_CREATED, Phase.ORDER_PROCESSED})
_ATTEMPTED = frozenset({Phase.IN_DELIVERY, Phase.DELIVERY_FAILED})
_GOING_BACK = frozenset({Phase.RETURN_TRANSIT, Phase.RETURN_FAILED})
_TO_THE_CUSTOMER = frozenset(
    {
        "COLLECTED_BY_CUSTOMER",
        "DELIVERED_TO_NEIGHBOUR",
        "DELIVERED_TO_LETTERBOX",
        "DELIVERED_TO_SAFE_PLACE",
    }
)
_SECOND_ATTEMPT = "SECOND_DELIVERY_ATTEMPT"
_GIVEN_UP_FOR_GOOD = frozenset({"DISPOSED", "CONFISCATED"})
_GIVEN_UP = _GIVEN_UP_FOR_GOOD | {"LOST", "TRACKING_EXPIRED"}
_WITHOUT_EFFECT = frozenset({Rule.DELIVERED_STANDS, Rule.REPEATED, Rule.PICKED_UP_LATE})


class Trouble(StrEnum):
    """Kind of error behind the flag; the kind decides which scan ends the error."""

    SOFT = "soft"
    LASTING = "lasting"
    CONTRADICTED = "contradicted"


_MOVED = (Effect.PHASE,)
_ENDED_BY_A_SCAN = (None, Trouble.SOFT)


@dataclass(slots=True)
class StateMachine:
    """The state after the scans added so far; mutable, and used within one decision only."""

    base: Direction
    phase: Phase
    direction: Direction
    flag: Flag = Flag.NORMAL
    trouble: Trouble | None = None
    leg: int = 1
    attempts: int = 0
    attempt_at: datetime | None = None
    settled_at: datetime | None = None
    picked_up_at: datetime | None = None
    """The first pick-up after the end that opened no leg: a later scan may confirm it (rule 6b)."""
    eta: Eta | None = None
    eta_original: Eta | None = None
    pickup: Pickup | None = None
    first_scan_at: datetime | None = None
    first_scan_on: date | None = None
    delivered_at: datetime | None = None
    delivered_on: date | None = None
    last_occurred_at: datetime | None = None
    given_up: str | None = None
    why: Why | None = None
    sub_status: str | None = None
    carriers: set[str] = field(default_factory=set)
    ordered: Sequence[Scan] = ()
    """The scans that will be added, in order, where they are known: whether a pick-up soon after
    the end opens a leg depends on the scans after it."""
    assumed: Scan | None = None
    """A pick-up that opens a leg whatever the scans after it are."""

    @classmethod
    def resumed(
        cls,
        base: Direction,
        state: TrackingState,
        *,
        trouble: Trouble | None,
        attempt_at: datetime | None,
        settled_at: datetime | None,
        picked_up_at: datetime | None,
        carriers: set[str],
    ) -> StateMachine:
        """A machine in `state`; the other arguments are what a `TrackingState` does not contain."""
        return cls(
            base=base,
            phase=state.phase,
            direction=state.direction,
            flag=state.flag,
            trouble=trouble,
            leg=state.leg,
            attempts=state.attempts,
            attempt_at=attempt_at,
            settled_at=settled_at,
            picked_up_at=picked_up_at,
            eta=state.eta,
            eta_original=state.eta_original,
            pickup=state.pickup,
            first_scan_at=state.first_scan_at,
            first_scan_on=state.first_scan_on,
            delivered_at=state.delivered_at,
            delivered_on=state.delivered_on,
            last_occurred_at=state.last_occurred_at,
            given_up=state.given_up,
            why=state.why,
            sub_status=state.sub_status,
            carriers=carriers,
        )

    def take(self, scan: Scan) -> ScanStep:
        """Add one scan; returns the step with the state after it."""
        rule, effects = self.add(scan)
        return ScanStep(scan, rule, effects, self.state())

    def add(self, scan: Scan) -> tuple[Rule, tuple[Effect, ...]]:
        """Add one scan; returns the rule that applied, and the effects."""
        entry = entry_of(scan.event_name)
        before = (self.phase, self.leg, self.flag, self.why)
        rule = self._move(scan, entry)
        if rule not in _WITHOUT_EFFECT:
            if entry.flag is not FlagEffect.NONE:
                self._raise_or_clear(entry)
            elif self.flag is not Flag.NORMAL:
                self._end_by_scan(entry)
            if scan.flag is not None:
                self._raise_unnamed(scan.flag)
            if self.why is not entry.why or scan.why is not None or scan.reason is not None:
                self._explain(scan, entry)
            if self.given_up is not None or entry.name in _GIVEN_UP:
                self._give_up_or_find(entry)
            if entry.is_attempt:
                self._count_attempt(scan)
            elif entry.name == _SECOND_ATTEMPT:
                self.attempts = max(self.attempts, 1)
        self._note(scan, entry)
        return rule, self._effects(scan, rule, before)

    def _move(self, scan: Scan, entry: Entry) -> Rule:
        if entry.name == SCAN_RETRACTED:
            return Rule.RETRACTION
        if entry.name == UNMAPPED:
            return Rule.UNMAPPED
        is_finished = self.phase in FINISHED
        if entry.phase is Phase.RETURN_CREATED:
            return self._announce_return(scan, entry, is_finished=is_finished)
        if not entry.physical or entry.phase is None:
            if entry.is_sub_status and not is_finished and self._is_said_by(scan, entry):
                self.sub_status = entry.name
            return Rule.DATA_ONLY
        if is_finished:
            return self._move_finished(scan, entry, entry.phase)
        return self._move_under_way(scan, entry, entry.phase)

    def _announce_return(self, scan: Scan, entry: Entry, *, is_finished: bool) -> Rule:
        """A return label moves nothing; it sets the direction of a parcel that has not moved."""
        if is_finished:
            self._open_leg(scan, Phase.RETURN_CREATED)
            return Rule.NEW_LEG
        if self.first_scan_at is not None:
            return Rule.DATA_ONLY
        self.direction = scan.direction or Direction.CUSTOMER_MERCHANT
        if self._is_return():
            self.phase, self.sub_status = Phase.RETURN_CREATED, entry.name
        return Rule.MOVED

    def _move_finished(self, scan: Scan, entry: Entry, phase: Phase) -> Rule:
        is_pick_up = entry.name in PICK_UPS
        if opens_leg(scan, self._end()) or (is_pick_up and self._is_confirmed(scan)):
            self._open_leg(scan, phase)
            return Rule.NEW_LEG
        if is_pick_up:
            self.picked_up_at = self.picked_up_at or scan.occurred_at
            return Rule.PICKED_UP_LATE
        if self.trouble is Trouble.CONTRADICTED and phase is Phase.DELIVERED:
            self.trouble, self.flag = None, Flag.NORMAL
            self._move_to(scan, phase)
            return Rule.MOVED
        if phase not in _ON_THE_WAY:
            self.sub_status = after_repeated_end(self.sub_status, entry)
            return Rule.REPEATED
        if self.phase is Phase.DELIVERED and phase in _ATTEMPTED and not self._end_holds(scan):
            self.flag, self.trouble = Flag.ERROR, Trouble.CONTRADICTED
            return Rule.CONTRADICTED
        return Rule.DELIVERED_STANDS

    def opens_leg(self, scan: Scan) -> bool:
        """Whether a scan after the end of the leg opens the next, whatever follows it."""
        return self.phase in FINISHED and opens_leg(scan, self._end())

    def _end(self) -> End:
        return End(self.phase, self.direction, self.settled_at)

    def _is_confirmed(self, pick_up: Scan) -> bool:
        if pick_up is self.assumed:
            return True
        places = (place for place, scan in enumerate(self.ordered) if scan is pick_up)
        place = next(places, len(self.ordered))
        return is_confirmed(pick_up.occurred_at, self._end(), self.ordered[place + 1 :])

    def has_confirmed_pick_up(self, later: Iterable[Scan]) -> bool:
        """Whether scans that follow show that a leg began at an earlier pick-up (rule 6b)."""
        at = self.picked_up_at
        return at is not None and is_confirmed(at, self._end(), later)

    def confirms_pick_up(self, scan: Scan) -> bool:
        """Whether a further scan shows that a leg began at an earlier pick-up (rule 6b)."""
        at = self.picked_up_at
        return at is not None and confirms_pick_up(scan, at, self._end())

    def _move_under_way(self, scan: Scan, entry: Entry, phase: Phase) -> Rule:
        self._turn(scan, entry)
        if self.phase in _GOING_BACK and phase not in RETURNS:
            return self._move_going_back(scan, entry, phase)
        if self._is_return():
            self._move_to(scan, on_return(phase))
            return Rule.MOVED
        at_shop = self.phase is Phase.COLLECT and phase in _ON_THE_WAY
        if at_shop and phase is not Phase.COLLECT and self._end_holds(scan):
            return Rule.DELIVERED_STANDS
        self._move_to(scan, phase)
        return Rule.MOVED

    def _move_going_back(self, scan: Scan, entry: Entry, phase: Phase) -> Rule:
        if phase is not Phase.DELIVERED:
            self.phase, held = Phase.RETURN_TRANSIT, self.sub_status
            is_return = self._is_return()
            self.sub_status = entry.name if is_return else on_the_way_back(held, scan, entry)
            return Rule.GOING_BACK
        if self._is_return():
            self._move_to(scan, Phase.RETURN_RECEIVED)
        else:
            is_customer = entry.name in _TO_THE_CUSTOMER
            self._move_to(scan, Phase.DELIVERED if is_customer else Phase.RETURNED)
            if not is_customer:
                self.sub_status = RETURNED
        return Rule.MOVED

    def _turn(self, scan: Scan, entry: Entry) -> None:
        """Set the direction that a scan names, or that a return implies before any movement.

        A refused parcel, for one, goes back as well, but its way began at the shop.
        """
        if scan.direction is not None:
            self.direction = scan.direction
        elif self.first_scan_at is None and entry.is_return:
            self.direction = Direction.CUSTOMER_MERCHANT

    def _is_return(self) -> bool:
        return self.direction is Direction.CUSTOMER_MERCHANT

    def _move_to(self, scan: Scan, phase: Phase) -> None:
        if phase is not self.phase or phase is Phase.DELIVERED or self.settled_at is None:
            is_day = scan.precision is Precision.DAY
            self.settled_at = latest_of(scan) if is_day else scan.occurred_at
        self.phase, self.sub_status = phase, scan.event_name
        if phase is Phase.DELIVERED:
            self.delivered_at, self.delivered_on = scan.occurred_at, day_of(scan)

    def _is_said_by(self, scan: Scan, entry: Entry) -> bool:
        """Whether a message about data is the sub-status from now on (rule 15c).

        One that says a trouble, or the end of one, always is; another one only while there is no
        trouble, and of the phase in which the parcel is.
        """
        if says_trouble(scan, entry):
            return True
        if self.flag is not Flag.NORMAL or self.why is not None or entry.phase is None:
            return False
        phase = on_return(entry.phase) if self._is_return() else entry.phase
        return phase is self.phase or {phase, self.phase} <= _BEFORE_TRANSIT

    def _end_holds(self, scan: Scan) -> bool:
        since = self.settled_at
        return since is not None and scan.occurred_at - since <= END_HOLDS_FOR

    def _open_leg(self, scan: Scan, phase: Phase) -> None:
        self.leg += 1
        self.attempts, self.attempt_at = 0, None
        self.settled_at = self.picked_up_at = None
        self.eta = self.eta_original = self.pickup = self.trouble = None
        self.flag, self.given_up = Flag.NORMAL, None
        self.why = None
        is_return = phase in RETURNS
        implied = Direction.CUSTOMER_MERCHANT if is_return else self.base
        self.direction = scan.direction or implied
        self._move_to(scan, on_return(phase) if self._is_return() else phase)

    def _end_by_scan(self, entry: Entry) -> None:
        if entry.physical and self.trouble in _ENDED_BY_A_SCAN:
            self.flag, self.trouble = Flag.NORMAL, None

    def _raise_or_clear(self, entry: Entry) -> None:
        is_over = self.phase in FINISHED
        match entry.flag:
            case FlagEffect.CLEAR:
                self.flag, self.trouble = Flag.NORMAL, None
            case FlagEffect.LASTING_ERROR:
                self.flag, self.trouble = Flag.ERROR, Trouble.LASTING
            case FlagEffect.ERROR if not is_over and self.flag is not Flag.ERROR:
                self.flag, self.trouble = Flag.ERROR, Trouble.SOFT
            case FlagEffect.DELAY if not is_over and self._can_delay(entry):
                self.flag, self.trouble = Flag.DELAY, None
            case _:
                pass

    def _raise_unnamed(self, flag: Flag) -> None:
        """Set the flag of a known code without an event name; a scan of the parcel ends it."""
        if self.phase not in FINISHED and self.flag is not Flag.ERROR:
            self.flag, self.trouble = flag, Trouble.SOFT if flag is Flag.ERROR else None

    def _explain(self, scan: Scan, entry: Entry) -> None:
        """Set why the parcel is where it is; a scan of the parcel without a reason ends it.

        A message about data ends it only where it says another reason, another trouble, or that
        all is well. It does not count after the end of the leg.
        """
        why = why_of(scan, entry)
        says_any = why is not None or entry.flag is not FlagEffect.NONE
        is_counted = says_any and self.phase not in FINISHED
        if entry.physical or entry.flag is FlagEffect.CLEAR or is_counted:
            self.why = why

    def _give_up_or_find(self, entry: Entry) -> None:
        """A lost parcel is found by any scan of it; a destroyed one by its delivery or return."""
        is_for_good = self.given_up in _GIVEN_UP_FOR_GOOD
        if self.phase in FINISHED or entry.flag is FlagEffect.CLEAR:
            self.given_up = None
        elif entry.name in _GIVEN_UP:
            self.given_up = self.given_up if is_for_good else entry.name
        elif entry.physical and not is_for_good:
            self.given_up = None

    def _can_delay(self, entry: Entry) -> bool:
        """Whether a scan may set the flag to delay: not over an error, unless the scan ends it."""
        is_disproved = entry.physical and self.trouble is Trouble.SOFT
        return self.flag is not Flag.ERROR or is_disproved

    def _count_attempt(self, scan: Scan) -> None:
        last = self.attempt_at
        if last is None or scan.occurred_at - last > ONE_ATTEMPT_WITHIN:
            self.attempts += 1
            self.attempt_at = scan.occurred_at
        self.attempts = max(self.attempts, scan.attempt or 0)

    def _note(self, scan: Scan, entry: Entry) -> None:
        """Keep members of a scan that do not move the parcel: times, carrier, pickup, ETA."""
        if entry.physical and self.first_scan_at is None:
            self.first_scan_at, self.first_scan_on = scan.occurred_at, day_of(scan)
        if self.last_occurred_at is None or scan.occurred_at > self.last_occurred_at:
            self.last_occurred_at = scan.occurred_at
        if scan.carrier is not None:
            self.carriers.add(scan.carrier)
        if scan.pickup is not None:
            self.pickup = scan.pickup
        if scan.eta is not None:
            self.eta = scan.eta
            self.eta_original = self.eta_original or scan.eta

    def _effects(
        self, scan: Scan, rule: Rule, before: tuple[Phase, int, Flag, Why | None]
    ) -> tuple[Effect, ...]:
        phase, leg, flag, why = before
        found: tuple[Effect, ...] = ()
        if rule is Rule.MOVED or phase is not self.phase:
            found = _MOVED
        if leg != self.leg:
            found += (Effect.LEG,)
        if flag is not self.flag:
            found += (Effect.FLAG,)
        if scan.eta is not None:
            found += (Effect.ETA,)
        return found if why is self.why else found + changes_of(why, self.why)

    def state(self) -> TrackingState:
        """The state so far."""
        return TrackingState(
            phase=self.phase,
            direction=self.direction,
            flag=self.flag,
            leg=self.leg,
            attempts=self.attempts,
            eta=self.eta,
            eta_original=self.eta_original,
            first_scan_at=self.first_scan_at,
            first_scan_on=self.first_scan_on,
            delivered_at=self.delivered_at,
            delivered_on=self.delivered_on,
            last_occurred_at=self.last_occurred_at,
            pickup=self.pickup,
            carrier=next(iter(self.carriers)) if len(self.carriers) == 1 else None,
            given_up=self.given_up,
            why=self.why,
            sub_status=self.sub_status,
        )
