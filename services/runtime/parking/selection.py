"""Which parked items are meant, and who stands before and behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from asyncpg import Connection

from services.runtime.batch.items import Kind, Parked, QueuePosition
from services.runtime.parking import queue as rows
from services.runtime.parking.queue import SQL, places_as_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which parked items are meant; what is left out matches everything."""

    ids: tuple[int, ...] = ()
    places: tuple[QueuePosition, ...] = ()
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    index: int | None = None
    key: bytes | None = None
    name: str | None = None
    """Such as `order:<uuid>`, or a key that items wait for."""
    kind: Kind | None = None
    error_contains: str | None = None
    parked_before: datetime | None = None
    heads_only: bool = False
    """Only what failed itself, not what stands behind it."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What an act's limit left out, for the same act in another transaction."""

    chosen: tuple[QueuePosition, ...]
    behind: tuple[QueuePosition, ...]
    """What is only tried, as it stands behind the chosen."""

    @property
    def count(self) -> int:
        """How many are left."""
        return len(self.chosen) + len(self.behind)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Who stands around one item, nearest first; `behind_total` counts also those left out."""

    before: list[Parked]
    """The items that hold it up: those that failed themselves."""
    behind: list[Parked]
    behind_total: int


async def find(connection: Connection, selection: Selection, limit: int = 100) -> list[Parked]:
    """The items that match, in the order of the queue, each head with how many stand behind it."""
    found = await rows.read(connection, await select(connection, selection, limit))
    heads = [row.place for row in found if row.failure.kind is not Kind.BEHIND]
    counts = rows.counts_behind(await rows.read_queue(connection), heads) if heads else {}
    return [replace(row, behind=counts.get(row.place, 0)) for row in found]


async def neighbours(connection: Connection, place: QueuePosition, limit: int) -> Neighbours:
    """What one item stands behind, and what stands behind it; at most so many of each."""
    queue = await rows.read_queue(connection)
    behind = rows.line_of(queue, {place})[1:]
    before = await rows.read(connection, rows.before(queue, place))
    heads = [row for row in reversed(before) if row.failure.kind is not Kind.BEHIND]
    nearest = await rows.read(connection, behind[:limit])
    return Neighbours(heads[:limit], nearest, len(behind))


async def select(
    connection: Connection, selection: Selection, limit: int | None
) -> list[QueuePosition]:
    """The places that match, in the order of the queue."""
    ids, nths = places_as_columns(selection.places)
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
        selection.name,
        selection.kind.value if selection.kind else None,
        selection.error_contains,
        selection.parked_before,
        selection.heads_only,
        limit,
    )
    return [QueuePosition(row["id"], row["nth"]) for row in found]
