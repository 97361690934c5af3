"""Code maps: the data files that say what the codes of carriers mean (docs/scan-rules.md, rule 15).

- `<folder>/codes.csv`: the codes of one carrier, or of one aggregator. The set has the folder's
  name. Columns: see `CodeRow`.
- `keys.csv`: which sets each carrier key uses for codes in our own form.
- `reasons.csv`: the families of reasons, and the words that stand for each.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from zlib import crc32

from msgspec import Struct

from services.orders.domain.tracking.catalogue import CATALOGUE, Flag
from services.orders.domain.tracking.naming import CodeMaps, CodeSet, Meaning, UsedSet, code_set_of

FOLDER = Path(__file__).parent
CODES = "codes.csv"
_COLUMNS = ("code", "sub_code", "class", "event_name", "reason", "flag", "action", "source", "note")
_FLAGS = ("", "delay", "error")
_ACTIONS = ("", "yes")


class CodeRow(Struct, frozen=True, gc=False):
    """One row of a code map."""

    code: str
    """As the carrier writes it. One that ends in `*` stands for all that begin so, and `*` alone,
    with a sub-code or a class, for all that have it."""
    sub_code: str
    """The carrier's second code: a reason, a detail."""
    code_class: str
    """What distinguishes equal codes: the standard event of DHL Paket, the activity type of UPS."""
    event_name: str
    """A name of the catalogue. `UNMAPPED` in a row: the code is known, and no name fits it."""
    reason: str
    """One of the families of `reasons.csv`, or nothing."""
    flag: str
    """What the event name sets; of a row without a name, what the code means."""
    action: str
    """`yes` where the addressee or the shop has to act."""
    source: str
    """The page or file that describes the code."""
    note: str
    """What the event name does not say."""

    @property
    def said(self) -> str:
        """The codes as a scan has them: code, sub-code and class with `/` between."""
        return f"{self.code}/{self.sub_code}/{self.code_class}".rstrip("/")


class CarrierKey(Struct, frozen=True, gc=False):
    """One key of a carrier, and the code sets that it uses, best first."""

    key: str
    name: str
    code_sets: str
    """Names of sets, with a space between; one may have a class: `dhl_unified:express`."""
    note: str


def read_table(path: Path, columns: Iterable[str]) -> list[tuple[str, ...]]:
    """The rows of a data file, without spaces around the cells.

    Raises:
        ValueError: the file does not have these columns.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        if tuple(next(reader, ())) != (expected := tuple(columns)):
            raise ValueError(f"{path}: the columns must be {','.join(expected)}")
        return [tuple(cell.strip() for cell in line) for line in reader]


def read_rows(path: Path) -> list[CodeRow]:
    """Read a code map.

    Raises:
        ValueError: a row is not complete, names no event of the catalogue, or stands twice.
    """
    rows: dict[str, CodeRow] = {}
    for line in read_table(path, _COLUMNS):
        row = CodeRow(*line)
        if not (row.code and row.source):
            raise ValueError(f"{path}: {row.said!r} needs a code and a source")
        if row.event_name not in CATALOGUE:
            raise ValueError(f"{path}: {row.said!r}: {row.event_name!r} is no event name of ours")
        if row.flag not in _FLAGS or row.action not in _ACTIONS:
            raise ValueError(
                f"{path}: {row.said!r} needs a flag of {_FLAGS} and an action of {_ACTIONS}"
            )
        if row.reason and row.reason not in (families := sorted(set(REASONS.values()))):
            raise ValueError(f"{path}: {row.said!r}: no family {row.reason}; there are {families}")
        if rows.setdefault(row.said, row) is not row:
            raise ValueError(f"{path}: {row.said!r} stands twice")
    return list(rows.values())


def meaning_of(name: str, row: CodeRow) -> Meaning:
    """What a row of the named set says of a scan."""
    return Meaning(
        event_name=row.event_name,
        reason=row.reason or None,
        flag=Flag(row.flag) if row.flag else None,
        action_required=row.action == "yes",
        row=f"{name}/{row.said}",
    )


def set_of(name: str, rows: Iterable[CodeRow]) -> CodeSet:
    """The code set of these rows."""
    return code_set_of({row.said: meaning_of(name, row) for row in rows})


def _used(key: CarrierKey) -> tuple[UsedSet, ...]:
    parts = [part.partition(":") for part in key.code_sets.split()]
    return tuple(UsedSet(name=name, code_class=found) for name, _, found in parts)


def code_maps_of(rows: Mapping[str, list[CodeRow]]) -> CodeMaps:
    """The code maps of these rows, by set, with the carriers' keys and the reasons."""
    sets = {name: set_of(name, rows[name]) for name in sorted(rows)}
    used = {key.key: _used(key) for key in KEYS}
    checksum = f"{crc32(repr((sets, used, dict(REASONS))).encode()):08x}"
    return CodeMaps(
        sets=MappingProxyType(sets),
        used=MappingProxyType(used),
        reasons=REASONS,
        checksum=checksum,
    )


REASONS: Mapping[str, str] = MappingProxyType(
    {
        word: family
        for family, _, word, *_ in read_table(
            FOLDER / "reasons.csv", ("family", "group", "word", "source", "note")
        )
    }
)
"""The family of each word that a carrier says for a reason, in lower case."""

KEYS = tuple(
    CarrierKey(*line)
    for line in read_table(FOLDER / "keys.csv", ("key", "name", "code_sets", "note"))
)
"""The carriers' keys."""

ROWS: Mapping[str, list[CodeRow]] = MappingProxyType(
    {path.parent.name: read_rows(path) for path in sorted(FOLDER.glob(f"*/{CODES}"))}
)
"""The rows of each code map, by the name of its set."""

CODE_MAPS = code_maps_of(ROWS)
