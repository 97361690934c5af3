"""Which large values a database compresses how."""

from __future__ import annotations

import asyncpg

COMPRESSED = """
SELECT attrelid::regclass::text AS table, attname AS column, attcompression = 'l' AS is_lz4
  FROM pg_attribute
 WHERE (attrelid::regclass::text, attname) IN (
       ('orders.outbox', 'values'), ('orders.outbox_0', 'values'), ('orders.outbox_2', 'values'),
       ('claims.outbox_1', 'values'),
       ('orders.stored_order', 'document'), ('orders.stored_parcel', 'document'),
       ('claims.order_copy', 'document'))"""
COLUMNS = 7


async def compressed_by_lz4(database_url: str) -> tuple[bool, list[bool]]:
    """Whether the server can, and whether each of some columns is; `migrate` has run."""
    connection = await asyncpg.connect(database_url)
    try:
        methods = await connection.fetchval(
            "SELECT enumvals FROM pg_settings WHERE name = 'default_toast_compression'"
        )
        rows = await connection.fetch(COMPRESSED)
    finally:
        await connection.close()
    assert len(rows) == COLUMNS
    return "lz4" in methods, [row["is_lz4"] for row in rows]
