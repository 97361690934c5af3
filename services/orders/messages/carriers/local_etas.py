"""Local ETAs: hours of an estimate that a carrier says in local time at the destination."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

from services.orders.domain.tracking.scan import Location, Precision
from services.orders.messages.carriers.moments import day_or_instant, moment_of
from services.orders.messages.carriers.places import zone_of_place
from services.orders.messages.carriers.zones import zone_named


def day_or_local(said: Any, place: Location | None, *, clock: Any = None) -> date | datetime | None:
    """As `day_or_instant`, where an hour without an offset is in the zone of a place.

    It is its day where the zone is not known, or where the time of day cannot be read.
    """
    found = day_or_instant(said, clock=clock) or day_or_instant(said)
    if found is None or isinstance(found, datetime) or place is None:
        return found
    try:
        moment = moment_of(said, clock=clock)
    except ValueError:
        return found
    if moment.local is None or moment.precision is Precision.DAY:
        return found
    local = moment.local.replace(tzinfo=None)
    zone = zone_named(zone_of_place(place, local) or "")
    offset = local.replace(tzinfo=zone).utcoffset() if zone is not None else None
    return found if offset is None else local.replace(tzinfo=timezone(offset))
