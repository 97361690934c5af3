"""Carrier maps: the `carriers.csv` of each folder, what a dialect calls carriers as our keys.

Columns: `said` (compared without case), `carrier`, our key, and `source`. A carrier that is not in
the map of its dialect is not known: its scans are of any carrier, and no parcel is kept from them.
A folder without a map is that of one carrier, whose parser says our key.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from services.orders.messages.carriers.code_maps import FOLDER

CARRIERS = "carriers.csv"


def _read(path: Path) -> Mapping[str, str]:
    """Read a map.

    Raises:
        ValueError: a row is not complete, or a carrier stands twice.
    """
    found: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            said = row["said"].casefold()
            if not (said and row["carrier"] and row["source"]) or said in found:
                raise ValueError(f"{path}: {row} needs a carrier, our key and a source, and once")
            found[said] = row["carrier"]
    return MappingProxyType(found)


CARRIER_MAPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {path.parent.name: _read(path) for path in sorted(FOLDER.glob(f"*/{CARRIERS}"))}
)
"""Our key of each carrier that a dialect names, by the name of the dialect."""


def carrier_of(dialect: str, said: str | None) -> str | None:
    """Our key of what a dialect calls a carrier; None where it is not known."""
    known = CARRIER_MAPS.get(dialect)
    if said is None or known is None:
        return said
    return known.get(said.casefold())
