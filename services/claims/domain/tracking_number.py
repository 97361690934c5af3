"""Tracking numbers: how they are compared, as the orders service compares them.

Services do not import each other; a test compares the two functions.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import category, decimal, normalize

_MODIFIER = "Lm"
_FILLERS = "\u115f\u1160"
"""Letters that cannot be seen (Hangul fillers); other fillers decompose to the second."""


def normalise_number(text: str) -> str:
    """The letters and digits of a tracking number in upper case: two spellings compare equal.

    `services/orders/domain/model/tracking_number.py` has the rule. Empty where the text has no
    letter and no digit.
    """
    if text.isascii():
        return (text if text.isalnum() else "".join(filter(str.isalnum, text))).upper()
    return _normalise(text)


@lru_cache(maxsize=1024)
def _normalise(text: str) -> str:
    decomposed = normalize("NFKD", text)
    found = (each for each in decomposed if each.isalnum() and each not in _FILLERS)
    plain = "".join(_plain(each) for each in found if category(each) != _MODIFIER)
    return plain.casefold().upper()


def _plain(character: str) -> str:
    digit = decimal(character, None)
    return character if digit is None else str(digit)
