"""Orders found by any of their references, or by the tracking number of a parcel."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import asyncpg

from services.orders import store
from services.orders.domain.model.references import Reference, ReferenceKind, direct_id
from services.orders.domain.model.shared_names import meant_by
from services.orders.domain.model.tracking_number import normalise_number
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "find_order.sql")
TRACKING_NUMBER = "tracking_number"
_DIRECT = (ReferenceKind.ORDER_NUMBER, ReferenceKind.UUID)
"""Kinds of reference that contain the id of the order."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One order that a text names. `matched_by` are kinds of reference, or `tracking_number`."""

    order_id: str
    shop: str
    order_number: str
    matched_by: tuple[str, ...]


async def find(connection: asyncpg.Connection, text: str, shop: str | None) -> list[Hit]:
    """The orders that `text` names in one shop, or in every shop, by shop and number.

    A text is compared with order number, external id, order name, id and tracking number. A
    tracking number may be written in any spelling, and names every order that is on the number. A
    name that several orders have or had names those that a command by it could mean.
    The cost grows with the number of shops, not with the number of orders.
    """
    shops = [shop] if shop else [row["shop"] for row in await connection.fetch(SQL["find_shops"])]
    matches: dict[str, set[str]] = defaultdict(set)
    for each, kind in product(shops, _DIRECT):
        if (named := direct_id(Reference(each, kind, text))) is not None:
            matches[named].add(kind.value)
    for order_id, said_as in await _named(connection, shops, text):
        matches[order_id].add(said_as)
    for order_id in await _owners(connection, text):
        matches[order_id].add(TRACKING_NUMBER)
    rows = await connection.fetch(SQL["find_by_ids"], list(matches))
    return [
        Hit(str(row["order_id"]), row["shop"], row["order_number"], _sorted(matches, row))
        for row in rows
        if shop is None or row["shop"] == shop
    ]


async def _named(
    connection: asyncpg.Connection, shops: Sequence[str], text: str
) -> list[tuple[str, str]]:
    """Ids of orders by external id or name, each with the kind."""
    rows = await connection.fetch(SQL["find_named"], shops, text)
    found = [(str(row["order_id"]), row["kind"]) for row in rows if not row["is_shared"]]
    shared = [Reference(r["shop"], ReferenceKind(r["kind"]), text) for r in rows if r["is_shared"]]
    bearers = await store.named_orders(connection, shared) if shared else {}
    for name, orders in bearers.items():
        found += [(order.order_id, name.kind.value) for order in meant_by(text, orders)]
    return found


async def kept_scans(connection: asyncpg.Connection, text: str) -> int:
    """How many scans are kept of the tracking number `text`, whether an order has it or not."""
    parcels = await store.read_parcels(connection, [normalise_number(text)])
    return sum(len(parcel.scans) for parcel in parcels.values())


async def _owners(connection: asyncpg.Connection, text: str) -> Sequence[str]:
    parcels = await store.read_parcels(connection, [normalise_number(text)])
    return [owner.order_id for parcel in parcels.values() for owner in parcel.owners]


def _sorted(matches: dict[str, set[str]], row: asyncpg.Record) -> tuple[str, ...]:
    return tuple(sorted(matches[str(row["order_id"])]))
