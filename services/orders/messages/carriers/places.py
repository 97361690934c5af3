"""Places: the time zone of where a scan was made (docs/scan-rules.md, rule 10).

By postal code, province and country, or else by coordinates. A place that may be in several zones
has one only where these agree at the time of the scan: nothing is guessed.

`places.csv` says what `zone.tab` of the tz database does not: the zones of postal codes and of
provinces. A province has one zone if at least 95 of 100 of its people live in it. Columns:
`country`; `province`, its code and its names, apart by `|`; `postal`, the beginning of a postal
code, of which the longest counts; `zones`, apart by blanks; `source`.
"""

from __future__ import annotations

import csv
import importlib.resources
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from re import Pattern
from typing import TYPE_CHECKING

from msgspec import Struct

from services.orders.domain.tracking.scan import Location
from services.orders.messages.carriers.zones import zone_named

if TYPE_CHECKING:
    from timezonefinder import TimezoneFinder

_FILE = Path(__file__).with_name("places.csv")
_POSTAL_FORMS: Mapping[str, Pattern[str]] = {
    "AU": re.compile(r"\d{4}"),
    "CA": re.compile(r"[A-Z]\d[A-Z](?:\d[A-Z]\d)?"),
    "ES": re.compile(r"\d{5}"),
    "FR": re.compile(r"\d{5}"),
    "PT": re.compile(r"\d{4}(?:\d{3})?"),
    "US": re.compile(r"\d{5}(?:\d{4})?"),
}
"""The codes, without blanks and hyphens, that rows of `postal` are for. A shorter code may have
lost its zeros."""


class ZoneRows(Struct, frozen=True, gc=False):
    """The zones of one country."""

    provinces: dict[str, tuple[str, ...]]
    postal: dict[str, tuple[str, ...]]
    country: tuple[str, ...]


def zone_of_place(place: Location, local: datetime) -> str | None:
    """The name of the zone of a place at a local time; None where it is not known."""
    if place.country_code is not None:
        names = _zones_of(place.country_code, place.province, place.postal_code)
        if (found := _agreed(names, local)) is not None:
            return found
    if place.latitude is None or place.longitude is None:
        return None
    return zone_at(float(place.latitude), float(place.longitude))


def zone_at(latitude: float, longitude: float) -> str | None:
    """The zone of a point on land; None at sea, where drivers' devices have no position."""
    return _finder().timezone_at_land(lat=latitude, lng=longitude)


def has_province(country: str, said: str) -> bool:
    """Whether a text is the code or the name of a province of a country with several zones."""
    rows = zone_rows().get(country)
    return rows is not None and _key(said) in rows.provinces


@lru_cache(maxsize=4096)
def _zones_of(country: str, province: str | None, postal: str | None) -> tuple[str, ...]:
    """The zones that a place may be in, that of most people first."""
    rows = zone_rows().get(country)
    if rows is None:
        return ()
    form = _POSTAL_FORMS.get(country)
    code = re.sub(r"[\s-]", "", postal).upper() if postal and form else ""
    if form and form.fullmatch(code):
        for length in range(len(code), 0, -1):
            if (found := rows.postal.get(code[:length])) is not None:
                return found
    said = _key(province.removeprefix(f"{country}-")) if province else ""
    return rows.provinces.get(said, rows.country)


def _agreed(names: Sequence[str], local: datetime) -> str | None:
    """The first zone, if all have the same offset at a local time."""
    if len(names) < 2:
        return names[0] if names else None
    first = _offsets(names[0], local)
    return names[0] if all(_offsets(name, local) == first for name in names) else None


def _offsets(name: str, local: datetime) -> tuple[timedelta | None, ...]:
    """The offsets of both readings of a local time."""
    zone = zone_named(name)
    return tuple(local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))


@cache
def zone_rows() -> Mapping[str, ZoneRows]:
    """The rows of all countries, read with the first place."""
    found = {country: ZoneRows({}, {}, names) for country, names in _zones_by_country().items()}
    with _FILE.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            names = tuple(line["zones"].split())
            rows = found[line["country"]]
            if line["postal"]:
                rows.postal[line["postal"]] = names
            elif line["province"]:
                rows.provinces.update((_key(each), names) for each in line["province"].split("|"))
            else:
                found[line["country"]] = ZoneRows(rows.provinces, rows.postal, names)
    return found


def _zones_by_country() -> dict[str, tuple[str, ...]]:
    """`zone.tab`: the zones of each country, that of most people first."""
    table = importlib.resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text("utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for line in _rows_of(table):
        country, _, name = line.split("\t")[:3]
        found[country] = (*found.get(country, ()), name)
    return found


def _rows_of(table: str) -> Iterable[str]:
    return (line for line in table.splitlines() if line and not line.startswith("#"))


def _key(province: str) -> str:
    plain = unicodedata.normalize("NFKD", province).encode("ascii", "ignore").decode()
    return " ".join(plain.casefold().split())


@cache
def _finder() -> TimezoneFinder:
    """The finder of points; its data are read from the disk where they are needed.

    Imported with the first point: most payloads say the country.
    """
    from timezonefinder import TimezoneFinder

    return TimezoneFinder(in_memory=False)
