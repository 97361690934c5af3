"""Reads and writes orders, their names and tracking numbers; never begins or commits."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from pathlib import Path

import msgspec
from asyncpg import Connection, Record

from services.orders.domain.model.commands import Command
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.published import Published, raised
from services.orders.domain.model.references import Reference, ReferenceKind, direct_id
from services.orders.domain.model.shared_names import Bearers
from services.orders.domain.rules.repeats import (
    REMEMBERED,
    older_than_stored,
    to_recall,
    with_recalled,
)
from services.orders.domain.value import replace
from services.runtime import older_items
from services.runtime.postgres.queries import load
from services.runtime.retry import Contended
from services.runtime.waiting.store import Waiting, from_row

SQL = load(Path(__file__).parent / "sql")


def _day_or_moment(_: type, written: str) -> date:
    """Decode the one type that msgspec cannot: see `domain.tracking.scan.DayOrMoment`."""
    is_day = len(written) == len("2026-03-01")
    return date.fromisoformat(written) if is_day else datetime.fromisoformat(written)


_ORDER = msgspec.json.Decoder(Order, dec_hook=_day_or_moment)
_PARCEL = msgspec.json.Decoder(Parcel, dec_hook=_day_or_moment)
_PUBLISHED = msgspec.json.Decoder(Published)
_DOCUMENT = msgspec.json.Encoder()
_APPLIED = attrgetter("applied")

# Orders are found by number through their id, so only the other names have rows.
STORED_KINDS = (ReferenceKind.EXTERNAL_ID, ReferenceKind.ORDER_NAME)


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows locked for a batch; None is the placeholder of an order that an item waits for."""

    orders: Mapping[Uuid, Order | None] = field(default_factory=dict)
    parcels: Mapping[str, Parcel] = field(default_factory=dict)
    references: Mapping[Reference, Uuid | None] = field(default_factory=dict)
    shared: Mapping[Reference, Bearers] = field(default_factory=dict)
    """The names that several orders have or had; `orders` has all of these."""
    published: Mapping[Uuid, Published] = field(default_factory=dict)
    recalled: Mapping[Uuid, Collection[int]] = field(default_factory=dict)
    """Digests of older items of the orders that the batch brings again."""


@dataclass(frozen=True, slots=True)
class Locked:
    """What was locked for a batch, and what waits for any of it, in the order it came."""

    stored: Stored
    waits: Sequence[Waiting]
    is_any_parked: bool
    is_complete: bool
    """Not where something waits: it may name more, so nothing else is locked yet."""


async def lock(
    connection: Connection,
    references: Collection[Reference],
    numbers: Collection[str],
    awaited: Collection[str],
    *,
    is_final: bool,
) -> Locked:
    """Lock and read all that the names stand for and what waits for `awaited`, in one statement.

    Unless it `is_final`, it stops where anything waits.

    Raises:
        Contended: an item began to wait meanwhile; the batch must be read again.
    """
    named = [r for r in references if r.kind in STORED_KINDS]
    columns = _reference_columns(named)
    ids = list(_direct_ids(references))
    (row,) = await connection.fetch(
        SQL["lock_batch"], *columns, list(numbers), ids, list(awaited), is_final
    )
    if row["is_contended"]:
        raise Contended("an item began to wait for this batch while it was read")
    waits = [from_row(each) for each in row["waits"] or ()]
    is_complete = row["is_contended"] is not None
    return Locked(_stored(row), waits, bool(row["is_any_parked"]), is_complete)


async def lock_more(connection: Connection, stored: Stored, numbers: Collection[str]) -> Stored:
    """The rows with more numbers, and the orders that own them; two statements.

    Numbers are locked before orders everywhere else. Here orders are locked already, so nothing is
    waited for, and no two batches can wait for each other.

    Raises:
        asyncpg.LockNotAvailableError: another transaction has one of the rows; try again.
    """
    rows = await connection.fetch(SQL["lock_parcels_at_once"], list(numbers))
    parcels = {row["number"]: _PARCEL.decode(row["document"]) for row in rows}
    owners = {owner.order_id for parcel in parcels.values() for owner in parcel.owners}
    unread = list(owners.difference(stored.orders))
    more = await connection.fetch(SQL["lock_orders_at_once"], unread)
    published = {str(r["order_id"]): _published(r["told"]) for r in more if r["told"]}
    return dataclasses.replace(
        stored,
        parcels={**stored.parcels, **parcels},
        orders={**stored.orders, **{str(row["order_id"]): _order(row) for row in more}},
        published={**stored.published, **published},
    )


async def recall_repeats(
    connection: Connection, stored: Stored, commands: Iterable[Command]
) -> Stored:
    """The rows, with the older items that the commands repeat, so that decisions know them.

    One statement if an order has older items that a command may repeat, none otherwise.
    """
    asked = to_recall(stored.orders, stored.references, stored.shared, commands)
    found = await older_items.find(connection, asked)
    if not found:
        return stored
    orders = {
        id_: with_recalled(order, found.get(id_, ())) if order else None
        for id_, order in stored.orders.items()
    }
    return dataclasses.replace(stored, orders=orders, recalled=found)


def _stored(row: Record) -> Stored:
    orders, named = row["stored"] or (), row["named"] or ()
    return Stored(
        orders={str(each["order_id"]): _order(each) for each in orders},
        parcels={each["number"]: _PARCEL.decode(each["document"]) for each in row["tracked"] or ()},
        references={
            _reference(each): str(each["order_id"]) if each["order_id"] else None for each in named
        },
        shared={_reference(each): _bearers(each) for each in named if each["others"]},
        published={
            str(each["order_id"]): _published(each["told"]) for each in orders if each["told"]
        },
    )


def _reference(row: Record) -> Reference:
    return Reference(row["shop"], ReferenceKind(row["kind"]), row["value"])


def _bearers(row: Record) -> Bearers:
    return (str(row["order_id"]), *map(str, row["others"]))


def _direct_ids(references: Iterable[Reference]) -> set[Uuid]:
    return {id_ for id_ in map(direct_id, references) if id_}


async def named_orders(
    connection: Connection, references: Collection[Reference]
) -> dict[Reference, list[Order]]:
    """The orders that canonical references name, as they are stored; nothing is locked.

    Of a name that several orders have or had, all of them.
    """
    ids = [direct_id(each) for each in references]
    columns = _reference_columns(references)
    rows = await connection.fetch(SQL["read_named_orders"], *columns, ids)
    found: dict[Reference, list[Order]] = {}
    for row in rows:
        name, order = _reference(row), _order(row)
        if order and order.shop == name.shop:
            found.setdefault(name, []).append(order)
    return found


def shipment_numbers(orders: Iterable[Order | None]) -> dict[Uuid, str | None]:
    """The normalised tracking numbers of the shipments of orders, by shipment id."""
    shipments = (shipment for order in orders if order for shipment in order.shipments)
    return {each.shipment_id: each.number for each in shipments}


async def lock_orders(
    connection: Connection, order_ids: Collection[Uuid]
) -> dict[Uuid, Order | None]:
    """Lock and read orders, in id order; a None value is a placeholder."""
    return dict((await lock_stored(connection, order_ids)).orders)


async def lock_stored(connection: Connection, order_ids: Collection[Uuid]) -> Stored:
    """The same, with what was published of them; of parcels and names nothing."""
    rows = await connection.fetch(SQL["lock_orders"], list(order_ids))
    return Stored(
        orders={str(row["order_id"]): _order(row) for row in rows},
        published={str(row["order_id"]): _published(row["told"]) for row in rows if row["told"]},
    )


def _order(row: Record) -> Order | None:
    if row["document"] is None:
        return None
    order = _ORDER.decode(row["document"])
    if row["told"]:
        order = raised(order, _published(row["told"]))
    return replace(order, applied=_unpack(row["applied"]))


@lru_cache(maxsize=1024)  # Read for each item of an order, and long after a restore.
def _published(document: str) -> Published:
    return _PUBLISHED.decode(document)


def _reference_columns(references: Iterable[Reference]) -> tuple[list[str], list[str], list[str]]:
    rows = list(references)
    return [r.shop for r in rows], [str(r.kind) for r in rows], [r.value for r in rows]


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch decided, against what it had locked.

    `awaited` are the names that items wait for and that nothing stands for yet, `shared` the names
    that got a further bearer.
    """

    orders: Mapping[Uuid, Order]
    parcels: Mapping[str, Parcel]
    references: Mapping[Reference, Uuid]
    awaited: Collection[Reference]
    shared: Mapping[Reference, Bearers] = field(default_factory=dict)


async def save(connection: Connection, stored: Stored, changes: Changes) -> None:
    """Write the changes in one statement, whatever their number; none where nothing changed.

    One more if orders share a name, and one if an order has more applied items than its row names.

    Raises:
        asyncpg.UniqueViolationError: another transaction made one of the new rows; try again.
    """
    parcels = _parcel_rows(stored, changes.parcels)
    orders = [*_order_rows(stored, changes), *_placeholder_rows(stored, changes)]
    names = _name_rows(stored, changes)
    if parcels or orders or names:
        columns = (*_columns(parcels, 4), *_columns(orders, 7), *_columns(names, 5))
        await connection.execute(SQL["save_rows"], *columns)
    if changes.shared:
        await connection.execute(SQL["save_bearers"], *_bearer_columns(changes.shared))
    await older_items.save(connection, _older(stored, changes.orders))


_Row = tuple[object, ...]  # First whether it is new, then its columns as `save_rows` takes them.


def _columns(rows: Sequence[_Row], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _parcel_rows(stored: Stored, parcels: Mapping[str, Parcel]) -> list[_Row]:
    return [
        (number not in stored.parcels, number, _dump_parcel(parcel), _owners(parcel))
        for number, parcel in parcels.items()
    ]


def _order_rows(stored: Stored, changes: Changes) -> list[_Row]:
    return [
        (
            id_ not in stored.orders,
            order.order_id,
            order.shop,
            order.placement.order_number,
            order.version,
            _dump_order(order),
            _pack(order.applied[-REMEMBERED:]),
        )
        for id_, order in changes.orders.items()
    ]


def _older(stored: Stored, orders: Mapping[Uuid, Order]) -> list[older_items.OlderItem]:
    """The items that no longer have room in the rows of their orders."""
    if max(map(len, map(_APPLIED, orders.values())), default=0) <= REMEMBERED:
        return []
    return [
        (id_, digest)
        for id_, order in orders.items()
        for digest in older_than_stored(order, stored.recalled.get(id_, ()))
    ]


def _placeholder_rows(stored: Stored, changes: Changes) -> list[_Row]:
    taken = {*stored.orders, *changes.orders}
    placeholders = {
        id_: (True, id_, reference.shop, reference.value, 0, None, b"")
        for reference in changes.awaited
        if (id_ := direct_id(reference)) and id_ not in taken
    }
    return list(placeholders.values())


def _name_rows(stored: Stored, changes: Changes) -> list[_Row]:
    named: dict[Reference, Uuid | None] = {
        reference: None
        for reference in changes.awaited
        if reference.kind in STORED_KINDS and reference not in stored.references
    }
    named |= {r: id_ for r, id_ in changes.references.items() if r.kind in STORED_KINDS}
    return [
        (r not in stored.references, r.shop, str(r.kind), r.value, id_) for r, id_ in named.items()
    ]


def _bearer_columns(shared: Mapping[Reference, Bearers]) -> list[list[str]]:
    rows = [(r.shop, str(r.kind), r.value, _array(ids[1:])) for r, ids in shared.items()]
    return [list(column) for column in zip(*rows, strict=True)]


def _dump_order(order: Order) -> bytes:
    return _DOCUMENT.encode(replace(order, applied=()))


def _dump_parcel(parcel: Parcel) -> bytes:
    return _DOCUMENT.encode(parcel)


def _owners(parcel: Parcel) -> str:
    return _array(owner.order_id for owner in parcel.owners)


def _array(ids: Iterable[Uuid]) -> str:
    """Ids as Postgres writes an array: arrays of arrays would have to be of one length."""
    return f"{{{','.join(ids)}}}"


def _pack(digests: Sequence[int]) -> bytes:
    return struct.pack(f">{len(digests)}q", *digests)


def _unpack(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(packed) // 8}q", packed)


async def read_order(connection: Connection, order_id: Uuid) -> Order | None:
    """One order without locking it, for showing; None where there is none."""
    row = await connection.fetchrow(SQL["read_order"], order_id)
    return _order(row) if row else None


async def read_parcels(connection: Connection, numbers: Collection[str]) -> dict[str, Parcel]:
    """Tracking numbers without locking them, for showing."""
    rows = await connection.fetch(SQL["read_parcels"], list(numbers))
    return {row["number"]: _PARCEL.decode(row["document"]) for row in rows}
