"""Writes to Postgres, in the caller's transaction: nothing here begins or commits one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from asyncpg import Connection

from services.analytics.domain.activity import Activity, Countable, Visit, countables, visits
from services.analytics.domain.decide import Facts
from services.analytics.domain.facts import ClaimFact, OrderFact, ParcelFact, Uuid
from services.runtime import older_items
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sql")


async def save(connection: Connection, facts: Facts) -> None:
    """Merge facts into the stored ones, as `decide.merge` does, with at most five statements."""
    if facts.orders:
        await _save_orders(connection, facts)
    if facts.claims:
        rows = map(_claim_row, facts.claims.values())
        await connection.execute(SQL["save_claims"], *_columns(rows))


async def save_activities(connection: Connection, activities: Sequence[Activity]) -> None:
    """Count the activities that were not counted before, with at most three statements.

    An activity is remembered for 30 days, longer than its topic keeps it (`older_items`).
    """
    if not activities:
        return
    sent = countables(activities)
    known = await older_items.find(connection, [(each.owner, each.digest) for each in sent])
    fresh = [each for mark, each in sent.items() if mark.digest not in known.get(mark.owner, ())]
    if fresh:
        await connection.execute(SQL["count_activities"], *_columns(map(_countable_row, fresh)))
    if opened := visits(activities):
        await connection.execute(SQL["save_visits"], *_columns(map(_visit_row, opened)))


async def _save_orders(connection: Connection, facts: Facts) -> None:
    """Orders come first: their row locks serialise the statements after them."""
    orders = map(_order_row, facts.orders.values())
    await connection.execute(SQL["save_orders"], *_columns(orders))
    await connection.execute(SQL["raise_versions"], *_columns(_version_rows(facts)))
    if facts.parcels:
        parcels = map(_parcel_row, facts.parcels.values())
        await connection.execute(SQL["save_parcels"], *_columns(parcels))
    await _drop_vanished(connection, facts.complete_versions)


async def _drop_vanished(connection: Connection, order_ids: Collection[Uuid]) -> None:
    if order_ids:
        await connection.execute(SQL["drop_vanished_parcels"], list(order_ids))


def _version_rows(facts: Facts) -> Iterable[tuple[object, ...]]:
    for order in facts.orders.values():
        complete = facts.complete_versions.get(order.order_id, 0)
        yield order.order_id, complete, order.value_version, order.item_value


def _columns(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _order_row(order: OrderFact) -> tuple[object, ...]:
    return (
        order.order_id,
        order.version,
        order.shop,
        order.order_number,
        order.status,
        order.placed_at,
        order.placed_on,
        order.cancelled_at,
        order.cancelled_on,
        order.promised_on,
        order.country,
        order.zone.name,
        order.zone.source.value,
        order.currency,
        order.item_value,
        order.expected_parcels,
        order.value_version,
        *_sale_row(order),
    )


def _sale_row(order: OrderFact) -> tuple[object, ...]:
    sale = order.sale
    return (
        order.version,
        sale.campaign_id,
        sale.revenue,
        sale.discount,
        sale.shown_campaign_id,
        sale.test_id,
        sale.is_held_out,
        f"{{{','.join(sale.sessions)}}}" if sale.sessions else None,
    )


def _parcel_row(parcel: ParcelFact) -> tuple[object, ...]:
    return (
        parcel.shipment_id,
        parcel.order_id,
        parcel.version,
        parcel.shop,
        parcel.carrier,
        parcel.country,
        parcel.is_return,
        parcel.phase,
        parcel.flag,
        parcel.attempts,
        parcel.placed_at,
        parcel.promised_on,
        parcel.handed_over_at,
        parcel.handed_over_on,
        parcel.delivered_at,
        parcel.delivered_on,
        parcel.on_time.value,
    )


def _claim_row(claim: ClaimFact) -> tuple[object, ...]:
    return (
        claim.claim_id,
        claim.order_id,
        claim.version,
        claim.shop,
        claim.shipment_id,
        claim.reason,
        claim.status,
        claim.resolution_preference,
        claim.country,
        claim.opened_at,
        claim.opened_on,
        claim.is_withdrawn,
    )


def _countable_row(each: Countable) -> tuple[object, ...]:
    return (
        each.mark.owner,
        each.mark.digest,
        each.shop,
        each.campaign_id or "",
        each.widget,
        each.seen_on,
        each.impressions,
        each.clicks,
        each.sessions,
    )


def _visit_row(visit: Visit) -> tuple[object, ...]:
    return visit.session, visit.order_id, visit.shop, visit.seen_on
