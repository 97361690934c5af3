"""One order explained: its state, its parcels, their scans, and why each did what it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from services.orders import store
from services.orders.domain.arrangement import Cause
from services.orders.domain.commands import Reference, ReferenceKind, number_key, reference_key
from services.orders.domain.identity import order_id_of
from services.orders.domain.journey import travel
from services.orders.domain.order import Order, Shipment
from services.orders.domain.ownership import scans_of
from services.orders.domain.parcel import Parcel
from services.orders.domain.step import Rule
from services.runtime.queries import load

SQL = load(Path(__file__).parent / "sql")

RULES = {
    Rule.MOVED: "moved the parcel on",
    Rule.REPEATED: "repeats what was known",
    Rule.DELIVERED_STANDS: "came soon after the delivery, which stands",
    Rule.CONTRADICTED: "contradicts the delivery: the flag says error",
    Rule.NEW_LEG: "opens a new leg on the same number",
    Rule.RETRACTED: "was taken back by the carrier",
    Rule.DATA_ONLY: "tells data only, no movement",
    Rule.UNMAPPED: "has a code that is not known: kept, moves nothing",
    Rule.DELIVERED_FIRST: "a delivery long before any movement: set aside",
    Rule.IN_FUTURE: "lies in the future: set aside until its time comes",
    Rule.RETRACTION: "takes another scan back",
    Rule.GOING_BACK: "tells of the way back",
}
CAUSES = {
    Cause.RETRACTED: RULES[Rule.RETRACTED],
    Cause.IN_FUTURE: RULES[Rule.IN_FUTURE],
    Cause.DELIVERED_FIRST: RULES[Rule.DELIVERED_FIRST],
}


@dataclass(frozen=True, slots=True)
class Told:
    """A scan and what it did."""

    occurred_at: datetime
    event_name: str
    place: str
    phase: str | None
    why: str
    counts: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """An order as found; `order` is None where there is none. `waiting` are items that name it."""

    order_id: UUID
    order: Order | None
    scans: dict[UUID, list[Told]]
    waiting: list[dict[str, Any]]
    unpublished: int


async def explain(
    connection: asyncpg.Connection, shop: str, number: str, now: datetime
) -> Explained:
    """Read one order by its shop and number, with its parcels, and say why it stands as it does."""
    order_id = order_id_of(shop, number)
    order = await store.read_order(connection, order_id)
    numbers = [s.number for s in order.shipments if s.number] if order else []
    parcels = await store.read_parcels(connection, numbers)
    names = [reference_key(Reference(shop, ReferenceKind.ORDER_NUMBER, number))]
    names += [reference_key(Reference(shop, ReferenceKind.UUID, str(order_id)))]
    names += [number_key(each) for each in numbers]
    waiting = await connection.fetch(SQL["waiting_for"], names)
    return Explained(
        order_id=order_id,
        order=order,
        scans=_all_told(order.shipments if order else (), parcels, now),
        waiting=[dict(row) for row in waiting],
        unpublished=await connection.fetchval(SQL["unpublished"], str(order_id).encode()),
    )


def _all_told(
    shipments: Sequence[Shipment], parcels: dict[str, Parcel], now: datetime
) -> dict[UUID, list[Told]]:
    return {
        shipment.shipment_id: _told(parcels[shipment.number], shipment.shipment_id, now)
        for shipment in shipments
        if shipment.number in parcels
    }


def _told(parcel: Parcel, shipment_id: UUID, now: datetime) -> list[Told]:
    """The same computation that decided the state, this time for its reasons."""
    journey = travel(scans_of(parcel, shipment_id), now)
    counted = [
        Told(
            step.scan.occurred_at,
            step.scan.event_name,
            _place(step.scan),
            str(step.state.phase),
            RULES[step.rule],
            step.is_effective,
        )
        for step in journey.steps
    ]
    aside = [
        Told(
            one.scan.occurred_at,
            one.scan.event_name,
            _place(one.scan),
            None,
            CAUSES[one.cause],
            counts=False,
        )
        for one in journey.aside
    ]
    return sorted(counted + aside, key=lambda told: told.occurred_at)


def _place(scan: Any) -> str:
    where = scan.location
    parts = (where.city, where.country_code) if where else ()
    return ", ".join(part for part in parts if part)
