"""Reads and writes of the stock schema. Takes a connection; never begins or commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path

from services.runtime.operations.rebuild import empty_tables
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "store.sql")


async def lock_levels(connection: Connection, skus: Collection[str]) -> dict[str, int]:
    """Lock the articles, new ones at level 0; returns the level of each."""
    await connection.execute(SQL["make_levels"], list(skus))
    rows = await connection.fetch(SQL["lock_levels"], list(skus))
    return {row["sku"]: row["level"] for row in rows}


async def save_levels(connection: Connection, levels: Mapping[str, int]) -> None:
    """Write changed levels."""
    if levels:
        await connection.execute(SQL["save_levels"], list(levels), list(levels.values()))


async def empty(connection: Connection, now: datetime) -> dict[str, int]:
    """Empty the tables in the caller's transaction; returns rows by table."""
    return await empty_tables(connection, {"stock_level": SQL["delete_levels"]})
