"""Reads and writes of replays, on the connection of the sender."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from asyncpg import Connection
from msgspec import Struct

from services.deliveries.domain.destination import Target
from services.deliveries.domain.replay import Selection, StoredEvent
from services.deliveries.messages.decode import ReplayedHead, read_replayed
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parents[1] / "sql" / "replay.sql")
SENDING = load(Path(__file__).parents[1] / "sql" / "sending.sql")
VALUES_MAX_BYTES = 4 * 1024 * 1024
"""Bodies are read in parts of about this size."""
NO_EVENT = "00000000-0000-0000-0000-000000000000"

Offsets = dict[str, dict[int, int]]
"""By topic and partition."""


class Cursor(Struct, frozen=True, omit_defaults=True):
    """How far a replay came."""

    kept_since: datetime
    """From then on all events of the destination are kept: by when they were taken in."""
    until: datetime
    """Events that were taken in from then on are new ones."""
    at: datetime | None = None
    event_id: str = NO_EVENT
    """The last body that was looked at."""
    offsets: Offsets = {}
    """What to read next of each topic; without any: as the selection says."""
    ends: Offsets = {}
    """Where new events begin."""
    begins_at: datetime | None = None
    """The topics begin then, and the selection before."""


_CURSOR = msgspec.json.Decoder(Cursor)
_SELECTION = msgspec.json.Decoder(Selection)
_TARGET = msgspec.json.Decoder(Target)


@dataclass(frozen=True, slots=True)
class WaitingReplay:
    """The replay of a destination that runs next."""

    id: str
    destination: int
    shard: int
    stage: str


@dataclass(slots=True)
class Replay:
    """A replay that is locked; its stage, cursor and counts are changed and stored again."""

    id: str
    destination: int
    shard: int
    selection: Selection
    stage: str
    cursor: Cursor | None
    kept: int
    topics: int
    states: int
    detail: str | None
    shop: str
    name: str
    target: Target | None
    """None: the destination was removed."""
    matched_since: datetime | None
    added: int = field(default=0, init=False)
    """Rows that this step added."""


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event that was read from a topic."""

    head: ReplayedHead
    topic: str
    type: str
    headers: bytes
    """Packed, as in the outbox."""
    value: bytes


async def find_waiting(connection: Connection, shards: Collection[int]) -> list[WaitingReplay]:
    """The oldest replay of each destination of these shards."""
    rows = await connection.fetch(SQL["find_waiting"], sorted(shards))
    return [
        WaitingReplay(str(row["id"]), row["destination"], row["shard"], row["stage"])
        for row in rows
    ]


async def lock(connection: Connection, id_: str) -> Replay | None:
    """Lock a replay; None where it has ended."""
    row = await connection.fetchrow(SQL["lock_replay"], id_)
    if row is None:
        return None
    return Replay(
        str(row["id"]),
        row["destination"],
        row["shard"],
        _SELECTION.decode(row["selection"]),
        row["stage"],
        _CURSOR.decode(row["cursor"]) if row["stage"] != "start" else None,
        row["kept"],
        row["topics"],
        row["states"],
        row["detail"],
        row["shop"] or "",
        row["name"] or "",
        _TARGET.decode(row["target"]) if row["target"] else None,
        row["matched_since"],
    )


async def of_destination(
    connection: Connection, destination: int, selection: Selection
) -> Replay | None:
    """A replay that is not stored, to count what it would send; None: there is no destination."""
    row = await connection.fetchrow(SQL["read_destination"], destination)
    if row is None:
        return None
    return Replay(
        id="",
        destination=destination,
        shard=0,
        selection=selection,
        stage="start",
        cursor=None,
        kept=0,
        topics=0,
        states=0,
        detail=None,
        shop=row["shop"],
        name=row["name"],
        target=_TARGET.decode(row["target"]),
        matched_since=row["matched_since"],
    )


async def save(connection: Connection, replay: Replay, ended_at: datetime | None) -> None:
    """Store how far a replay came."""
    cursor = msgspec.json.encode(replay.cursor) if replay.cursor else b"{}"
    await connection.execute(
        SQL["save_progress"],
        replay.id,
        replay.stage,
        cursor,
        replay.kept,
        replay.topics,
        replay.states,
        replay.detail,
        ended_at,
    )


async def kept_span(connection: Connection, shop: str) -> tuple[datetime | None, datetime | None]:
    """The oldest and the newest body of a shop: when they were taken in."""
    days = await connection.fetchval(SQL["find_days"])
    first = await connection.fetchval(SQL["find_kept_since"], shop, days)
    return first, await connection.fetchval(SQL["find_kept_until"], shop)


async def events_of_orders(
    connection: Connection, shop: str, orders: Sequence[str], since: datetime, until: datetime
) -> list[StoredEvent]:
    """What is kept of these orders of a shop, taken in since then and before `until`."""
    rows = await connection.fetch(SQL["find_events_of_orders"], shop, orders, since, until)
    return list(map(_event, rows))


async def events(connection: Connection, shop: str, ids: Sequence[str]) -> dict[str, StoredEvent]:
    """Those of these events that are kept of a shop, by id."""
    rows = await connection.fetch(SQL["find_events"], shop, ids)
    return {str(row["event_id"]): _event(row) for row in rows}


async def heads(
    connection: Connection, found: Sequence[StoredEvent]
) -> list[tuple[StoredEvent, ReplayedHead]]:
    """These events with what decides who gets them; their bodies are read in parts."""
    read = []
    for part in _parts(found):
        ids, days = [each.event_id for each in part], [each.day for each in part]
        rows = await connection.fetch(SQL["read_values"], ids, days)
        by_id = {str(row["event_id"]): read_replayed(row["value"], row["type"]) for row in rows}
        read += [(each, by_id[each.event_id]) for each in part if each.event_id in by_id]
    return read


def _parts(found: Sequence[StoredEvent]) -> list[list[StoredEvent]]:
    parts: list[list[StoredEvent]] = []
    size = VALUES_MAX_BYTES
    for each in found:
        if size >= VALUES_MAX_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(each)
        size += each.body_bytes
    return parts


def _event(row: Any) -> StoredEvent:
    return StoredEvent(
        str(row["event_id"]),
        row["day"],
        str(row["order_id"]),
        row["topic"],
        row["sequence"],
        row["order_version"],
        row["recorded_at"],
        row["body_bytes"],
    )


async def keep_bodies(connection: Connection, shop: str, read: Sequence[ReadEvent]) -> int:
    """Keep events that were read from topics; returns the number of the table they are in."""
    ids, *columns = body_columns(read)
    day: int = await connection.fetchval(SQL["save_bodies"], ids, shop, *columns)
    return day


def body_columns(read: Sequence[ReadEvent]) -> list[list[Any]]:
    """Columns of bodies: event, order, topic, type, sequence, version, headers, value, time."""
    rows = [
        (
            each.head.event_id,
            each.head.order_id,
            each.topic,
            each.type,
            each.head.sequence,
            each.head.order_version,
            each.headers,
            each.value,
            each.head.triggered_at,
        )
        for each in read
    ]
    return [list(column) for column in zip(*rows, strict=True)]


async def add(
    connection: Connection, replay: Replay, found: Sequence[StoredEvent], now: datetime
) -> None:
    """Put events behind what waits for the destination, in the order given."""
    if not found:
        return
    columns = (
        [each.order_id for each in found],
        [each.event_id for each in found],
        [each.day for each in found],
        [each.body_bytes for each in found],
    )
    await connection.execute(SQL["add_rows"], replay.shard, replay.destination, replay.id, *columns)
    orders = sorted({each.order_id for each in found})
    count = len(orders)
    await connection.execute(
        SENDING["make_groups"], [replay.destination] * count, orders, [replay.shard] * count, now
    )
    await connection.execute(SQL["make_health"], replay.destination, replay.shard)
    replay.added += len(found)
