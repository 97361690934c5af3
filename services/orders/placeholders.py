"""Placeholders: the rows that waiting items make for orders and names that do not exist yet.

An item that waits and the command that it waits for lock the same row (decision 0003). Where that
command never comes, the sweep deletes the row (decision 0135): a transaction that finds no row
makes a new one, and a row that another transaction holds is left for the next sweep.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import structlog
from asyncpg import Connection

from services.orders.domain.model.references import Reference, direct_id
from services.orders.outcomes import SERVICE
from services.orders.store import STORED_KINDS
from services.runtime.postgres.queries import affected_rows, load

SQL = load(Path(__file__).parent / "sql" / "placeholders.sql")

log = structlog.get_logger(__name__)


async def save(connection: Connection, awaited: Collection[Reference], now: datetime) -> None:
    """Record the names that items begin to wait for at business time `now`.

    Call it after their rows are saved: the lock on the recorded name comes after that on the row.
    """
    rows = {
        (r.shop, str(r.kind), r.value): direct_id(r)
        for r in awaited
        if r.kind in STORED_KINDS or direct_id(r)
    }
    if rows:
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(SQL["save_placeholders"], *columns, list(rows.values()), now)


async def sweep(connection: Connection, before: datetime, limit: int) -> int:
    """Delete placeholders that nothing waits for and that were last waited for by `before`.

    Looks at up to `limit` recorded names; returns how many of them are done with. Names whose order
    has come are done with as well, and keep their rows.
    """
    found = await connection.fetch(SQL["lock_unneeded_placeholders"], before, limit)
    if not found:
        return 0
    ids = [row["order_id"] for row in found if row["order_id"]]
    names = [[row[column] for row in found] for column in ("shop", "kind", "value")]
    orders = affected_rows(await connection.execute(SQL["delete_unplaced_orders"], ids))
    references = affected_rows(await connection.execute(SQL["delete_unused_references"], *names))
    done = affected_rows(await connection.execute(SQL["delete_placeholders"], *names))
    if orders or references:
        log.info("placeholders_swept", service=SERVICE, orders=orders, references=references)
    return done
