"""Emptying the tables of claims, so that snapshots fill them again (docs/decisions/0070)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from services.runtime.operations.rebuild import empty_tables
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "rebuild.sql")
TABLES = {"claim": "delete_claims", "order_copy": "delete_order_copies", "anchor": "delete_anchors"}


async def empty(connection: Connection, now: datetime) -> dict[str, int]:
    """Empty the tables in the caller's transaction; returns the deleted rows by table.

    Business time `now` is stored as the time at which the rebuild began. Which command items were
    applied stays known (docs/decisions/0126).
    """
    await connection.execute(SQL["begin_rebuild"], now)
    await connection.execute(SQL["keep_applied_items"])
    return await empty_tables(connection, {table: SQL[name] for table, name in TABLES.items()})
