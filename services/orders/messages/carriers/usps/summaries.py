"""Summaries of USPS: an event in one line of words, in answers without fields."""

from __future__ import annotations

import re

from schemas.codes import country_of

_DAY = r"(?P<day>[A-Z][a-z]{2,8} \d{1,2}, \d{4})"
_CLOCK = r"(?P<clock>\d{1,2}:\d\d [ap]m)"
_TOWN = r"(?P<place>[^,.]+, [A-Z]{2}(?: \d{5}(?:-\d{4})?)?)"
_FORMS = (
    re.compile(rf"(?P<name>.+?),\s+{_DAY}(?:,?\s+{_CLOCK})?(?:,\s*(?P<place>.+))?"),
    re.compile(rf"(?P<name>.+?) at {_CLOCK} on {_DAY}(?: in {_TOWN}\b)?.*"),
    re.compile(rf"(?P<name>.+?) on {_DAY} at {_CLOCK} in {_TOWN}\b.*"),
    re.compile(rf"(?P<name>.+?)(?: in {_TOWN})? on {_DAY} at {_CLOCK}\b.*"),
    re.compile(rf"(?P<name>.+?) on {_DAY}(?P<clock>)(?P<place>).*"),
)
"""A line of fields, and sentences that say the time before the day, after it, or not at all."""
_PLACE = re.compile(r"(?P<city>[^,]+), (?P<state>[A-Z]{2})(?: (?P<zip>\d{5})(?:-\d{4})?)?\.?")
_LINE_MAX = 1024


def event_of(line: str) -> dict[str, str]:
    """The fields of an event in words, as the XML names them; {} of other words."""
    said = line.strip()[:_LINE_MAX]
    found = next(filter(None, (form.fullmatch(said) for form in _FORMS)), None)
    if found is None:
        return {}
    event = {"Event": found["name"], "EventDate": found["day"], "EventTime": found["clock"] or ""}
    return event | _place(found["place"] or "")


def _place(said: str) -> dict[str, str]:
    """The fields of a place: town, state and perhaps ZIP code, a country, or a town alone."""
    town = _PLACE.fullmatch(said)
    if town is not None:
        fields = {"EventCity": town["city"], "EventState": town["state"]}
        return fields | ({"EventZIPCode": town["zip"]} if town["zip"] else {})
    place = said.strip().rstrip(".")
    if not place:
        return {}
    return {"EventCountry" if country_of(place) else "EventCity": place}
