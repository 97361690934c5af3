"""One order explained: its state, its parcels, their scans, and why each did what it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from orderflow.console.explain_window import ExplainedWindow, explain_windows
from services.orders import store
from services.orders.domain.model.ids import order_id_of
from services.orders.domain.model.order import Order, Shipment
from services.orders.domain.model.parcel import Parcel, fold_of
from services.orders.domain.model.references import (
    Reference,
    ReferenceKind,
    number_key,
    reference_key,
)
from services.orders.domain.model.windows import shares_of
from services.orders.domain.tracking.explanation import Verdict
from services.orders.domain.tracking.explanation import explain as verdicts_on
from services.orders.domain.tracking.fold import Fold
from services.orders.domain.tracking.named_by import NamedBy, named_by
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.setters import setters
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.runtime.messages.headers import PackedDataUnreadable
from services.runtime.outbox.outbox import SQL as OUTBOX_SQL
from services.runtime.outbox.outbox import shard_of
from services.runtime.outbox.rows import unpack
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "explain_order.sql")
PACKED_ROWS_MAX = 100


@dataclass(frozen=True, slots=True)
class Explained:
    """An order as found; `order` is None where there is none. `waiting` are items that name it."""

    order_id: str
    order: Order | None
    scans: dict[str, tuple[Verdict, ...]]
    waiting: list[dict[str, Any]]
    unpublished: int
    folds: dict[str, Fold]
    """The folded scans of shipments that have some, by shipment id."""
    windows: dict[str, ExplainedWindow | None]
    """What each shipment with a number sees of it; None where it has no place on it."""
    setters: dict[str, dict[str, str]]
    """By shipment id: the key of the scan that set each member of its state."""

    def named(self, scan: Scan) -> NamedBy:
        """What names a scan by the present code maps."""
        return named_by(scan, CODE_MAPS)

    def no_scans_line(self, shipment: Shipment) -> str | None:
        """Why a shipment with a number has no scans; None where it has some, or is a draft."""
        id_ = shipment.shipment_id
        if shipment.is_draft or self.scans.get(id_):
            return None
        if id_ in self.windows and self.windows[id_] is None:
            return "16 later parcels are on its number: its scans are not kept for it"
        return None if id_ in self.folds else "no scan yet"


async def explain(
    connection: asyncpg.Connection, shop: str, number: str, now: datetime
) -> Explained:
    """Read one order by its shop and number, with its parcels, and say why it stands as it does."""
    order_id = order_id_of(shop, number)
    order = await store.read_order(connection, order_id)
    numbers = [s.number for s in order.shipments if s.number] if order else []
    parcels = await store.read_parcels(connection, numbers)
    names = [reference_key(Reference(shop, ReferenceKind.ORDER_NUMBER, number))]
    names += [reference_key(Reference(shop, ReferenceKind.UUID, order_id))]
    names += [number_key(each) for each in numbers]
    waiting = await connection.fetch(SQL["waiting_for"], names)
    shipments = order.shipments if order else ()
    return Explained(
        order_id=order_id,
        order=order,
        scans=_verdicts(shipments, parcels, now),
        waiting=[dict(row) for row in waiting],
        unpublished=await _unpublished(connection, order_id),
        folds=_folds(shipments, parcels),
        setters=_setters(shipments, parcels, now),
        windows=explain_windows(
            shipments,
            parcels,
            await _orders_beside(connection, shop, order_id, parcels),
        ),
    )


async def _orders_beside(
    connection: asyncpg.Connection, shop: str, order_id: str, parcels: dict[str, Parcel]
) -> dict[str, str]:
    """Other orders of the shop on some numbers, as `shop/number`, by order id."""
    owners = [owner for parcel in parcels.values() for owner in parcel.owners]
    found = {}
    for id_ in sorted({owner.order_id for owner in owners if owner.shop == shop} - {order_id}):
        other = await store.read_order(connection, id_)
        if other is not None:
            found[id_] = f"{other.shop}/{other.placement.order_number}"
    return found


async def _unpublished(connection: asyncpg.Connection, order_id: str) -> int:
    """Rows of the outbox that hold records of the order; of packed ones the shard's oldest.

    A row that cannot be read is counted: it may hold some.
    """
    key = order_id.encode()
    found: int = await connection.fetchval(SQL["unpublished"], key)
    shards = await connection.fetchval(OUTBOX_SQL["find_shards"])
    if shards is None:
        return found
    rows = await connection.fetch(
        OUTBOX_SQL["read_packed"], shard_of(order_id, shards), PACKED_ROWS_MAX
    )
    return found + sum(_may_hold(row, key) for row in rows)


def _may_hold(row: asyncpg.Record, key: bytes) -> bool:
    try:
        return key in unpack(row["packed"], row["records"], row["unpacked_bytes"]).keys
    except PackedDataUnreadable:
        return True


def _verdicts(
    shipments: Sequence[Shipment], parcels: dict[str, Parcel], now: datetime
) -> dict[str, tuple[Verdict, ...]]:
    """The same computation that decided the states, this time for its reasons."""
    return {
        shipment.shipment_id: verdicts_on(
            shares_of(parcels[shipment.number]).get(shipment.shipment_id, ()),
            now,
            shipment.notices,
            fold_of(parcels[shipment.number], shipment.shipment_id),
        )
        for shipment in shipments
        if shipment.number in parcels
    }


def _setters(
    shipments: Sequence[Shipment], parcels: dict[str, Parcel], now: datetime
) -> dict[str, dict[str, str]]:
    return {
        shipment.shipment_id: setters(
            replay(
                shares_of(parcels[shipment.number]).get(shipment.shipment_id, ()),
                now,
                fold=fold_of(parcels[shipment.number], shipment.shipment_id),
            )
        )
        for shipment in shipments
        if shipment.number in parcels
    }


def _folds(shipments: Sequence[Shipment], parcels: dict[str, Parcel]) -> dict[str, Fold]:
    found = {
        shipment.shipment_id: fold_of(parcels[shipment.number], shipment.shipment_id)
        for shipment in shipments
        if shipment.number in parcels
    }
    return {id_: fold for id_, fold in found.items() if fold is not None}
