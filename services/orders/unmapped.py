"""Unmapped codes: what carriers said and no code map has (docs/scan-rules.md, rule 15).

Rows are written in the transaction of the batch, as its last locks of the service and in the order
of the codes, so that no two batches can wait for each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from asyncpg import Connection
from msgspec import Struct

from services.orders.domain.tracking.naming import CodeMaps
from services.orders.domain.tracking.unknown_code import UnknownCode
from services.orders.messages.carriers.code_maps import KEYS
from services.orders.messages.carriers.registry import DIALECTS
from services.orders.outcomes import SERVICE
from services.runtime.observability.metrics import Metrics
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sql" / "unmapped.sql")
ROWS_MAX = 10_000
OTHER = "other"
_LABELS = frozenset(key.key for key in KEYS) | DIALECTS.keys()


class UnmappedCode(Struct, frozen=True, gc=False):
    """A code that no code map had when a scan with it came."""

    code_set: str
    name: str
    code: str
    scans: int
    first_seen: datetime
    last_seen: datetime
    sample_number: str
    sample_text: str | None


async def save(connection: Connection, found: Collection[UnknownCode], now: datetime) -> None:
    """Count scans with unknown codes at business time `now`; one statement."""
    times = Counter((each.code_set, each.name, each.code) for each in found)
    last = {(each.code_set, each.name, each.code): each for each in found}
    rows = [(*key, times[key], last[key].number, last[key].text) for key in sorted(times)]
    columns = map(list, zip(*rows, strict=True))
    await connection.execute(SQL["save_unmapped"], *columns, now, ROWS_MAX)


def count(metrics: Metrics, found: Collection[UnknownCode]) -> None:
    """Count scans with unknown codes by carrier or dialect; what is neither of ours is `other`."""
    carriers = Counter(each.code_set for each in found)
    for carrier, scans in carriers.items():
        label = carrier if carrier in _LABELS else OTHER
        metrics.unmapped_scans_total.labels(SERVICE, label).inc(scans)


async def find(connection: Connection, code_set: str | None, limit: int) -> Sequence[UnmappedCode]:
    """The codes with most scans first; of one set, or of all."""
    rows = await connection.fetch(SQL["find_unmapped"], code_set, limit)
    return [UnmappedCode(**row) for row in rows]


async def forget_known(connection: Connection, maps: CodeMaps) -> int:
    """Delete the codes that the code maps have; returns how many."""
    found = await find(connection, None, ROWS_MAX)
    known = [
        (each.code_set, each.name, each.code)
        for each in found
        if maps.find(each.code_set, each.name or None, each.code or None) is not None
    ]
    if known:
        columns = map(list, zip(*known, strict=True))
        await connection.execute(SQL["delete_unmapped"], *columns)
    return len(known)
