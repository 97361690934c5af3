"""Joined numbers: several tracking numbers that a sender wrote into one field."""

from __future__ import annotations

import re

from services.orders.domain.model.tracking_number import normalise_number

LETTERS_AND_DIGITS_MIN = 8
"""From how many letters and digits on a part of a text is a tracking number by itself."""

_SEPARATOR = re.compile(r"[,;|\r\n&]|\s/\s|\s(?:and|und|et)\s", re.IGNORECASE)
_NAMES = {"\n": "a line break", "\r": "a line break"}


def separated(text: str) -> tuple[str, ...]:
    """The parts of a text between separators, without white space around them and empty ones.

    Separators are `,` `;` `|` `&`, a line break, ` / `, and the words "and", "und" and "et". Spaces
    and dashes separate no parts: they are inside of numbers.
    """
    if text.isalnum():
        return (text,)
    return tuple([part for each in _SEPARATOR.split(text.strip()) if (part := each.strip())])


def separator_of(text: str) -> str:
    """The first separator in a text, in words."""
    found = _SEPARATOR.search(text.strip())
    sign = found[0].strip() or found[0] if found else ""
    return _NAMES.get(sign[:1]) or repr(sign)


def numbers_in(text: str) -> tuple[str, ...]:
    """The tracking numbers of a text in which several are joined; empty where that is not certain.

    Certain are parts that are a number each: at least 8 letters and digits, a digit among them, not
    only zeros, and no white space between what could be two numbers. A number that is repeated
    counts once.
    """
    parts = separated(text)
    if len(parts) < 2 or not all(map(_is_one_number, parts)):
        return ()
    found: dict[str, str] = {}
    for part in parts:
        found.setdefault(normalise_number(part), part)
    return tuple(found.values())


def _is_one_number(part: str) -> bool:
    return _is_number(part) and sum(map(_is_number, part.split())) < 2


def _is_number(part: str) -> bool:
    number = normalise_number(part)
    return (
        len(number) >= LETTERS_AND_DIGITS_MIN
        and bool(number.strip("0"))
        and any(map(str.isdigit, number))
    )
