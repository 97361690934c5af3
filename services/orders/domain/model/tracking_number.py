"""Tracking numbers: how they are compared, and how they are shown.

The claims service compares numbers in the same way: `services/claims/domain/tracking_number.py`.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import category, decimal, normalize

_MODIFIER = "Lm"
_FILLERS = "\u115f\u1160"
"""Letters that cannot be seen (Hangul fillers); other fillers decompose to the second."""
_OTHER = "C"
_SEPARATOR = "Z"


@lru_cache(maxsize=8192)  # One batch names each of its numbers several times.
def normalise_number(text: str) -> str:
    """The letters and digits of a tracking number in upper case: two spellings compare equal.

    Everything else is left out: spaces, dashes, brackets, combining and invisible characters.
    Compatibility forms (full-width, circled) and decimal digits of other scripts become plain ones
    (Unicode NFKD, UAX #15). Letters of other scripts count; modifier letters do not, as some of
    them are written for a dash. Empty where the text has no letter and no digit.
    """
    if text.isascii():
        return (text if text.isalnum() else "".join(filter(str.isalnum, text))).upper()
    return _normalise(text)


def _normalise(text: str) -> str:
    decomposed = normalize("NFKD", text)
    found = (each for each in decomposed if each.isalnum() and each not in _FILLERS)
    plain = "".join(_plain(each) for each in found if category(each) != _MODIFIER)
    # Case folding first: it has one form for each letter (ß and ẞ are "ss"), upper case has not.
    return plain.casefold().upper()


def _plain(character: str) -> str:
    digit = decimal(character, None)
    return character if digit is None else str(digit)


def shown_number(text: str) -> str:
    """A tracking number as its sender wrote it, without what cannot be seen.

    Control and format characters and fillers are left out, each other blank becomes a space,
    full-width characters become plain ones (Unicode NFKC).
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    visible = (_visible(each) for each in normalize("NFKC", text))
    return " ".join("".join(visible).split())


def _visible(character: str) -> str:
    kind = category(character)[0]
    if kind == _SEPARATOR or character in "\t\r\n":
        return " "
    return "" if kind == _OTHER or character in _FILLERS else character
