"""What lies in the tables, read by an outsider with rights to all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson

# Written out: the checker knows no service, so that it shares no mistake with them.
SERVICES = ("orders", "claims", "analytics", "deliveries")

ORDERS = """
SELECT order_id::text, version, document::text
  FROM orders.shop_order
 WHERE document IS NOT NULL AND ($1::uuid[] IS NULL OR order_id = ANY ($1))
"""
COPIES = """
SELECT order_id::text, order_version, claim_sequence
  FROM claims.order_copy
 WHERE order_version > 0 AND ($1::uuid[] IS NULL OR order_id = ANY ($1))
"""
CLAIMS = """
SELECT claim_id::text, order_id::text, status, deleted_at IS NOT NULL AS is_withdrawn
  FROM claims.claim
 WHERE $1::uuid[] IS NULL OR order_id = ANY ($1)
"""
ORDER_FACTS = """
SELECT order_id::text, version, status, expected_parcels
  FROM analytics.order_fact
 WHERE $1::uuid[] IS NULL OR order_id = ANY ($1)
"""
PARCEL_FACTS = """
SELECT shipment_id::text, order_id::text, phase
  FROM analytics.parcel_fact
 WHERE $1::uuid[] IS NULL OR order_id = ANY ($1)
"""
CLAIM_FACTS = """
SELECT claim_id::text, status, is_withdrawn
  FROM analytics.claim_fact
 WHERE $1::uuid[] IS NULL OR order_id = ANY ($1)
"""
POSITIONS = "SELECT topic, partition, next_offset FROM {schema}.position"
OUTBOX = "SELECT count(*) FROM {schema}.outbox"
UNDELIVERED = """
SELECT (SELECT count(*) FROM deliveries.delivery) + (SELECT count(*) FROM deliveries.backlog)
"""
WAITING = """
SELECT topic, partition, "offset", index, item_id::text, value FROM {schema}.waiting
"""
REJECTED = 'SELECT topic, partition, "offset", index, reason FROM {schema}.rejected'
PARKED_THERE = "SELECT to_regclass($1)::text"
PARKED = """
SELECT id, topic, partition, "offset", index, kind, error, value FROM {schema}.parked ORDER BY id
"""

Place = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Kept:
    """An item that lies in a table whole."""

    place: Place
    service: str
    value: bytes | None
    kind: str = ""
    error: str = ""


class Tables:
    """The database of an installation."""

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = prefix

    async def positions(self) -> dict[tuple[str, str, int], int]:
        """Next offsets by service, topic and partition."""
        found = {}
        for service in SERVICES:
            for row in await self._ask(POSITIONS.format(schema=service)):
                topic = row["topic"].removeprefix(self._prefix)
                found[(service, topic, row["partition"])] = row["next_offset"]
        return found

    async def unpublished(self) -> int:
        """Rows in all outboxes."""
        counts = [await self._ask(OUTBOX.format(schema=service)) for service in SERVICES]
        return sum(rows[0]["count"] for rows in counts)

    async def undelivered(self) -> int:
        """Events that destinations are still to get."""
        (row,) = await self._ask(UNDELIVERED)
        count: int = row[0]
        return count

    async def waiting(self) -> list[Kept]:
        """What waits, in all services."""
        return [
            Kept(_place(row), service, row["value"])
            for service in SERVICES
            for row in await self._ask(WAITING.format(schema=service))
        ]

    async def parked(self) -> list[Kept]:
        """What is parked, in all services; nothing where there is no such table."""
        found = []
        for service in SERVICES:
            if not (await self._ask(PARKED_THERE, f"{service}.parked"))[0][0]:
                continue
            for row in await self._ask(PARKED.format(schema=service)):
                kept = Kept(_place(row), service, row["value"], row["kind"], row["error"] or "")
                found.append(kept)
        return found

    async def rejected(self) -> dict[Place, str]:
        """Reasons by item, in all services."""
        return {
            _place(row): row["reason"]
            for service in SERVICES
            for row in await self._ask(REJECTED.format(schema=service))
        }

    async def rows(self, statement: str, orders: Collection[str] | None) -> list[Mapping[str, Any]]:
        """Rows of one of the statements above, of some orders or (None) of all."""
        wanted = None if orders is None else [UUID(order) for order in orders]
        return [dict(row) for row in await self._ask(statement, wanted)]

    async def _ask(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()


def document(row: Mapping[str, Any]) -> Any:
    """The JSON in a row's document."""
    return orjson.loads(row["document"])


def _place(row: asyncpg.Record) -> Place:
    return row["topic"], row["partition"], row["offset"], row["index"]
