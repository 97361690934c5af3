"""Reads and writes of the claims schema. Takes a connection; never begins or commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from services.claims.domain.claim import Claim
from services.claims.domain.ids import Uuid
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sql" / "claims.sql")
CLAIM = msgspec.json.Decoder(Claim)


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A row of order copies. Version 0: only named so far, `shop` and `document` are None."""

    order_id: Uuid
    shop: str | None = None
    version: int = 0
    document: bytes | None = None
    """JSON: order, customer and shipments as the event told them (`kept.py`)."""
    lines_cut: bool = False
    """To be written: the event left out the order's lines, and those known before still stand."""
    sequence: int = 0
    """Number of the order's last event on `claims.events`."""
    is_whole: bool = True
    """False: claims of the order may be missing, as it is being rebuilt."""
    all_claims_told_at: datetime | None = None
    """To be written: when an event was decided that leaves out no claim of the order."""


async def save_anchors(connection: Connection, names: Mapping[str, Uuid | None]) -> None:
    """Make and lock the names, resolving those whose order is known."""
    if names:
        await connection.execute(SQL["save_anchors"], list(names), list(names.values()))


async def read_anchors(connection: Connection, names: Collection[str]) -> dict[str, Uuid]:
    """The orders behind those of the names that are resolved."""
    if not names:
        return {}
    rows = await connection.fetch(SQL["read_anchors"], list(names))
    return {row["name"]: str(row["order_id"]) for row in rows}


async def find_claims(connection: Connection, claim_ids: Collection[Uuid]) -> dict[Uuid, Uuid]:
    """The order of each claim there is."""
    if not claim_ids:
        return {}
    rows = await connection.fetch(SQL["find_claims"], list(claim_ids))
    return {str(row["claim_id"]): str(row["order_id"]) for row in rows}


async def save_orders(connection: Connection, orders: Sequence[StoredOrder]) -> set[Uuid]:
    """Make, lock and renew the orders; returns those that are new or newer than what was there,
    or whole now, and that can be decided on.
    """
    if not orders:
        return set()
    rows = await connection.fetch(
        SQL["save_orders"],
        [order.order_id for order in orders],
        [order.shop for order in orders],
        [order.version for order in orders],
        [order.document for order in orders],
        [order.lines_cut for order in orders],
        [order.all_claims_told_at for order in orders],
    )
    return {str(row["order_id"]) for row in rows if row["is_whole"]}


async def read_orders(connection: Connection, order_ids: Collection[Uuid]) -> list[StoredOrder]:
    """The orders as they are now; they must be locked."""
    rows = await connection.fetch(SQL["read_orders"], list(order_ids))
    return [
        StoredOrder(
            str(row["order_id"]),
            row["shop"],
            row["order_version"],
            row["document"],
            sequence=row["claim_sequence"],
            is_whole=row["is_whole"],
        )
        for row in rows
    ]


async def read_claims(
    connection: Connection, order_ids: Collection[Uuid]
) -> dict[Uuid, dict[Uuid, Claim]]:
    """Every claim of the orders, by order and id, oldest first; the orders must be locked."""
    found: dict[Uuid, dict[Uuid, Claim]] = {}
    for row in await connection.fetch(SQL["read_claims"], list(order_ids)):
        claim = CLAIM.decode(row["details"])
        found.setdefault(str(row["order_id"]), {})[claim.claim_id] = claim
    return found


async def save_sequences(connection: Connection, sequences: Mapping[Uuid, int]) -> None:
    """Store the number of each order's last claim event."""
    if sequences:
        await connection.execute(SQL["save_sequences"], list(sequences), list(sequences.values()))


async def save_claims(connection: Connection, claims: Iterable[Claim]) -> None:
    """Store decided claims, each at most once a call."""
    rows = [_columns(claim) for claim in claims]
    if rows:
        await connection.execute(SQL["save_claims"], *map(list, zip(*rows, strict=True)))


async def find_expired(connection: Connection, now: datetime, limit: int) -> set[str]:
    """Names that items have waited for until after their time, at business time `now`."""
    rows = await connection.fetch(SQL["find_expired"], now, limit)
    return {row["waits_for"] for row in rows}


async def forget_orders(connection: Connection, order_ids: Collection[Uuid]) -> None:
    """Forget those of the locked orders that no event told of and nothing waits for."""
    if order_ids:
        await connection.execute(SQL["forget_orders"], list(order_ids))


async def forget_anchors(connection: Connection, names: Collection[str]) -> None:
    """Forget those of the locked names that are not resolved and that nothing waits for."""
    if names:
        await connection.execute(SQL["forget_anchors"], list(names))


def _columns(claim: Claim) -> tuple[Any, ...]:
    return (
        claim.claim_id,
        claim.order_id,
        claim.shop,
        claim.shipment.shipment_id if claim.shipment else None,
        claim.reason.value,
        claim.status.value,
        claim.items_hash,
        claim.created_at,
        claim.updated_at,
        claim.deleted_at,
        msgspec.json.encode(claim),
        claim.is_open,
    )
