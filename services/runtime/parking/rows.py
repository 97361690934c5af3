"""Rows of the queue as values, and who stands behind whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import asyncpg
from asyncpg import Connection

from services.runtime.event_headers import unpack_headers
from services.runtime.parking.queue import SQL, places_as_columns
from services.runtime.parking.values import Failure, Kind, Parked, Place
from services.runtime.records import Coordinates, Original

Queue = Sequence[tuple[Place, frozenset[str]]]


async def read(connection: Connection, places: Collection[Place]) -> list[Parked]:
    """The rows at these places, in the order of the queue; those that are gone are left out."""
    if not places:
        return []
    rows = await connection.fetch(SQL["read_parked"], *places_as_columns(places))
    return [_parked(row) for row in rows]


async def find_due(connection: Connection, limit: int) -> list[Place]:
    """What may be tried again by itself now, in order, with what stands behind it."""
    return _places(await connection.fetch(SQL["find_due"], limit))


async def read_queue(connection: Connection) -> Queue:
    """Every place with its names, in order."""
    rows = await connection.fetch(SQL["read_queue"])
    return [(Place(row["id"], row["nth"]), frozenset(row["names"])) for row in rows]


def line_of(queue: Queue, heads: Collection[Place]) -> list[Place]:
    """The heads and all that stand behind them, directly or behind each other, in order."""
    line: list[Place] = []
    reached: set[str] = set()
    for place, names in queue:
        if place in heads or not reached.isdisjoint(names):
            line.append(place)
            reached |= names
    return line


def before(queue: Queue, place: Place) -> list[Place]:
    """All that one stands behind, directly or behind each other, in order."""
    names = dict(queue).get(place, frozenset[str]())
    reached, found = set(names), []
    for other, its in reversed([entry for entry in queue if entry[0] < place]):
        if not reached.isdisjoint(its):
            found.append(other)
            reached |= its
    return found[::-1]


def counts_behind(queue: Queue, heads: Iterable[Place]) -> dict[Place, int]:
    """How many stand behind each of the heads."""
    return {head: len(line_of(queue, {head})) - 1 for head in heads}


def _places(rows: Sequence[asyncpg.Record]) -> list[Place]:
    return [Place(row["id"], row["nth"]) for row in rows]


def _parked(row: asyncpg.Record) -> Parked:
    original = Original(
        Coordinates(row["topic"], row["partition"], row["offset"]),
        row["key"],
        tuple(unpack_headers(row["headers"])),
        row["value"],
        row["record_timestamp"],
    )
    return Parked(
        Place(row["id"], row["nth"]),
        original,
        row["index"],
        str(row["item_id"]) if row["item_id"] else None,
        row["type"],
        Failure(Kind(row["kind"]), row["error"], row["traceback"]),
        frozenset(row["names"]),
        row["parked_at"],
        row["attempts"],
        row["last_tried_at"],
        row["next_try_at"],
    )
