"""Notifications: whether to notify a customer of an event (docs/scan-rules.md, 16, 17 and 17b).

The one place that decides `notify`, of scans, of attached numbers and of orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from services.orders.domain.tracking.catalogue import (
    PRE_TRANSIT_GROUP,
    Flag,
    Phase,
    entry_of,
    group_of,
    return_phase,
)
from services.orders.domain.tracking.scan import Direction, Precision, Scan
from services.orders.domain.tracking.state import FINISHED, TrackingState
from services.orders.domain.value import Value

STALE_AFTER = timedelta(hours=4)
"""An older event does not notify (Karla's `stale_event_threshold`)."""
NOTICES_MAX = 64
"""Most notices kept of one shipment; the oldest are dropped."""
_KEY_CHARACTERS = 8
_DAY = timedelta(days=1)
_BEFORE_TRANSIT = frozenset({Phase.ORDER_CREATED, Phase.ORDER_PROCESSED})
_FLAGS: Mapping[str, Flag] = {
    "shipment_carrier_delay": Flag.DELAY,
    "shipment_damaged": Flag.ERROR,
}
"""Groups that are about the flag, whatever the phase is."""
_FACTS = frozenset({"shipment_delayed_due_to_customer_request", "shipment_carrier_changed"})
"""Groups of facts that hold while the parcel stays in the phase in which they came."""
_FAILED = "shipment_failed"
_PROBLEM = "return_shipment_problem"


class Notice(Value, frozen=True):
    """One notification of a shipment: for each leg, group and attempt there is one."""

    group: str
    leg: int = 1
    attempts: int = 0
    by: str = ""
    """The begin of the scan's key; empty where the attached number notified."""


NUMBER_ATTACHED = Notice(PRE_TRANSIT_GROUP)
"""The notice of an attached number."""


class Standing(Value, frozen=True):
    """A scan at its place among all scans of its shipment."""

    group: str | None
    is_effective: bool
    phase: Phase
    """The shipment's phase after the scan."""
    leg: int
    attempts: int


def is_fresh(occurred_at: datetime, now: datetime) -> bool:
    """Whether an event is not older than `STALE_AFTER`."""
    return now - occurred_at <= STALE_AFTER


def is_fresh_cancellation(said: datetime | None, now: datetime, *, may_be_old: bool) -> bool:
    """Whether a cancellation notifies; `said` is when it happened, None where that is not known.

    One without a time is fresh, unless it `may_be_old`: the order was old when it came, so that
    both are history, or a time was said and could not be read.
    """
    return is_fresh(said, now) if said is not None else not may_be_old


def is_fresh_scan(scan: Scan, now: datetime) -> bool:
    """The same for a scan; one of day precision may have happened at any hour of its day."""
    if scan.precision is Precision.DAY:
        return now - scan.occurred_at <= STALE_AFTER + _DAY
    return is_fresh(scan.occurred_at, now)


def group_of_scan(scan: Scan, direction: Direction) -> str | None:
    """The notification group of a scan, given the direction its leg travels in."""
    is_return = direction is Direction.CUSTOMER_MERCHANT
    return group_of(entry_of(scan.event_name), is_return=is_return)


def number_notifies(placed_at: datetime | None, state: TrackingState, now: datetime) -> bool:
    """Whether to notify of a number that is attached now: it is recent, and still before transit.

    `placed_at` is when it was handed over, None if that may be long ago; `state` is that of all
    scans that the number has by now.
    """
    if placed_at is None or state.phase not in _BEFORE_TRANSIT:
        return False
    return state.leg == 1 and is_fresh(placed_at, now)


def is_true(scan: Scan, standing: Standing, state: TrackingState) -> bool:
    """Whether what a scan says agrees with the present state of its shipment (rule 17b)."""
    group = standing.group
    if group is None or not standing.is_effective or standing.leg != state.leg:
        return False
    if group in _FLAGS:
        return state.flag is _FLAGS[group]
    if group == _FAILED:
        return state.given_up is not None
    if group in _FACTS:
        return standing.phase is state.phase and state.phase not in FINISHED
    if group == _PROBLEM:
        return state.flag is not Flag.NORMAL or state.phase is Phase.RETURN_FAILED
    phase = entry_of(scan.event_name).phase
    if phase is None:
        return False
    if state.direction is Direction.CUSTOMER_MERCHANT:
        return state.phase is return_phase(phase)
    return state.phase is phase or (phase in _BEFORE_TRANSIT and state.phase in _BEFORE_TRANSIT)


def choose(
    new: Sequence[tuple[Scan, str | None]],
    standings: Mapping[str, Standing],
    state: TrackingState,
    held: Sequence[Notice],
    now: datetime,
) -> tuple[str, Notice] | None:
    """The scan of a decision that notifies, by its key, and its notice; None if no scan does.

    `new` are the new scans of a shipment by time, each with the group of its event, `standings`
    those of them that count, by key, `state` the state after all of them. At most one notifies: the
    last that is fresh, agrees with `state`, and whose notice was not given before.
    """
    for scan, group in reversed(new):
        standing = standings.get(scan.key)
        if group is None or standing is None or standing.group != group:
            continue
        if not is_fresh_scan(scan, now):
            continue
        if not is_true(scan, standing, state):
            continue
        notice = notice_of(scan, standing)
        if not was_given(held, notice):
            return scan.key, notice
    return None


def notices_until(known: Iterable[tuple[Scan, Standing]]) -> tuple[Notice, ...]:
    """The notices of a shipment whose own were not stored: all that its scans may have given."""
    given = [Notice(PRE_TRANSIT_GROUP)]
    for scan, standing in known:
        notice = notice_of(scan, standing)
        if standing.group is not None and standing.is_effective and not was_given(given, notice):
            given.append(notice)
    return tuple(given[-NOTICES_MAX:])


def with_moved(held: tuple[Notice, ...], standings: Mapping[str, Standing]) -> tuple[Notice, ...]:
    """The notices, and the same for the leg and attempt at which their scans stand now.

    A scan that comes late may move one that notified before it to another attempt or leg; that one
    must not be notified of again.
    """
    if not any(each.by for each in held):
        return held
    now = {key[:_KEY_CHARACTERS]: standing for key, standing in standings.items()}
    kept = list(held)
    for each in held:
        standing = now.get(each.by)
        if standing is not None:
            moved = Notice(each.group, standing.leg, standing.attempts, each.by)
            if not was_given(kept, moved):
                kept.append(moved)
    return tuple(kept[-NOTICES_MAX:]) if len(kept) > len(held) else held


def notice_of(scan: Scan, standing: Standing) -> Notice:
    """The notice of a scan that notifies."""
    return Notice(
        standing.group or "", standing.leg, standing.attempts, by=scan.key[:_KEY_CHARACTERS]
    )


def merged(held: tuple[Notice, ...], more: Iterable[Notice]) -> tuple[Notice, ...]:
    """Both, without a second notice of the same group, leg and attempt."""
    kept = list(held)
    for each in more:
        if not was_given(kept, each):
            kept.append(each)
    return tuple(kept[-NOTICES_MAX:])


def with_given(held: tuple[Notice, ...], notice: Notice) -> tuple[Notice, ...]:
    """The notices with this one in the place of another of the same group, leg and attempt."""
    others = [each for each in held if not was_given([each], notice)]
    return (*others, notice)[-NOTICES_MAX:]


def was_given(held: Iterable[Notice], notice: Notice) -> bool:
    """Whether a notice of the same group, leg and attempt was given before."""
    return any(
        each.group == notice.group and each.leg == notice.leg and each.attempts == notice.attempts
        for each in held
    )
