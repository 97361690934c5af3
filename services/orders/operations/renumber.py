"""Renumber: stored tracking numbers that an earlier version normalised in another way.

Runs after the migrations (decision 0133). Numbers of letters and digits are the same in both
versions, so that few or no rows are concerned, and a second run finds none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.orders import store
from services.orders.domain.model.folding import keep_newest
from services.orders.domain.model.ids import scan_key
from services.orders.domain.model.known_scans import with_digests_dropped
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.model.references import number_key
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.rules.report_scans import merge_scans
from services.orders.domain.tracking.naming import said_name
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace
from services.runtime.batch.batch import ApplyBatch, Batch
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load
from services.runtime.waiting import store as waiting

SQL = load(Path(__file__).parent / "renumber.sql")


async def renumber(connection: Connection, apply: ApplyBatch, now: datetime) -> list[str]:
    """Give each stored number its present normalised form, a transaction for each; returns lines.

    `apply` decides a batch of the service.
    Parcels whose numbers become equal are joined, except a second one that an order owns: it stays
    as it is, and its line says so. Services may run meanwhile.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for row in await connection.fetch(SQL["find_other_spellings"]):
        number = normalise_number(row["number"])
        if number not in ("", row["number"]):
            groups[number].append(row["number"])
    lines: list[str] = []
    for number, spellings in groups.items():
        async with connection.transaction():
            lines += await _join(connection, apply, number, spellings, now)
    return lines


@dataclass(frozen=True, slots=True)
class _Group:
    """The stored parcels of one number: those that become one, and those that must stay."""

    number: str
    joined: tuple[str, ...]
    """Stored numbers of the parcels that become one; the owned one first."""
    left: tuple[str, ...]
    """Stored numbers of further parcels that orders own."""


async def _join(
    connection: Connection,
    apply: ApplyBatch,
    number: str,
    spellings: Sequence[str],
    now: datetime,
) -> list[str]:
    every = [number, *spellings]
    locked = await store.lock(connection, [], every, _keys(every), is_final=True)
    stored = locked.stored
    group = _group(number, stored)
    moved = [each for each in group.joined if each != number]
    if moved:
        await connection.execute(SQL["delete_parcels"], moved)
        parcel = _joined(group, stored, now)
        orders = _renumbered(parcel, group.joined[0], stored)
        changes = store.Changes(orders, {number: parcel}, {}, ())
        await store.save(connection, stored, changes)
        await connection.execute(SQL["move_waits"], _keys(moved), number_key(number))
        await connection.execute(SQL["move_parking_keys"], _keys(moved), number_key(number))
        if parcel.owners:
            await _decide_waits(connection, apply, number, now)
    lines = [f"{each!r} is {number!r} now" for each in moved]
    return lines + [
        f"{each!r} stays: an order has {number!r} with other scans" for each in group.left
    ]


def _keys(numbers: Sequence[str]) -> list[str]:
    """The keys that items wait for by these numbers."""
    return [number_key(each) for each in numbers]


def _group(number: str, stored: store.Stored) -> _Group:
    """The parcel that orders own comes first; of several the one that has the number, or scans."""

    def rank(each: str) -> tuple[bool, int]:
        return each == number, len(stored.parcels[each].scans)

    owned = sorted(
        (each for each, parcel in stored.parcels.items() if parcel.owners), key=rank, reverse=True
    )
    unowned = [each for each, parcel in stored.parcels.items() if not parcel.owners]
    return _Group(number, (*owned[:1], *sorted(unowned)), tuple(sorted(owned[1:])))


def _joined(group: _Group, stored: store.Stored, now: datetime) -> Parcel:
    """The parcel under its new number.

    Scans of a number that no order owned are left out where another one is owned: their items
    wait, and are decided again. So they have their events. Folds stay. Digests of folded scans are
    of their keys under the former number, so what is older than these scans is taken for a repeat.
    """
    first, *others = (stored.parcels[each] for each in group.joined)
    known = first.known and with_digests_dropped(first.known)
    parcel = Parcel(number=group.number, owners=first.owners, known=known)
    for each in (first,) if first.owners else (first, *others):
        parcel = merge_scans(
            parcel, tuple(_rekeyed(scan, group.number) for scan in each.scans)
        ).parcel
    return keep_newest(parcel, now).parcel


def _rekeyed(scan: Scan, number: str) -> Scan:
    key = scan_key(
        number=number,
        carrier=scan.carrier,
        scan_id=scan.scan_id,
        name=said_name(scan),
        code=scan.code,
        text=scan.text,
        occurred_at=scan.occurred_at,
        retracts=scan.retracts,
    )
    return replace(scan, key=key)


def _renumbered(parcel: Parcel, former: str, stored: store.Stored) -> dict[str, Order]:
    """The orders that own the parcel, with its number in their shipments."""
    owners = {(owner.order_id, owner.shipment_id) for owner in parcel.owners}
    changed: dict[str, Order] = {}
    for order_id in {each for each, _ in owners}:
        order = stored.orders.get(order_id)
        if order is None:
            continue
        shipments = tuple(
            replace(each, number=parcel.number)
            if each.number == former and (order_id, each.shipment_id) in owners
            else each
            for each in order.shipments
        )
        changed[order_id] = replace(order, shipments=shipments)
    return changed


async def _decide_waits(
    connection: Connection, apply: ApplyBatch, number: str, now: datetime
) -> None:
    """Decide the items that wait for a number that an order has now, as if they came again."""
    rows = await waiting.lock(connection, [number_key(number)])
    await waiting.remove(connection, [row.item_id for row in rows])
    originals = tuple(row.original for row in rows)
    if originals:
        await apply(connection, Batch(originals, now))
