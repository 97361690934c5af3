"""Waiting items in Postgres: kept whole until what they name appears, or until they expire."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg
from asyncpg import Connection

from services.runtime.messages.headers import pack_headers
from services.runtime.messages.records import Original
from services.runtime.postgres.originals import read_original
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "store.sql")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting item. `waits_for` is the key of what must appear, `expires_at` business time."""

    item_id: str
    waits_for: str
    original: Original
    index: int
    expires_at: datetime


async def save(connection: Connection, rows: Sequence[Waiting]) -> set[str]:
    """Store waiting items; returns the ids of those stored. The others have a row already."""
    if not rows:
        return set()
    columns = map(list, zip(*map(_columns, rows), strict=True))
    return {str(row["item_id"]) for row in await connection.fetch(SQL["save_waiting"], *columns)}


async def lock(connection: Connection, keys: Collection[str]) -> list[Waiting]:
    """Lock and return the items that wait for any of the keys, in the order they came."""
    return [from_row(row) for row in await connection.fetch(SQL["lock_waiting"], list(keys))]


async def remove(connection: Connection, item_ids: Collection[str]) -> None:
    """Delete the rows of items that wait no longer."""
    if item_ids:
        await connection.execute(SQL["remove_waiting"], list(item_ids))


async def lock_expired(connection: Connection, now: datetime, limit: int) -> list[Waiting]:
    """Lock and return items that have expired by business time `now`, except rows locked elsewhere.

    An item does not expire while what it waits for is parked.
    """
    rows = await connection.fetch(SQL["lock_expired_waiting"], now, limit)
    return [from_row(row) for row in rows]


async def count(connection: Connection) -> dict[str, int]:
    """How many items wait, by topic."""
    return {row["topic"]: row["items"] for row in await connection.fetch(SQL["count_waiting"])}


def _columns(row: Waiting) -> tuple[object, ...]:
    at = row.original.coordinates
    return (
        row.item_id,
        row.waits_for,
        at.topic,
        at.partition,
        at.offset,
        row.index,
        row.original.key,
        pack_headers(row.original.headers),
        row.original.value,
        row.original.timestamp,
        row.expires_at,
    )


def from_row(row: asyncpg.Record) -> Waiting:
    """The waiting item in a row, whichever statement read the row."""
    return Waiting(
        str(row["item_id"]),
        row["waits_for"],
        read_original(row),
        row["index"],
        row["expires_at"],
    )
