"""Stores: databases that hold many orders before anything is measured, built by COPY.

Their rows are the service's own, multiplied under other names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench.recorded_effects import ORDERS, PARCELS, owners_of, table_of
from schemas.identity import order_id

SAMPLE = 4_000
"""Orders, each with a parcel, that are multiplied."""
PORTION = 50_000
SHOP = "stored"

ORDER_COLUMNS = (
    "order_id", "shop", "order_number", "version", "document", "applied", "changed_at",
)  # fmt: skip
PARCEL_COLUMNS = ("number", "document", "changed_at", "owners")
MAINTENANCE = ("VACUUM (ANALYZE) {orders}", "VACUUM (ANALYZE) {parcels}", "CHECKPOINT")


@dataclass(frozen=True, slots=True)
class Sampled:
    """An order as it is stored, with its parcel: rows by column, as far as they are copied."""

    order: Mapping[str, Any]
    parcel: Mapping[str, Any]

    def copy(self, at: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The rows of an order and of a parcel, under the names of the `at`-th copy."""
        number = f"{self.order['order_number']}-{at}"
        id_, tracking = order_id(SHOP, number), f"{self.parcel['number']}X{at}"
        names = {
            str(self.order["order_id"]): str(id_),
            self.parcel["number"]: tracking,
            self.order["order_number"]: number,
        }
        changed: dict[str, Any] = {"order_id": id_, "shop": SHOP, "order_number": number}
        changed["document"] = _renamed(self.order["document"], names)
        order = tuple({**self.order, **changed}.values())
        changed = {"number": tracking, "document": _renamed(self.parcel["document"], names)}
        if "owners" in self.parcel:
            changed["owners"] = [id_]
        return order, tuple({**self.parcel, **changed}.values())


async def sample(database_url: str) -> list[Sampled]:
    """What the service stored: orders that own one parcel, each with it."""
    connection = await asyncpg.connect(database_url)
    try:
        orders = await connection.fetch(f"SELECT * FROM {await table_of(connection, ORDERS)}")
        parcels = await connection.fetch(f"SELECT * FROM {await table_of(connection, PARCELS)}")
    finally:
        await connection.close()
    by_owner = {owners_of(row)[0]: row for row in parcels}
    sampled = [
        Sampled(_cut(row, ORDER_COLUMNS), _cut(by_owner[str(row["order_id"])], PARCEL_COLUMNS))
        for row in orders
        if str(row["order_id"]) in by_owner
    ]
    assert sampled, "the sample has no orders with parcels"
    return sampled


def _cut(row: asyncpg.Record, columns: Sequence[str]) -> Mapping[str, Any]:
    return {name: row[name] for name in columns if name in row.keys()}  # noqa: SIM118


async def fill(database_url: str, sampled: Sequence[Sampled], orders: int) -> None:
    """Put so many orders and their parcels there, and leave nothing for vacuum to do."""
    connection = await asyncpg.connect(database_url)
    try:
        tables = await table_of(connection, ORDERS), await table_of(connection, PARCELS)
        columns = list(sampled[0].order), list(sampled[0].parcel)
        for start in range(0, orders, PORTION):
            numbers = range(start, min(start + PORTION, orders))
            copies = [sampled[at % len(sampled)].copy(at) for at in numbers]
            for table, names, rows in zip(tables, columns, zip(*copies, strict=True), strict=True):
                schema, _, name = table.partition(".")
                await connection.copy_records_to_table(
                    name, schema_name=schema, columns=names, records=rows
                )
        for statement in MAINTENANCE:
            await connection.execute(statement.format(orders=tables[0], parcels=tables[1]))
    finally:
        await connection.close()


def _renamed(document: str | bytes, names: dict[str, str]) -> str | bytes:
    """A document under other names, of the type that it had."""
    for old, new in names.items():
        if isinstance(document, str):
            document = document.replace(old, new)
        else:
            document = document.replace(old.encode(), new.encode())
    return document
