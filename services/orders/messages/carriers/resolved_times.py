"""Resolved times: what the place of a scan and its neighbours in a list say of its time.

A local time without a zone is read in the zone of its place (docs/scan-rules.md, rule 10). A local
time that the clocks repeat is resolved by the order of the list (rule 10b).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby, pairwise

from msgspec.structs import replace

from services.orders.domain.tracking.scan import Precision
from services.orders.messages.carriers.dialect import SaidScan
from services.orders.messages.carriers.moments import Moment, in_zone
from services.orders.messages.carriers.places import zone_of_place


def with_zone_of_place(said: SaidScan) -> SaidScan:
    """A scan whose time has no zone, read in the zone of its place, if that is known."""
    moment = said.moment
    if moment.tz_known or moment.local is None or said.location is None:
        return said
    name = zone_of_place(said.location, moment.local.replace(tzinfo=None))
    if name is None:
        return said
    try:
        return replace(said, moment=in_zone(moment, name))
    except ValueError:  # At the ends of the calendar.
        return said


def resolved(scans: Sequence[SaidScan]) -> list[SaidScan]:
    """Scans in the order of their list, each with all that the list says of its time."""
    found = [with_zone_of_place(said) for said in scans]
    if not any(said.moment.second for said in found):
        return found
    moments = with_hours([said.moment for said in found])
    return [replace(said, moment=at) for said, at in zip(found, moments, strict=True)]


def with_hours(moments: Sequence[Moment]) -> list[Moment]:
    """Moments of a list, with the repeated hours that its order says.

    A list is in order of time or in the opposite order: in the one that most of its certain times
    are in. Where these say neither, an order without a reading is none, and else an hour counts
    that both orders say.
    """
    places = [at for at, moment in enumerate(moments) if _is_exact(moment)]
    exact = [moments[place] for place in places]
    found, is_order = _in_order(exact)
    steps = _steps(exact)
    if steps <= 0:
        opposite, is_opposite = _in_order(exact[::-1])
        opposite.reverse()
        if steps < 0 or not is_order:
            found = opposite
        elif is_opposite:
            found = [
                one if one == other else None for one, other in zip(found, opposite, strict=True)
            ]
    every = list(moments)
    for place, at in zip(places, found, strict=True):
        if at is not None:
            every[place] = replace(every[place], at=at, second=None)
    return every


def _is_exact(moment: Moment) -> bool:
    return moment.tz_known and moment.precision is not Precision.DAY


def _steps(moments: Sequence[Moment]) -> int:
    """How many steps between certain times go forward, less those that go back."""
    certain = [moment.at for moment in moments if moment.second is None]
    pairs = list(pairwise(certain))
    return sum(one < other for one, other in pairs) - sum(one > other for one, other in pairs)


def _in_order(moments: Sequence[Moment]) -> tuple[list[datetime | None], bool]:
    """The instants that must be if no time is before the one above it, and if there are such.

    None in the place of a time that may be either. Each run of repeated times is read by itself,
    between the certain times around it: one disorder elsewhere costs no other run.
    """
    first, last = _readings(moments, forward=True), _readings(moments[::-1], forward=False)[::-1]
    found: list[datetime | None] = []
    is_order = True
    for is_repeated, run in groupby(range(len(moments)), lambda at: moments[at].second is not None):
        pairs = [(first[at], last[at]) for at in run]
        if is_repeated and any(one is None or other is None or one > other for one, other in pairs):
            found += [None] * len(pairs)
            is_order = False
        else:
            found += [one if one == other else None for one, other in pairs]
    return found, is_order


def _readings(moments: Sequence[Moment], *, forward: bool) -> list[datetime | None]:
    """The earliest readings, each not before the one above it; or the latest, from the end up."""
    found: list[datetime | None] = []
    bound: datetime | None = None
    for moment in moments:
        second = moment.second or moment.at
        readings = (moment.at, second) if forward else (second, moment.at)
        fitting = (
            at
            for at in readings
            if moment.second is None or bound is None or (at >= bound if forward else at <= bound)
        )
        found.append(next(fitting, None))
        bound = found[-1] or bound
    return found
