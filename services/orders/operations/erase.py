"""Erase: an order goes, with all that the orders service stores of it (docs/decisions/0184).

One transaction: rows are locked in the order of a batch, so services may run meanwhile. What stays
is in 0184: the order's id, its shop and its last numbers, so that no late message brings it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from schemas.topics import ORDERS_STATE
from services.orders import store
from services.orders.domain.model.ids import Uuid, order_id_of
from services.orders.domain.model.leaving import leave
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.published import Erased, Published
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.model.windows import shares_of
from services.orders.domain.value import replace
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from services.runtime.outbox.outbox import Outbox
from services.runtime.parking.keys import parking_key
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "erase.sql")
_DOCUMENT = msgspec.json.Encoder()


class NotErased(Exception):
    """The order cannot be erased; nothing was changed. The text says why, and the way out."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased: the order's id, and how many tracking numbers were deleted or left."""

    order_id: Uuid
    deleted_numbers: int
    shared_numbers: int
    """Numbers that other orders have, too: they lose the scans that this order alone saw."""


async def erase(
    connection: Connection, outbox: Outbox, name: Reference, act: Act, now: datetime
) -> Erasure:
    """Erase the order with this order number, in the caller's transaction.

    The act is written to the audit with the id of the order, and not its number.

    Raises:
        NotErased: there is no such order, it changed meanwhile, or items about it are parked.
    """
    order_id = order_id_of(name.shop, name.value)
    stored, order = await _lock(connection, name, order_id)
    numbers = _numbers(order)
    left = {
        number: _without(stored.parcels[number], order_id, now)
        for number in numbers
        if number in stored.parcels
    }
    shared = {number: parcel for number, parcel in left.items() if parcel.owners}
    unowned = sorted(left.keys() - shared.keys())
    await store.save(connection, stored, store.Changes({}, shared, {}, ()))
    await connection.execute(
        SQL["delete_parcels"], unowned, [_DOCUMENT.encode(left[each]) for each in unowned]
    )
    await _forget(connection, name, order, numbers, now)
    await outbox.append_null(connection, ORDERS_STATE, order_id.encode(), shard_by=order_id)
    detail = {"order_id": order_id, "shop": name.shop}
    await audit.write(connection, [Act(act.act, act.actor, act.reason, detail=detail)])
    return Erasure(order_id, len(unowned), len(shared))


async def _lock(
    connection: Connection, name: Reference, order_id: Uuid
) -> tuple[store.Stored, Order]:
    """Lock the order with its names and numbers, in the order of a batch."""
    found = await store.read_order(connection, order_id)
    if found is None:
        raise NotErased("no such order, or it was erased before; nothing was changed")
    rows = await connection.fetch(SQL["find_names"], name.shop, order_id)
    named = [Reference(name.shop, ReferenceKind(row["kind"]), row["value"]) for row in rows]
    numbers = _numbers(found)
    locked = await store.lock(connection, [name, *named], numbers, (), is_final=True)
    order = locked.stored.orders.get(order_id)
    again = await connection.fetch(SQL["find_names"], name.shop, order_id)
    if order is None or _numbers(order) != numbers or again != rows:
        raise NotErased("the order changed meanwhile, so nothing was changed: erase it again")
    if await connection.fetchval(SQL["has_parked"], parking_key(order_id)):
        raise NotErased(
            f"items about order {order_id} are parked, so nothing was changed: see `orderflow "
            "parked list --service orders`, retry or discard them, then erase the order"
        )
    return locked.stored, order


async def _forget(
    connection: Connection, name: Reference, order: Order, numbers: Sequence[str], now: datetime
) -> None:
    """Empty the order's row, and delete what lies in other tables."""
    order_id = order.order_id
    await connection.execute(SQL["delete_names"], name.shop, order_id)
    await connection.execute(SQL["hand_on_names"], name.shop, order_id)
    last = Published(
        order_sequence=order.order_sequence,
        shipment_sequence=order.shipment_sequence,
        version=order.version,
        erased=Erased(shop=name.shop, at=now),
    )
    await connection.execute(SQL["empty_order"], order_id, _DOCUMENT.encode(last).decode())
    await connection.execute(SQL["delete_order_time"], order_id)
    key = f"{name.shop}/{name.value}".encode()
    await connection.execute(SQL["delete_rejected"], key, order_id.encode())
    await connection.execute(SQL["clear_samples"], numbers)


def _numbers(order: Order) -> list[str]:
    """The normalised numbers of the order, each once."""
    return sorted({each.number for each in order.shipments if each.number is not None})


def _without(parcel: Parcel, order_id: Uuid, now: datetime) -> Parcel:
    """The parcel without the order's shipments, and without the scans that they alone saw."""
    mine = [owner.shipment_id for owner in parcel.owners if owner.order_id == order_id]
    if len(mine) == len(parcel.owners):
        return Parcel(number=parcel.number)
    shares = shares_of(parcel)
    others = {scan.key for id_, seen in shares.items() if id_ not in mine for scan in seen}
    gone = {scan.key for id_ in mine for scan in shares.get(id_, ())} - others
    for shipment_id in mine:
        parcel = leave(parcel, shipment_id, now)
    scans = tuple(scan for scan in parcel.scans if scan.key not in gone)
    return replace(parcel, scans=scans, trail=None)
