"""Rows of the outbox as the relay reads them, whichever of the two forms they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.runtime.messages.headers import Unreadable
from services.runtime.outbox.packing import Columns, unpack


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """Records of one shard that were written in one transaction; `topics` to `values` in step.

    `headers` are packed (`event_headers.py`), `caused_at` is None where no message caused them.
    """

    shard: int
    id: int
    slot: int
    topics: Sequence[str]
    keys: Sequence[bytes]
    headers: Sequence[bytes]
    values: Sequence[bytes]
    created_at: datetime
    caused_at: datetime | None
    is_last: bool


def read_row(row: Any) -> OutboxRow:
    """A row of the statement `read_outbox`.

    Raises:
        Unreadable: its records are packed in an unknown form, or damaged.
    """
    if row["packed"] is None:
        records = Columns(row["topics"], row["keys"], row["headers"], row["values"])
    else:
        records = unpack(row["packed"], row["records"], row["unpacked_bytes"])
    return OutboxRow(
        shard=row["shard"],
        id=row["id"],
        slot=row["slot"],
        topics=records.topics,
        keys=records.keys,
        headers=records.headers,
        values=records.values,
        created_at=row["created_at"],
        caused_at=row["caused_at"],
        is_last=row["is_last"],
    )


def read_rows(rows: Sequence[Any]) -> tuple[list[OutboxRow], list[tuple[Any, Unreadable]]]:
    """Rows that can be read, and those that cannot with the reason, each in their order."""
    read: list[OutboxRow] = []
    failed: list[tuple[Any, Unreadable]] = []
    for row in rows:
        try:
            read.append(read_row(row))
        except Unreadable as error:
            failed.append((row, error))
    return read, failed
