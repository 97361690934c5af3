"""Emptying the tables of facts, so that snapshots fill them again (docs/decisions/0070)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from services.runtime.operations.rebuild import empty_tables
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "rebuild.sql")
TABLES = {
    "parcel_fact": "delete_parcels",
    "order_fact": "delete_orders",
    "claim_fact": "delete_claims",
    "campaign_sale": "delete_sales",
    "parcel_duration": "delete_durations",
    "fact_count": "delete_counts",
}
"""Facts before what is counted of them: deleting facts brings their counters to 0."""


async def empty(connection: Connection, now: datetime) -> dict[str, int]:  # noqa: ARG001 - as claims
    """Empty the tables in the caller's transaction; returns the deleted rows by table."""
    return await empty_tables(connection, {table: SQL[name] for table, name in TABLES.items()})
