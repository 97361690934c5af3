"""17TRACK: a number with the events of its providers.

Documented at https://api.17track.net/en/doc?version=v2.2 and, of the first version (`track` with
`z0`, `z1`, `z2`), at https://api.17track.net/en/doc?version=v1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemas.codes import country_of
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
    readable,
    status_scan,
    text_id,
)
from services.orders.messages.carriers.track17.first_version import read_track
from services.orders.messages.carriers.wrapped import wrapped_parts

_INFO = ("track_info", "shipment")
_CODE_LENGTH = 3
_KNOWN = ("latest_status", "latest_event", "tracking")
_EXPIRED, _NOT_FOUND = "Expired", "NotFound"


def parts(body: Any) -> Iterator[Part]:
    """The numbers of answers and of webhooks, or the body itself; not those that were refused."""
    return wrapped_parts(body, _is_number)


def _is_number(_: str, value: Mapping[str, Any]) -> bool:
    return ("number" in value or "no" in value) and "error" not in value


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
    pointer, info = _info_of(entry)
    found = _read(info, pointer)
    is_over = _status_of(info).startswith("Delivered")
    eta = None if is_over else _eta(info)
    scans = [*found.scans, *_status(info, found)]
    return ParcelReport(
        tracking_number=number,
        carrier=_carrier(entry, info),
        scans=[*scans, *eta_scan(eta, _synced_at(info), scans)],
        left_out=found.left_out,
    )


def _info_of(entry: Any) -> tuple[str, Any]:
    """What is known of a number, with its pointer: a member of the entry, or the entry itself."""
    for name in _INFO:
        found = member(entry, name)
        if isinstance(found, dict) and any(found.get(each) for each in _KNOWN):
            return f"/{name}", found
    return "", entry


def _carrier(entry: Any, info: Any) -> str | None:
    """The carrier of the number, else the one provider that was asked."""
    said = text(member(entry, "carrier"), WORD)
    if said not in (None, "0"):
        return said
    providers = each(member(info, "tracking", "providers"))
    keys = {text(member(one, "provider", "key"), WORD) for _, one in providers}
    return keys.pop() if len(keys) == 1 else None


def _status(info: Any, found: ReadScans) -> Iterable[SaidScan]:
    """The status of the number where no event has it: 17TRACK gave it up, or knows no events."""
    status = _status_of(info)
    if status.startswith(_EXPIRED):
        has_it = any((said.name or "").startswith(_EXPIRED) for said in found.scans)
    else:
        has_it = bool(found.scans or found.left_out) or status.startswith(_NOT_FOUND)
    if not status or has_it:
        return ()
    return status_scan(status, (_synced_at(info),), found.scans)


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
    """The time of the latest event, and its status: none where the number is given up."""
    event, status = member(info, "latest_event"), _status_of(info)
    return _time_of(event), None if status.startswith(_EXPIRED) else status or None


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
    said, utc = member(event, "time_iso") or None, member(event, "time_utc") or None
    if said is not None or utc is not None:
        return moment_of(said, utc=utc)
    raw = member(event, "time_raw")
    if isinstance(raw, str):
        return moment_of(raw)
    zone = member(raw, "timezone")
    return moment_of(member(raw, "date"), zone, clock=member(raw, "time"), offset=zone)


def _location(event: Any) -> Location | None:
    place = member(event, "address")
    city, country = member(place, "city"), member(place, "country")
    if not city and (words := text(member(event, "location"))) is not None:
        # `Germany` is no town, and `CA` is none of a country.
        is_country = len(words) > _CODE_LENGTH and country_of(words) is not None
        city, country = (None, country or words) if is_country else (words, country)
    return location(
        city=city,
        postal_code=member(place, "postal_code"),
        province=member(place, "state"),
        country=country,
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
