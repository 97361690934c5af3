"""Summaries of USPS: an event in one line of words, in answers without fields."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"(?P<name>.+?),\s+(?P<day>[A-Z][a-z]{2,8} \d{1,2}, \d{4}),?\s+(?P<clock>\d{1,2}:\d\d [ap]m)"
    r"(?:,\s*(?P<place>.+))?"
)
_SENTENCE = re.compile(
    r"(?P<name>.+?) at (?P<clock>\d{1,2}:\d\d [ap]m) on (?P<day>[A-Z][a-z]{2,8} \d{1,2}, \d{4})"
    r"(?: in (?P<place>.+?, [A-Z]{2}(?: \d{5}(?:-\d{4})?)?)\b)?.*"
)
_PLACE = re.compile(r"(?P<city>[^,]+), (?P<state>[A-Z]{2})(?: (?P<zip>\d{5})(?:-\d{4})?)?\.?")
_LINE_MAX = 1024


def event_of(line: str) -> dict[str, str]:
    """The fields of an event in words, as the XML names them; {} of other words."""
    said = line.strip()[:_LINE_MAX]
    found = _LINE.fullmatch(said) or _SENTENCE.fullmatch(said)
    if found is None:
        return {}
    event = {"Event": found["name"], "EventDate": found["day"], "EventTime": found["clock"]}
    place = _PLACE.fullmatch(found["place"] or "")
    if place is not None:
        event |= {"EventCity": place["city"], "EventState": place["state"]}
        event |= {"EventZIPCode": place["zip"]} if place["zip"] else {}
    return event
