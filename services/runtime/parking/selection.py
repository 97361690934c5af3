"""Which parked items are selected, and which items are ahead of them and behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from asyncpg import Connection

from services.runtime.batch.items import FailureKind, Parked, QueuePosition
from services.runtime.parking import queue as rows
from services.runtime.parking.queue import SQL, position_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedSelection:
    """Which parked items are selected; a filter that is left out matches every item."""

    ids: tuple[int, ...] = ()
    positions: tuple[QueuePosition, ...] = ()
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    index: int | None = None
    key: bytes | None = None
    """The key of the Kafka record."""
    parking_key: str | None = None
    """Such as `order:<uuid>`, or a key that items wait for."""
    kind: FailureKind | None = None
    error_contains: str | None = None
    parked_before: datetime | None = None
    heads_only: bool = False
    """Only items that failed themselves, not the items behind them."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """The items that an operation's limit left out: for the same operation, once more."""

    chosen: tuple[QueuePosition, ...]
    behind: tuple[QueuePosition, ...]
    """Items that are only retried, because they are behind the chosen ones."""

    @property
    def count(self) -> int:
        """How many items are left."""
        return len(self.chosen) + len(self.behind)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The items around one item in the queue, nearest first."""

    ahead: list[Parked]
    """The items that it is behind and that failed themselves."""
    behind: list[Parked]
    behind_total: int
    """How many items are behind it, those left out of `behind` included."""


async def find(
    connection: Connection, selection: ParkedSelection, limit: int = 100
) -> list[Parked]:
    """The items that match, in queue order; those that failed with how many are behind each."""
    found = await rows.read(connection, await select(connection, selection, limit))
    heads = [row.position for row in found if row.failure.kind is not FailureKind.BEHIND]
    counts = rows.count_behind(await rows.read_keys(connection), heads) if heads else {}
    return [replace(row, behind=counts.get(row.position, 0)) for row in found]


async def neighbours(connection: Connection, position: QueuePosition, limit: int) -> Neighbours:
    """The failed items that one item is behind, and those behind it; at most `limit` of each."""
    queue = await rows.read_keys(connection)
    behind = rows.with_behind(queue, {position})[1:]
    ahead = await rows.read(connection, rows.ahead_of(queue, position))
    heads = [row for row in reversed(ahead) if row.failure.kind is not FailureKind.BEHIND]
    nearest = await rows.read(connection, behind[:limit])
    return Neighbours(heads[:limit], nearest, len(behind))


async def select(
    connection: Connection, selection: ParkedSelection, limit: int | None
) -> list[QueuePosition]:
    """The positions that match, in queue order; all of them without a limit."""
    ids, nths = position_columns(selection.positions)
    found = await connection.fetch(
        SQL["select_parked"],
        list(selection.ids) or None,
        ids or None,
        nths or None,
        selection.topic,
        selection.partition,
        selection.offset,
        selection.index,
        selection.key,
        selection.parking_key,
        selection.kind.value if selection.kind else None,
        selection.error_contains,
        selection.parked_before,
        selection.heads_only,
        limit,
    )
    return [QueuePosition(row["id"], row["nth"]) for row in found]
