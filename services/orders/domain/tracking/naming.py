"""Naming: what a scan is called by the present code maps (docs/scan-rules.md, rules 2 and 15).

A scan keeps what its carrier said: code, name and text. Its event name follows from these and from
the maps, and is found again when the state is computed from all scans. So a map that grows also
names the scans that are stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from operator import attrgetter
from types import MappingProxyType

from services.orders.domain.tracking.catalogue import CATALOGUE, UNMAPPED, Flag, Why
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import Value, replace

WILDCARD = "*"
SEPARATOR = "/"
"""Stands between a code, its sub-code and its class, in a scan and in a row."""
_PARTS = 3


class Meaning(Value, frozen=True, kw_only=True):
    """What one row of a code map says of a scan."""

    event_name: str
    reason: str | None = None
    """The family of the reason: one of `reasons.csv`."""
    flag: Flag | None = None
    action_required: bool = False
    """Whether the addressee or the shop has to act."""
    row: str | None = None
    """The set and the codes of the row; None where no row has what was said."""


class CodeSet(Value, frozen=True, kw_only=True):
    """The codes of one carrier or aggregator."""

    exact: Mapping[str, Meaning]
    """By code, sub-code and class with `/` between; what ends a key may be missing."""
    classless: Mapping[str, Meaning]
    """By code and sub-code, where all rows of both have one class."""
    prefixes: tuple[tuple[str, Meaning], ...] = ()
    """Beginnings of codes, the longest first: rows that end in `*`."""

    def find(self, said: str | None) -> Meaning | None:
        """The meaning of a code; None where no row has it.

        The most exact row counts: with sub-code and class, then without the class, then without
        the sub-code, then by a beginning, then any code with the sub-code, then of the class.
        """
        if said is None:
            return None
        found = self.exact.get(said)
        return found if found is not None else self._find_looser(said)

    def _find_looser(self, said: str) -> Meaning | None:
        code, sub_code, code_class = (*said.split(SEPARATOR, _PARTS - 1), "", "")[:_PARTS]
        for sub in dict.fromkeys((sub_code, "")):
            for key in _keys_of(code, sub, code_class):
                if (found := self.exact.get(key)) is not None:
                    return found
            if not code_class and (found := self.classless.get(_key_of(code, sub))) is not None:
                return found
        for start, meaning in self.prefixes:
            if said.startswith(start):
                return meaning
        if sub_code and (found := self.exact.get(_key_of(WILDCARD, sub_code))) is not None:
            return found
        return self.exact.get(_key_of(WILDCARD, "", code_class)) if code_class else None


class UsedSet(Value, frozen=True, kw_only=True):
    """A code set that a carrier uses, with the class of the carrier's codes in it."""

    name: str
    code_class: str = ""

    def said(self, code: str) -> str:
        """A code of the carrier as the set has it."""
        if not self.code_class or code.count(SEPARATOR) >= _PARTS - 1:
            return code
        code, _, sub_code = code.partition(SEPARATOR)
        return _key_of(code, sub_code, self.code_class)


class CodeMaps(Value, frozen=True, kw_only=True):
    """All code sets, by the key of the carrier or the name of the dialect, in lower case."""

    sets: Mapping[str, CodeSet]
    used: Mapping[str, tuple[UsedSet, ...]] = MappingProxyType({})
    """The sets that a carrier uses, best first; a key without any uses the set of its name."""
    reasons: Mapping[str, str] = MappingProxyType({})
    """The family of each word that a carrier says for a reason, in lower case."""
    checksum: str
    """Changes with any row."""

    def find(self, code_set: str | None, name: str | None, code: str | None) -> Meaning | None:
        """The meaning of what a carrier said, by the first set that has it; None if none has.

        A name counts before a code.
        """
        if not code_set:
            return None
        key = code_set.casefold()
        used = self.used.get(key) or (UsedSet(name=key),)
        for said in (name, code):
            for each in used if said is not None else ():
                codes = self.sets.get(each.name)
                if codes is not None and (found := codes.find(each.said(said or ""))) is not None:
                    return found
        return None

    def meaning_of(self, code_set: str | None, name: str | None, code: str | None) -> Meaning:
        """The meaning of what a carrier said; `UNMAPPED` rather than a guess (rule 15).

        A name counts before a code, and the rows of the set before the names of the catalogue.
        """
        found = self.find(code_set, name, code)
        if found is not None:
            return found
        said = code if name is None else name
        spelled = said_form(said) if said is not None else UNMAPPED
        return _BY_NAME.get(spelled) or _BY_NAME[UNMAPPED]

    def why_of(self, reason: str | None, row: Meaning | None = None) -> Why | None:
        """What a word that a carrier said for a reason, and a row, say; None for nothing."""
        family = self.reasons.get(reason.strip().casefold()) if reason is not None else None
        if row is None:
            return Why(reason_code=family) if family is not None else None
        family = family or row.reason
        if family is None and not row.action_required:
            return None
        return Why(reason_code=family, action_required=row.action_required)


_BY_NAME = {name: Meaning(event_name=name) for name in CATALOGUE}

NO_MAPS = CodeMaps(sets=MappingProxyType({}), checksum="none")


def code_set_of(rows: Mapping[str, Meaning]) -> CodeSet:
    """The code set of these rows: code, or beginning of a code and `*`, to its meaning."""
    starts = [
        (said[:-1], meaning)
        for said, meaning in rows.items()
        if said.endswith(WILDCARD) and said != WILDCARD
    ]
    exact = {said: meaning for said, meaning in rows.items() if not said.endswith(WILDCARD)}
    return CodeSet(
        exact=exact,
        classless=_classless(exact),
        prefixes=tuple(sorted(starts, key=lambda row: -len(row[0]))),
    )


def _classless(exact: Mapping[str, Meaning]) -> Mapping[str, Meaning]:
    """The meanings of codes that stand once, by code and sub-code."""
    found: dict[str, list[Meaning]] = {}
    for said, meaning in exact.items():
        code, sub_code, code_class = (*said.split(SEPARATOR, _PARTS - 1), "", "")[:_PARTS]
        if code_class:
            found.setdefault(_key_of(code, sub_code), []).append(meaning)
    return {key: same[0] for key, same in found.items() if len(same) == 1}


def _key_of(*parts: str) -> str:
    return SEPARATOR.join(parts).rstrip(SEPARATOR)


def _keys_of(code: str, sub_code: str, code_class: str) -> tuple[str, str]:
    return _key_of(code, sub_code, code_class), _key_of(code, sub_code)


def said_form(name: str) -> str:
    """A name as it is compared: two spellings of one name are equal."""
    return name.strip().upper()


def said_name(scan: Scan) -> str | None:
    """The name that the sender gave a scan, as it is compared; None for a code or text only."""
    if scan.name is not None:
        return said_form(scan.name)
    return scan.event_name if scan.code_set is None else None


def any_named_by_map(scans: Collection[Scan]) -> bool:
    """Whether the name or the reason of one of the scans may differ under other maps.

    Most scans have their names from their senders: the first look is at all of them at once.
    """
    is_plain = _PLAIN.issuperset(map(_BY_MAP, scans)) and UNMAPPED not in map(_EVENT_NAME, scans)
    return not is_plain and any(is_named_by_map(scan) or has_word(scan) for scan in scans)


_BY_MAP = attrgetter("code_set", "reason")
_EVENT_NAME = attrgetter("event_name")
_PLAIN = frozenset({(None, None)})


def has_word(scan: Scan) -> bool:
    """Whether a scan has a word for a reason, whose family may be another under other maps."""
    return scan.reason is not None and scan.retracts is None


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
    """The scan with its name and meaning by the maps; the same object where they are no other."""
    if is_named_by_map(scan):
        return with_meaning(scan, meaning_of(scan, maps), maps)
    if not has_word(scan):
        return scan
    why = maps.why_of(scan.reason)
    return scan if why == scan.why else replace(scan, why=why)


def meaning_of(scan: Scan, maps: CodeMaps) -> Meaning:
    """What the maps say of a scan that is named by them."""
    return maps.meaning_of(scan.code_set or scan.carrier, scan.name, scan.code)


def with_meaning(scan: Scan, meaning: Meaning, maps: CodeMaps) -> Scan:
    """A scan with this meaning; the reason that the carrier said in a word counts first."""
    name, why = meaning.event_name, maps.why_of(scan.reason, meaning)
    flag = meaning.flag if name == UNMAPPED else None
    if (name, why, flag) == (scan.event_name, scan.why, scan.flag):
        return scan
    return replace(scan, event_name=name, why=why, flag=flag)
