"""The time zone of a delivery address, and local days in it."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from services.analytics.domain.countries import MAIN_ZONES
from services.analytics.domain.provinces import PROVINCE_NAMES, PROVINCE_ZONES


class ZoneSource(StrEnum):
    """How a zone was found. The last two are guesses: figures by day may be off by one day."""

    PROVINCE = "province"
    COUNTRY = "country"  # the country has one zone
    MAIN_ZONE = "main_zone"  # the country has several, the province is not known
    NONE = "none"  # no known country: UTC


class Zone(Struct, frozen=True):
    """A zone of the tz database and how it was found."""

    name: str
    source: ZoneSource


UNKNOWN_ZONE = Zone("UTC", ZoneSource.NONE)

_BY_PROVINCE = {
    (country, code): zone
    for country, zones in PROVINCE_ZONES.items()
    for zone, codes in zones.items()
    for code in codes.split()
}
_CODE_BY_NAME = {
    (country, entry.partition(" ")[2]): entry.partition(" ")[0]
    for country, names in PROVINCE_NAMES.items()
    for entry in names.split("|")
}


@lru_cache(maxsize=4096)
def zone_of(country: str | None, province_code: str | None, province: str | None) -> Zone:
    """The zone of an address, from country code and province; `Zone.source` marks a guess.

    The province may be a code with or without its country ("SP", "BR-SP") or a name, in either
    field, because shops mix them up. An unknown country gives UTC.
    """
    code = (country or "").strip().upper()
    main = MAIN_ZONES.get(code)
    if main is None:
        return UNKNOWN_ZONE
    if code not in PROVINCE_ZONES:
        return Zone(main, ZoneSource.COUNTRY)
    for text in (province_code, province):
        if text and (name := _zone_of_province(code, text)):
            return Zone(name, ZoneSource.PROVINCE)
    return Zone(main, ZoneSource.MAIN_ZONE)


def _zone_of_province(country: str, text: str) -> str | None:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = " ".join(plain.lower().split())
    code = _CODE_BY_NAME.get((country, words), words.upper().removeprefix(f"{country}-"))
    return _BY_PROVINCE.get((country, code))


def local_day(instant: datetime, zone: Zone) -> date:
    """The calendar day on which an instant falls in a zone."""
    return instant.astimezone(ZoneInfo(zone.name)).date()
