"""Check digits of tracking numbers: the last character as the characters before it give it.

Each takes a number that fits its form, and gives the number's right check character.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import cycle
from types import MappingProxyType

from stdnum import ean
from stdnum.iso7064 import mod_37_36


def _weighted(digits: str, weights: Iterable[int], start: int = 0) -> str:
    """What is missing to the next ten after the weighted sum of the digits."""
    total = start + sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
    return str(-total % 10)


def _gs1(number: str) -> str:
    return str(ean.calc_check_digit(number[:-1]))


def _colissimo(number: str) -> str:
    """As GS1, without the two characters of the product."""
    return _gs1(number[2:])


def _identcode(number: str) -> str:
    return _weighted(number[:-1], cycle((4, 9)))


def _gls(number: str) -> str:
    return _weighted(number[:-1], cycle((3, 1)), start=1)


def _mod10_12(number: str) -> str:
    """Weights 1 and 2, products not reduced; the letter before the digits does not count."""
    return _weighted(number[1:-1], cycle((1, 2)))


def _mod37_36(number: str) -> str:
    return str(mod_37_36.calc_check_digit(number[:-1]))


CHECK_DIGITS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "gs1": _gs1,
        "colissimo": _colissimo,
        "identcode": _identcode,
        "gls": _gls,
        "mod10_12": _mod10_12,
        "mod37_36": _mod37_36,
    }
)
"""By the name that `forms.csv` has in its column `check`."""
