"""Codes: a carrier's own codes as event names of the catalogue (docs/scan-rules.md, rule 15).

Only our own form is known so far, whose codes are the catalogue's names. A carrier's code set is
one more entry in `CODE_SETS`, by its key in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from services.orders.domain.tracking.catalogue import CATALOGUE, SCAN_RETRACTED, UNMAPPED

CODE_SETS: Mapping[str, Mapping[str, str]] = MappingProxyType({})
"""Carrier key -> carrier's code -> event name."""


def event_name_of(
    carrier: str | None, event_name: str | None, code: str | None, retracts: str | None = None
) -> str:
    """The catalogue's name for a scan; `UNMAPPED` rather than a guess (rule 15).

    A scan that takes another back is `SCAN_RETRACTED`, whatever it is called.
    """
    if retracts is not None:
        return SCAN_RETRACTED
    if event_name is not None:
        name = event_name.strip().upper()
        return name if name in CATALOGUE else UNMAPPED
    if code is None:
        return UNMAPPED
    known = CODE_SETS.get((carrier or "").casefold(), {}).get(code)
    spelled = code.strip().upper()
    return known or (spelled if spelled in CATALOGUE else UNMAPPED)
