"""What named a scan: a row of a code map, a name of the catalogue, or nothing.

Rules: docs/scan-rules.md, rules 2 and 15.
"""

from __future__ import annotations

from enum import StrEnum

from services.orders.domain.tracking.catalogue import CATALOGUE, UNMAPPED
from services.orders.domain.tracking.naming import CodeMaps, is_named_by_map, said_form
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value


class Namer(StrEnum):
    """What gave a scan its event name."""

    MAP = "map"
    CATALOGUE = "catalogue"
    RETRACTION = "retraction"
    NOTHING = "nothing"


class NamedBy(Value, frozen=True, kw_only=True):
    """How the present code maps name a scan, and what else their row says of it."""

    namer: Namer
    event_name: str
    row: str | None = None
    """The set and the codes of the row."""
    reason: str | None = None
    """The family of the reason: by the row, else by the word that the carrier says."""
    flag: str | None = None
    action_required: bool = False

    @property
    def sentence(self) -> str:
        """For an operator."""
        return self.row if self.row is not None else _SENTENCES[self.namer]


_SENTENCES = {
    Namer.MAP: "a row of a map",
    Namer.CATALOGUE: "a name of the catalogue",
    Namer.RETRACTION: "it takes a scan back",
    Namer.NOTHING: "no row",
}


def named_by(scan: Scan, maps: CodeMaps) -> NamedBy:
    """What names a scan; its stored event name may be of maps before, until it is named again."""
    family = maps.reasons.get(scan.reason.strip().casefold()) if scan.reason else None
    if scan.retracts is not None:
        return NamedBy(namer=Namer.RETRACTION, event_name=scan.event_name, reason=family)
    if not is_named_by_map(scan):
        is_known = scan.event_name != UNMAPPED
        namer = Namer.CATALOGUE if is_known else Namer.NOTHING
        return NamedBy(namer=namer, event_name=scan.event_name, reason=family)
    return _by_map(scan, maps, family)


def _by_map(scan: Scan, maps: CodeMaps, family: str | None) -> NamedBy:
    found = maps.find(scan.code_set or scan.carrier, scan.name, scan.code)
    if found is not None:
        return NamedBy(
            namer=Namer.MAP,
            event_name=found.event_name,
            row=found.row,
            reason=found.reason or family,
            flag=found.flag,
            action_required=found.action_required,
        )
    said = said_form(scan.code or "" if scan.name is None else scan.name)
    if said in CATALOGUE and said != UNMAPPED:
        return NamedBy(namer=Namer.CATALOGUE, event_name=said, reason=family)
    return NamedBy(namer=Namer.NOTHING, event_name=UNMAPPED, reason=family)
