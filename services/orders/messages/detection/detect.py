"""Carriers found from a tracking number: candidates with evidence, never a carrier.

A pure function of the number, the country of the destination and the data files. Nothing is stored
of it, and no key or id is made of it.
"""

from __future__ import annotations

from functools import lru_cache

from services.orders.domain.model.tracking_number import normalise_number
from services.orders.messages.detection.candidate import CarrierCandidate, Finding

CANDIDATES_MAX = 5
_CHARACTERS_MIN = 8
_CHARACTERS_MAX = 40
_FILLER_DIGITS_MIN = 7
_KINDS_OF_DIGITS_MIN = 3
_RUN = "0123456789" * 5


def candidates_of(number: str, country: str | None) -> tuple[CarrierCandidate, ...]:
    """The carriers that a number may belong to, the most likely first; at most five.

    `country` is the destination's code of ISO 3166-1, as far as it is known.
    """
    return _candidates(normalise_number(number), _code(country))


def findings_of(number: str, country: str | None) -> tuple[Finding, ...]:
    """As `candidates_of`, with the sources."""
    return _findings(normalise_number(number), _code(country))


def _code(country: str | None) -> str | None:
    return country.upper() if country else None


@lru_cache(maxsize=8192)  # An order is published several times with the same numbers.
def _candidates(number: str, country: str | None) -> tuple[CarrierCandidate, ...]:
    return tuple(each.candidate for each in _findings(number, country))


def _findings(number: str, country: str | None) -> tuple[Finding, ...]:
    if not _may_be_real(number):
        return ()
    # Imported with the first number that needs it: forms cost 21 ms and 5 MB.
    from services.orders.messages.detection.weigh_forms import findings

    return findings(number, country)[:CANDIDATES_MAX]


def _may_be_real(number: str) -> bool:
    """Whether a normalised number can be a carrier's; placeholders such as 123456789012 are not."""
    if not (_CHARACTERS_MIN <= len(number) <= _CHARACTERS_MAX and number.isascii()):
        return False
    digits = "".join(filter(str.isdecimal, number))
    if len(digits) < _FILLER_DIGITS_MIN:
        return True
    return len(set(digits)) >= _KINDS_OF_DIGITS_MIN and digits not in _RUN
