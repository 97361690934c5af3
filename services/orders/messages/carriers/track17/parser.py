"""17TRACK: a number with the events of its providers.

Documented at https://api.17track.net/en/doc?version=v2.2 and, of the first version (`track` with
`z0`, `z1`, `z2`), at https://api.17track.net/en/doc?version=v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from services.orders.domain.tracking.scan import Eta, Location
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.moments import Moment, day_or_instant, moment_of
from services.orders.messages.carriers.plain import (
    LONG_LINE,
    WORD,
    each,
    each_with_pointer,
    location,
    member,
    text,
)
from services.orders.messages.carriers.reports import (
    ReadScans,
    eta_scan,
    joined,
    parts_at,
    readable,
    text_id,
)
from services.orders.messages.carriers.track17.first_version import read_track

_PATHS = (("data", "accepted"), ("accepted",), ("shipments",), ("dat",), ("data",))
_INFO = ("track_info", "shipment")


def parts(body: Any) -> Iterator[Part]:
    """The numbers of an answer, the number of a webhook, or the body itself."""
    yield from parts_at(
        body, ("data", "accepted"), ("accepted",), ("shipments",), ("dat",), ("data",)
    )


def report(entry: Any) -> ParcelReport:
    """What an entry says of its number."""
    number = text(member(entry, "number"), 512) or text(member(entry, "no"), 512)
    track = member(entry, "track")
    if isinstance(track, dict):
        found = read_track(track)
        carrier = text(member(entry, "carrier"), WORD) or text(member(track, "w1"), WORD)
        return ParcelReport(
            tracking_number=number, carrier=carrier, scans=found.scans, left_out=found.left_out
        )
    name = next((each for each in _INFO if isinstance(member(entry, each), dict)), _INFO[0])
    info = member(entry, name)
    found = _read(info, f"/{name}")
    is_over = _status_of(info).startswith("Delivered")
    eta = None if is_over else _eta(info)
    return ParcelReport(
        tracking_number=number,
        carrier=text(member(entry, "carrier"), WORD),
        scans=[*found.scans, *eta_scan(eta, _synced_at(info), found.scans)],
        left_out=found.left_out,
    )


def _read(info: Any, pointer: str) -> ReadScans:
    """The events of all providers; the latest event alone where there are none."""
    newest = _newest_event(info)
    providers = member(info, "tracking", "providers")
    found = joined(
        readable(member(provider, "events"), f"{at}/events", _scan, newest)
        for at, provider in each_with_pointer(providers, f"{pointer}/tracking/providers")
    )
    if found.scans or found.left_out or not isinstance(member(info, "latest_event"), dict):
        return found
    return readable(member(info, "latest_event"), f"{pointer}/latest_event", _scan, newest)


def _newest_event(info: Any) -> tuple[Any, str | None]:
    """The time of the latest event, and the status that is its."""
    event = member(info, "latest_event")
    return _time_of(event), _status_of(info) or None


def _status_of(info: Any) -> str:
    status = member(info, "latest_status")
    found = text(member(status, "sub_status"), WORD) or text(member(status, "status"), WORD)
    return found or ""


def _scan(event: Any, newest: tuple[Any, str | None]) -> SaidScan:
    said_at = _time_of(event)
    own = text(member(event, "sub_status"), WORD) or text(member(event, "stage"), WORD)
    words = text(member(event, "description"), LONG_LINE)
    return SaidScan(
        moment=_moment(event),
        scan_id=None if own else text_id(said_at, words),
        name=own or (newest[1] if said_at is not None and said_at == newest[0] else None),
        text=words,
        location=_location(event),
    )


def _time_of(event: Any) -> Any:
    raw = member(event, "time_raw")
    said = member(event, "time_iso") or member(event, "time_utc")
    return said or member(raw, "date") or text(raw, WORD)


def _moment(event: Any) -> Moment:
    """The time with the offset that 17TRACK gives it, else as the carrier wrote it."""
    said, utc = member(event, "time_iso"), member(event, "time_utc")
    if said is not None or utc is not None:
        return moment_of(said, utc=utc)
    raw = member(event, "time_raw")
    if isinstance(raw, str):
        return moment_of(raw)
    zone = member(raw, "timezone")
    return moment_of(member(raw, "date"), zone, clock=member(raw, "time"), offset=zone)


def _location(event: Any) -> Location | None:
    place = member(event, "address")
    return location(
        city=text(member(place, "city")) or member(event, "location"),
        postal_code=member(place, "postal_code"),
        province=member(place, "state"),
        country=member(place, "country"),
        latitude=member(place, "coordinates", "latitude"),
        longitude=member(place, "coordinates", "longitude"),
    )


def _eta(info: Any) -> Eta | None:
    said = member(info, "time_metrics", "estimated_delivery_date")
    earliest, latest = day_or_instant(member(said, "from")), day_or_instant(member(said, "to"))
    if earliest is None and latest is None:
        return None
    return Eta(earliest=earliest or latest, latest=latest or earliest)


def _synced_at(info: Any) -> str | None:
    """When the events were last asked for, of the provider that was asked last."""
    providers = each(member(info, "tracking", "providers"))
    times = (text(member(provider, "latest_sync_time"), WORD) for _, provider in providers)
    return max(filter(None, times), default=None)


DIALECT = Dialect(
    types=("track17.tracking", "17track.tracking"),
    scan_marks=(b'"time_iso"', b'"time_raw"', b'"a"'),
    shape=re.compile(
        rb'"event"\s*:\s*"TRACKING_(?:UPDATED|STOPPED)"'
        rb'|"(?:track_info|providers_hash|sub_status_descr|ylt1|zex)"\s*:'
    ),
    parts=parts,
    report=report,
)
