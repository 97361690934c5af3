"""Items that name what nobody has seen yet: kept whole, matched when it appears, else expired."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg
from asyncpg import Connection

from services.runtime.messages.headers import pack_headers, unpack_headers
from services.runtime.messages.records import Coordinates, Original
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "store.sql")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One waiting item; `waits_for` names what must appear, `expires_at` is business time."""

    item_id: str
    waits_for: str
    original: Original
    index: int
    expires_at: datetime


async def save(connection: Connection, rows: Sequence[Waiting]) -> set[str]:
    """Keep the items and return their ids; one that waits already is left as it is."""
    if not rows:
        return set()
    columns = map(list, zip(*map(_columns, rows), strict=True))
    return {str(row["item_id"]) for row in await connection.fetch(SQL["save_waiting"], *columns)}


async def take(connection: Connection, names: Collection[str]) -> list[Waiting]:
    """Lock and return what waits for any of `names`, in the order it came."""
    return [from_row(row) for row in await connection.fetch(SQL["take_waiting"], list(names))]


async def remove(connection: Connection, item_ids: Collection[str]) -> None:
    """Forget items that have their final outcome."""
    if item_ids:
        await connection.execute(SQL["remove_waiting"], list(item_ids))


async def lock_expired(connection: Connection, now: datetime, limit: int) -> list[Waiting]:
    """Items whose time is over at business time `now`, skipping those being decided."""
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
    """A row of the table, whichever statement read it."""
    original = Original(
        Coordinates(row["topic"], row["partition"], row["offset"]),
        row["key"],
        tuple(unpack_headers(row["headers"])),
        row["value"],
        row["record_timestamp"],
    )
    return Waiting(str(row["item_id"]), row["waits_for"], original, row["index"], row["expires_at"])
