"""The generated tables of docs/carriers.md, from the data of the carriers' folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from services.orders.domain.tracking.catalogue import UNMAPPED
from services.orders.messages.carriers import registry
from services.orders.messages.carriers.code_maps import FOLDER, KEYS, ROWS, CarrierKey

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "corpus" / "carriers"
_ADDRESS = re.compile(r"https://[^\s)>,]+")
_SOURCES_SHOWN = 3


def dialect_table() -> str:
    """Every dialect as a row: type, form, how it is chosen without a type, cases, pages."""
    head = ("dialect", "message type", "form", "without a type", "cases", "documented at")
    return _table(head, map(_dialect_row, sorted(registry.DIALECTS)))


def code_set_table() -> str:
    """Every code set as a row: what its rows say, who uses it, and the pages they are from."""
    head = (
        "code set",
        "codes",
        "named",
        "known, no name",
        "reason",
        "action",
        "used by",
        "sources",
    )
    return _table(head, map(_code_set_row, sorted(ROWS)))


def key_table() -> str:
    """Every key of a carrier as a row: its sets, and what is not known of it."""
    head = ("key", "carrier", "code sets", "forms of its own", "gap")
    return _table(head, (_key_row(key) for key in KEYS))


def total_line() -> str:
    """The sums over all tables, in one sentence."""
    rows = [row for rows in ROWS.values() for row in rows]
    named = sum(row.event_name != UNMAPPED for row in rows)
    cases = sum(_cases(name) for name in (*registry.DIALECTS, "standard"))
    without = sum(not key.code_sets for key in KEYS)
    return (
        f"{len(registry.DIALECTS)} dialects beside our own form, {cases} payloads with their right "
        f"answers, {len(ROWS)} code sets with {len(rows):,} codes ({named:,} with an event name), "
        f"{len(KEYS)} keys, of which {without} have no public list of codes."
    )


def _dialect_row(name: str) -> Sequence[str]:
    dialect = registry.DIALECTS[name]
    parser = import_module(f"services.orders.messages.carriers.{name}.parser")
    suffixes = {path.suffix for path in (FOLDER / name / "examples").iterdir()}
    chosen = ["shape"] * (dialect.shape is not None) + list(map(_code, dialect.content_types))
    return (
        _code(name),
        ", ".join(map(_code, dialect.types)),
        " and ".join(sorted(suffix.lstrip(".").upper() for suffix in suffixes)),
        ", ".join(chosen) or "–",
        str(_cases(name)),
        _links(_ADDRESS.findall(parser.__doc__ or "")),
    )


def _code_set_row(name: str) -> Sequence[str]:
    rows = ROWS[name]
    named = sum(row.event_name != UNMAPPED for row in rows)
    users = [key.key for key in KEYS if name in _sets_of(key)]
    return (
        _code(name),
        f"{len(rows):,}",
        f"{named:,}",
        f"{len(rows) - named:,}",
        f"{sum(bool(row.reason) for row in rows):,}",
        f"{sum(bool(row.action) for row in rows):,}",
        ", ".join(map(_code, users)) or "–",
        _links(row.source for row in rows),
    )


def _key_row(key: CarrierKey) -> Sequence[str]:
    own = [name for name in _sets_of(key) if name in registry.DIALECTS]
    return (
        _code(key.key),
        key.name,
        ", ".join(map(_code, key.code_sets.split())) or "–",
        ", ".join(map(_code, own)) or "–",
        key.note,
    )


def _sets_of(key: CarrierKey) -> list[str]:
    return [each.partition(":")[0] for each in key.code_sets.split()]


def _cases(name: str) -> int:
    return len(list((CORPUS / name).glob("*.answer.json")))


def _links(addresses: Iterable[str]) -> str:
    """The first pages as links by their host, and how many more there are."""
    found = list(dict.fromkeys(address.rstrip(".:-") for address in addresses))
    shown = [f"[{each.split('/')[2]}]({each})" for each in found[:_SOURCES_SHOWN]]
    more = len(found) - len(shown)
    return (", ".join(shown) + (f" and {more} more" if more else "")) or "–"


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_lines(head, rows))


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        cells = (cell.replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
