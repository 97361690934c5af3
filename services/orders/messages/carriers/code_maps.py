"""Code maps: the `codes.csv` of each folder, read once (docs/scan-rules.md, rule 15).

The set of a folder has the folder's name: the key of a carrier, or the name of a dialect. Columns:
`code` (one that ends in `*` stands for all codes that begin so), `event_name` of the catalogue, and
`source`, the page that says so.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from zlib import crc32

from msgspec import Struct

from services.orders.domain.tracking.catalogue import CATALOGUE
from services.orders.domain.tracking.naming import CodeMaps, code_set_of

FOLDER = Path(__file__).parent
CODES = "codes.csv"


class CodeRow(Struct, frozen=True, gc=False):
    """One row of a code map."""

    code: str
    event_name: str
    source: str


def read_rows(path: Path) -> list[CodeRow]:
    """Read a code map.

    Raises:
        ValueError: a row is not complete, names no event of the catalogue, or stands twice.
    """
    rows: dict[str, CodeRow] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            row = CodeRow(*((line[column] or "").strip() for column in CodeRow.__struct_fields__))
            if not (row.code and row.source) or row.event_name not in CATALOGUE:
                raise ValueError(f"{path}: {row} needs a code, a known event name and a source")
            if rows.setdefault(row.code, row) is not row:
                raise ValueError(f"{path}: {row.code!r} stands twice")
    return list(rows.values())


def code_maps_of(rows: Mapping[str, list[CodeRow]]) -> CodeMaps:
    """The code maps of these rows, by set."""
    sets = {
        name: code_set_of({row.code: row.event_name for row in rows[name]}) for name in sorted(rows)
    }
    checksum = f"{crc32(repr(sets).encode()):08x}"
    return CodeMaps(sets=MappingProxyType(sets), checksum=checksum)


ROWS: Mapping[str, list[CodeRow]] = MappingProxyType(
    {path.parent.name: read_rows(path) for path in sorted(FOLDER.glob(f"*/{CODES}"))}
)
"""The rows of each code map, by the name of its set."""

CODE_MAPS = code_maps_of(ROWS)
