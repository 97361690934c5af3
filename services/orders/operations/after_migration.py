"""What `orderflow migrate` does to stored rows of the orders service, once they can be read."""

from __future__ import annotations

from services.orders.operations.complete_owners import complete_all_owners
from services.orders.operations.fill_sub_statuses import fill_all_sub_statuses
from services.orders.operations.renumber import renumber
from services.runtime.operations.change_run import ChangeRun
from services.runtime.postgres.connections import Connection


async def change_rows(connection: Connection, run: ChangeRun) -> list[str]:
    """Do all steps; returns a line for each change. A second run changes nothing."""
    lines = await renumber(connection, run.apply, run.now)
    lines += await complete_all_owners(connection, run)
    return lines + await fill_all_sub_statuses(connection, run)
