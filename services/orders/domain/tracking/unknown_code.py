"""Unknown code: what a carrier said of a scan and no code map has (docs/scan-rules.md, rule 15)."""

from __future__ import annotations

from services.orders.domain.tracking.naming import CodeMaps
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value


class UnknownCode(Value, frozen=True, kw_only=True):
    """A code, with the tracking number and the words of a scan that has it."""

    code_set: str
    """The set that was looked into, in lower case."""
    name: str
    """What the sender calls the scan; empty for none."""
    code: str
    """The carrier's own code; empty for none."""
    number: str
    text: str | None


def unknown_code_of(scan: Scan, number: str, maps: CodeMaps) -> UnknownCode | None:
    """The unknown code of an `UNMAPPED` scan; None where a row has it, or none was said."""
    code_set = scan.code_set or scan.carrier
    if code_set is None or (scan.name is None and scan.code is None):
        return None
    if maps.find(code_set, scan.name, scan.code) is not None:
        return None
    return UnknownCode(
        code_set=code_set.casefold(),
        name=scan.name or "",
        code=scan.code or "",
        number=number,
        text=scan.text,
    )
