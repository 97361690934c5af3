"""Reads and writes of the claims schema, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from services.claims.domain.claim import Claim
from services.claims.domain.ids import Uuid
from services.runtime import older_items
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sql" / "claims.sql")
CLAIM = msgspec.json.Decoder(Claim)


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A row of `order_copy`. Version 0: named by a command only; no `shop` and `document` yet."""

    order_id: Uuid
    shop: str | None = None
    version: int = 0
    document: bytes | None = None
    """JSON of order, customer and shipments from the event (`messages.order_document`)."""
    lines_cut: bool = False
    """Only written: the event left out the order's lines, so the stored lines are kept."""
    sequence: int = 0
    """Number of the order's last event on `claims.events`."""
    is_rebuilt: bool = False
    """Whether the tables were emptied for a rebuild once: claims do not name all items since."""
    is_whole: bool = True
    """False: claims of the order may be missing, because the tables are being rebuilt."""
    claims_complete_at: datetime | None = None
    """Only written: when an event was decided that leaves out no claim of the order."""


async def save_anchors(connection: Connection, keys: Mapping[str, Collection[Uuid]]) -> None:
    """Insert and lock the anchors, and add the orders that are known of them."""
    if keys:
        orders = [f"{{{','.join(each)}}}" for each in keys.values()]  # As Postgres writes arrays.
        await connection.execute(SQL["save_anchors"], list(keys), orders)


async def read_anchors(
    connection: Connection, keys: Collection[str]
) -> dict[str, tuple[Uuid, ...]]:
    """The orders of those anchors that are resolved, by key; several: they share a name."""
    if not keys:
        return {}
    rows = await connection.fetch(SQL["read_anchors"], list(keys))
    return {row["name"]: (str(row["order_id"]), *map(str, row["others"] or ())) for row in rows}


async def find_claims(connection: Connection, claim_ids: Collection[Uuid]) -> dict[Uuid, Uuid]:
    """The orders of those claims that exist, by claim id."""
    if not claim_ids:
        return {}
    rows = await connection.fetch(SQL["find_claims"], list(claim_ids))
    return {str(row["claim_id"]): str(row["order_id"]) for row in rows}


async def save_orders(connection: Connection, orders: Sequence[StoredOrder]) -> set[Uuid]:
    """Insert, lock and update the orders.

    Returns the orders that are complete (`is_whole`) and changed: new, newer, or complete now.
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
        [order.claims_complete_at for order in orders],
    )
    return {str(row["order_id"]) for row in rows if row["is_whole"]}


async def read_orders(connection: Connection, order_ids: Collection[Uuid]) -> list[StoredOrder]:
    """The stored orders; they must be locked."""
    rows = await connection.fetch(SQL["read_orders"], list(order_ids))
    return [
        StoredOrder(
            str(row["order_id"]),
            row["shop"],
            row["order_version"],
            row["document"],
            sequence=row["claim_sequence"],
            is_whole=row["is_whole"],
            is_rebuilt=row["is_rebuilt"],
        )
        for row in rows
    ]


async def read_claims(
    connection: Connection, order_ids: Collection[Uuid]
) -> dict[Uuid, dict[Uuid, Claim]]:
    """All claims of the orders, by order and id, oldest first; the orders must be locked."""
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
    """Store decided claims; each claim at most once in a call.

    One statement; one more if a claim has more applied items than are stored with it.
    """
    decided = list(claims)
    if decided:
        rows = map(_columns, decided)
        await connection.execute(SQL["save_claims"], *map(list, zip(*rows, strict=True)))
    older = [(claim.order_id, item) for claim in decided for item in claim.older_applied]
    await older_items.save(connection, older)


async def find_expired(connection: Connection, now: datetime, limit: int) -> set[str]:
    """Keys that items still wait for although their time is over at business time `now`."""
    rows = await connection.fetch(SQL["find_expired"], now, limit)
    return {row["waits_for"] for row in rows}


async def delete_unseen_orders(connection: Connection, order_ids: Collection[Uuid]) -> None:
    """Delete those of the locked orders of which no event was read and which nothing waits for."""
    if order_ids:
        await connection.execute(SQL["delete_unseen_orders"], list(order_ids))


async def delete_unused_anchors(connection: Connection, keys: Collection[str]) -> None:
    """Delete those of the locked anchors that are not resolved and which nothing waits for."""
    if keys:
        await connection.execute(SQL["delete_unused_anchors"], list(keys))


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
        msgspec.json.encode(replace(claim, applied=claim.newest_applied)),
        claim.is_open,
    )
