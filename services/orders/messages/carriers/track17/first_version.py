"""The first version of 17TRACK: `track` with events in `z1` (origin), `z2` (destination) and `z9`.

Times are local to the place. Only the newest event, `z0`, has a status: `e` of the track.
"""

from __future__ import annotations

from typing import Any

from services.orders.messages.carriers.dialect import SaidScan
from services.orders.messages.carriers.moments import moment_of
from services.orders.messages.carriers.plain import LONG_LINE, WORD, location, member, text
from services.orders.messages.carriers.reports import (
    ReadScans,
    joined,
    readable,
    status_scan,
    text_id,
)

_LISTS = ("z1", "z2", "z9")
_ASKED_AT = ("ylt1", "ylt2")
"""When the carriers of origin and destination were last asked."""
_EXPIRED = "20"


def read_track(track: Any) -> ReadScans:
    """The events of a track, each once; the newest has the status of the track.

    That 17TRACK gave a number up is no event: it is a scan of its own.
    """
    newest, status = member(track, "z0"), text(member(track, "e"), WORD)
    newest_id = _id_of(newest) if isinstance(newest, dict) and status != "0" else None
    names = _LISTS if newest_id is None else (*_LISTS, "z0")
    own = None if status == _EXPIRED else status
    found = joined(
        readable(member(track, name), f"/track/{name}", _scan, (newest_id, own)) for name in names
    )
    if status == _EXPIRED:
        asked_at = (text(member(track, name), WORD) for name in _ASKED_AT)
        newest_first = sorted(filter(None, asked_at), reverse=True)
        found.scans.extend(status_scan(status, newest_first, found.scans))
    return found


def _scan(event: Any, newest: tuple[str | None, str | None]) -> SaidScan:
    own_id = _id_of(event)
    return SaidScan(
        moment=moment_of(member(event, "a")),
        scan_id=own_id,
        name=newest[1] if own_id == newest[0] else None,
        text=text(member(event, "z"), LONG_LINE),
        location=location(city=text(member(event, "c")) or member(event, "d")),
    )


def _id_of(event: Any) -> str:
    return text_id(member(event, "a"), text(member(event, "z"), LONG_LINE))
