"""Retractions of UPS: a void or cancelled movement takes back the last scan of its kind before it.

UPS names no scan that is taken back. A push has one scan alone: what it takes back is found when
the history comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from services.orders.messages.carriers.dialect import SaidScan

_PICK_UPS, _ARRIVALS, _DEPARTURES = ("OR", "PU", "XD"), ("AR",), ("DP",)
_TAKEN_BACK: Mapping[str, tuple[str, ...]] = {
    "VP": _PICK_UPS,
    "CA": _ARRIVALS,
    "CD": _DEPARTURES,
    "CL": ("UL",),
}
"""The codes of movement scans that each code takes back."""
_MOVEMENTS = ("I", "P", "")
"""Activity types of movements; the same codes mean other things in exceptions and manifests."""


def with_retractions(scans: Sequence[SaidScan]) -> list[SaidScan]:
    """The scans, each void one with the scan that it takes back, if that is there."""
    found = list(scans)
    codes = [_movement(scan) for scan in found]
    if not any(code in _TAKEN_BACK for code in codes):
        return found
    order = sorted(
        range(len(found)), key=lambda at: (found[at].moment.at, codes[at] in _TAKEN_BACK)
    )
    free: list[int] = []
    for at in order:
        kinds = _TAKEN_BACK.get(codes[at] or "", ())
        taken = next((other for other in reversed(free) if codes[other] in kinds), None)
        if taken is not None:
            free.remove(taken)
            found[at] = replace(found[at], retracts=found[taken].scan_id)
        elif not kinds:
            free.append(at)
    return found


def _movement(scan: SaidScan) -> str | None:
    """The code of a movement scan; None for another scan."""
    code, _, code_class = (*(scan.code or "").split("/", 2), "", "")[:3]
    return code if code_class in _MOVEMENTS else None
