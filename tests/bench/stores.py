"""Stores: databases that hold many orders before anything is measured, built by COPY.

Their rows are the service's own, multiplied under other names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from schemas.identity import order_id

SAMPLE = 500
"""Orders, each with a parcel, that are multiplied."""
PORTION = 50_000
SHOP = "stored"

ORDERS = """
SELECT o.order_id, o.shop, o.order_number, o.version, o.document, o.applied, o.changed_at,
       p.number, p.document AS parcel
  FROM orders.stored_order o JOIN orders.stored_parcel p ON p.owners[1] = o.order_id
"""
ORDER_COLUMNS = (
    "order_id", "shop", "order_number", "version", "document", "applied", "changed_at",
)  # fmt: skip
PARCEL_COLUMNS = ("number", "document", "owners", "changed_at")
SETTLE = (
    "VACUUM (ANALYZE) orders.stored_order", "VACUUM (ANALYZE) orders.stored_parcel", "CHECKPOINT",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sampled:
    """An order as it is stored, with its parcel."""

    id_: UUID
    shop: str
    number: str
    row: asyncpg.Record

    def copy(self, at: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The rows of an order and of a parcel, under the names of the `at`-th copy."""
        number, row = f"{self.number}-{at}", self.row
        id_, tracking = order_id(SHOP, number), f"{row['number']}X{at}"
        names = {str(self.id_): str(id_), row["number"]: tracking, self.number: number}
        kept = (row["version"], _renamed(row["document"], names), row["applied"], row["changed_at"])
        parcel = (tracking, _renamed(row["parcel"], names), [id_], row["changed_at"])
        return (id_, SHOP, number, *kept), parcel


async def sample(database_url: str) -> list[Sampled]:
    """What the service stored."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(ORDERS)
    finally:
        await connection.close()
    assert rows, "the sample has no orders with parcels"
    return [Sampled(row["order_id"], row["shop"], row["order_number"], row) for row in rows]


async def fill(database_url: str, sampled: Sequence[Sampled], orders: int) -> None:
    """Put so many orders and their parcels there, and leave nothing for vacuum to do."""
    connection = await asyncpg.connect(database_url)
    try:
        for start in range(0, orders, PORTION):
            numbers = range(start, min(start + PORTION, orders))
            copies = [sampled[at % len(sampled)].copy(at) for at in numbers]
            await _copy(connection, "stored_order", ORDER_COLUMNS, (order for order, _ in copies))
            await _copy(
                connection, "stored_parcel", PARCEL_COLUMNS, (parcel for _, parcel in copies)
            )
        for statement in SETTLE:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _copy(
    connection: asyncpg.Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterator[tuple[Any, ...]],
) -> None:
    await connection.copy_records_to_table(
        table, schema_name="orders", columns=list(columns), records=rows
    )


def _renamed(document: bytes, names: dict[str, str]) -> bytes:
    for old, new in names.items():
        document = document.replace(old.encode(), new.encode())
    return document
