"""Naming: what a scan is called by the present code maps (docs/scan-rules.md, rules 2 and 15).

A scan keeps what its carrier said: code, name and text. Its event name follows from these and from
the maps, and is found again when the state is computed from all scans. So a map that grows also
names the scans that are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from services.orders.domain.tracking.catalogue import CATALOGUE, SCAN_RETRACTED, UNMAPPED
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value, replace

WILDCARD = "*"


class CodeSet(Value, frozen=True, kw_only=True):
    """The codes of one carrier or aggregator, as event names of the catalogue."""

    exact: Mapping[str, str]
    prefixes: tuple[tuple[str, str], ...] = ()
    """Beginnings of codes, the longest first: rows that end in `*`."""

    def find(self, code: str | None) -> str | None:
        """The event name of a code; None where no row has it."""
        if code is None:
            return None
        found = self.exact.get(code)
        if found is not None:
            return found
        return next((name for start, name in self.prefixes if code.startswith(start)), None)


class CodeMaps(Value, frozen=True, kw_only=True):
    """All code sets, by the key of the carrier or the name of the dialect, in lower case."""

    sets: Mapping[str, CodeSet]
    checksum: str
    """Changes with any row."""

    def name_of(self, code_set: str | None, name: str | None, code: str | None) -> str:
        """The event name of what a carrier said; `UNMAPPED` rather than a guess (rule 15).

        A name counts before a code, and the rows of the set before the names of the catalogue.
        """
        codes = self.sets.get(code_set.casefold()) if code_set else None
        found = codes.find(name) or codes.find(code) if codes is not None else None
        if found is not None:
            return found
        said = code if name is None else name
        spelled = said_form(said) if said is not None else UNMAPPED
        return spelled if spelled in CATALOGUE else UNMAPPED


NO_MAPS = CodeMaps(sets=MappingProxyType({}), checksum="none")


def code_set_of(rows: Mapping[str, str]) -> CodeSet:
    """The code set of these rows: code, or beginning of a code and `*`, to event name."""
    exact = {code: name for code, name in rows.items() if not code.endswith(WILDCARD)}
    starts = [(code[:-1], name) for code, name in rows.items() if code.endswith(WILDCARD)]
    return CodeSet(exact=exact, prefixes=tuple(sorted(starts, key=lambda row: -len(row[0]))))


def said_form(name: str) -> str:
    """A name as it is compared: two spellings of one name are equal."""
    return name.strip().upper()


def said_name(scan: Scan) -> str | None:
    """The name that the sender gave a scan, as it is compared; None for a code or text only."""
    if scan.name is not None:
        return said_form(scan.name)
    return scan.event_name if scan.code_set is None else None


def any_named_by_map(scans: Iterable[Scan]) -> bool:
    """Whether the event name of one of the scans may differ under other maps.

    Most scans have their names from their senders: the first look at each is a short one.
    """
    for scan in scans:
        if (scan.code_set is not None or scan.event_name == UNMAPPED) and is_named_by_map(scan):
            return True
    return False


def is_named_by_map(scan: Scan) -> bool:
    """Whether the event name of a scan may differ under other maps.

    Scans of versions before have no `code_set`; what they could not name may be named.
    """
    if scan.retracts is not None:
        return False
    if scan.code_set is not None:
        return True
    return scan.event_name == UNMAPPED and (scan.code is not None or scan.name is not None)


def named(scan: Scan, maps: CodeMaps) -> Scan:
    """The scan with its event name by the maps; the same object where that is no other."""
    if not is_named_by_map(scan):
        return scan
    name = maps.name_of(scan.code_set or scan.carrier, scan.name, scan.code)
    return scan if name == scan.event_name else replace(scan, event_name=name)


def event_name_of(
    maps: CodeMaps, code_set: str | None, name: str | None, code: str | None, retracts: str | None
) -> str:
    """The event name of what a carrier said.

    A scan that takes another back is `SCAN_RETRACTED`, whatever it is called.
    """
    return SCAN_RETRACTED if retracts is not None else maps.name_of(code_set, name, code)
