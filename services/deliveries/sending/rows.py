"""Reads and writes of the sender, on its own connection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
from asyncpg import Connection

from schemas.envelope import TRACEPARENT
from services.deliveries import store
from services.deliveries.domain.destination import Secret, State, Target
from services.deliveries.domain.schedule import DISABLED_AFTER, Circuit
from services.deliveries.messages.ucp.log import Log, read_log
from services.deliveries.sending.changes import Changes
from services.deliveries.sending.window import Row
from services.runtime.messages.headers import PackedDataUnreadable, read_headers
from services.runtime.messages.trace_context import read_traceparent
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parents[1] / "sql" / "sending.sql")
TARGET = msgspec.json.Decoder(Target)
DAYS = 9
"""Tables of bodies, one a day in turn."""
RELEASED_DESTINATIONS, RELEASED_GROUPS = 5, 2_000
"""So many destinations, and groups of each, are made due at once by `release`."""


@dataclass(frozen=True, slots=True)
class StoredTarget:
    """A destination as it is now."""

    id: int
    shop: str
    name: str
    target: Target
    state: State
    secret: Secret | None


@dataclass(frozen=True, slots=True)
class StoredBody:
    """An event as it was on Kafka, and what its headers say."""

    shop: str
    type: str
    sequence: int
    order_version: int | None
    headers: bytes
    """Packed, as in the outbox."""
    value: bytes
    fulfilments: int | None = None
    """How many of `entries` stand in the body `ucp`; None: no log is kept."""
    entries: bytes | None = None
    """The fulfilment log of the order, as it is now."""
    traceparent: str | None = None
    """That of the attempt, where it is traced."""

    def handed_on(self) -> str | None:
        """The `traceparent` for the receiver: of the attempt, or else of the event."""
        if self.traceparent is not None or not self.headers:
            return self.traceparent
        try:
            found = dict(read_headers(self.headers)).get(TRACEPARENT, b"").decode("latin-1")
        except PackedDataUnreadable:  # A feed says so; a webhook needs no headers.
            return None
        return found if read_traceparent(found) else None

    def log(self) -> Log | None:
        """The fulfilment log up to this event; None: none is kept."""
        if self.fulfilments is None or self.entries is None:
            return None
        log = read_log(self.entries)
        return log[: self.fulfilments] if len(log) >= self.fulfilments else None


@dataclass(frozen=True, slots=True)
class FreshRow:
    """A delivery that was not tried yet; `is_blocked`: an earlier event of its group waits."""

    row: Row
    is_blocked: bool


@dataclass(frozen=True, slots=True)
class DueRow:
    """The oldest delivery of a group that is due; `is_feed`: its destination is a feed."""

    row: Row
    is_feed: bool


async def read_fresh(
    connection: Connection, shards: Collection[int], rows: int, known: Sequence[int]
) -> list[FreshRow]:
    """The oldest rows of the held shards, without those of these ids."""
    found = await connection.fetch(SQL["read_fresh"], sorted(shards), rows, known)
    return [FreshRow(_row(each, segment=each["segment"]), each["is_blocked"]) for each in found]


async def read_due(
    connection: Connection, groups: Mapping[int, int], now: datetime
) -> list[DueRow]:
    """The oldest row of each group that is due; `groups` says how many of each destination."""
    if not groups:
        return []
    found = await connection.fetch(SQL["read_due"], list(groups), list(groups.values()), now)
    return [
        DueRow(
            _row(
                each,
                failures=each["attempts"],
                skipped=each["skipped"],
                replay=str(each["replay"]) if each["replay"] else None,
            ),
            each["is_feed"],
        )
        for each in found
    ]


def _row(row: Any, **more: Any) -> Row:
    return Row(
        id=row["id"],
        shard=row["shard"],
        destination=row["destination"],
        order_id=str(row["order_id"]),
        event_id=str(row["event_id"]),
        body_day=row["body_day"],
        body_bytes=row["body_bytes"],
        **more,
    )


async def read_targets(connection: Connection, ids: Collection[int]) -> dict[int, StoredTarget]:
    """The destinations of these ids."""
    if not ids:
        return {}
    rows = await connection.fetch(SQL["read_targets"], sorted(ids))
    return {
        row["id"]: StoredTarget(
            row["id"],
            row["shop"],
            row["name"],
            TARGET.decode(row["target"]),
            State(row["state"]),
            store.secret_of(row),
        )
        for row in rows
    }


async def read_states(
    connection: Connection, ids: Collection[int]
) -> tuple[dict[int, State], list[int]]:
    """The states of the destinations of these ids, and which of them are feeds."""
    if not ids:
        return {}, []
    found = await connection.fetch(SQL["read_states"], sorted(ids))
    feeds = [row["id"] for row in found if row["is_feed"]]
    return {row["id"]: State(row["state"]) for row in found}, feeds


async def read_bodies(connection: Connection, rows: Sequence[Row]) -> dict[str, StoredBody]:
    """The bodies of these deliveries, by event."""
    if not rows:
        return {}
    wanted = {row.event_id: row.body_day for row in rows}
    found = await connection.fetch(SQL["read_bodies"], list(wanted), list(wanted.values()))
    missing = wanted.keys() - {str(row["event_id"]) for row in found}
    if missing:  # Moved to the table of another day since the rows were read.
        places = list(product(sorted(missing), range(DAYS)))
        found += await connection.fetch(SQL["read_bodies"], *map(list, zip(*places, strict=True)))
    return {
        str(row["event_id"]): StoredBody(
            row["shop"],
            row["type"],
            row["sequence"],
            row["order_version"],
            row["headers"],
            row["value"],
            row["fulfilments"],
            row["entries"],
        )
        for row in found
    }


async def release(connection: Connection, shards: Collection[int], now: datetime) -> list[int]:
    """Make groups due and close circuits, where it was asked for; returns those destinations.

    One call makes a bounded number of groups due: others are sent between calls.
    """
    rows = await connection.fetch(
        SQL["release"], sorted(shards), now, RELEASED_DESTINATIONS, RELEASED_GROUPS
    )
    return [row["destination"] for row in rows]


async def read_health(
    connection: Connection, shards: Collection[int]
) -> dict[int, tuple[int, Circuit]]:
    """Shard and circuit of the destinations that failed or have groups."""
    rows = await connection.fetch(SQL["read_health"], sorted(shards))
    return {
        row["destination"]: (
            row["shard"],
            Circuit(row["failures"], row["failing_since"], row["open_until"], row["probes"]),
        )
        for row in rows
    }


async def write(
    connection: Connection,
    changes: Changes,
    circuits: Mapping[int, tuple[int, Circuit]],
    now: datetime,
) -> None:
    """Write the changes in the caller's transaction, with a constant number of statements.

    `circuits` are the shards and circuits to store, by destination.
    """
    fresh = [row for row in changes.ended if row.segment is not None]
    if fresh:
        await connection.execute(SQL["end_fresh"], *_places(fresh))
    backlog = [row.id for row in changes.ended if row.segment is None]
    if backlog:
        await connection.execute(SQL["end_backlog"], backlog)
    if changes.deferred:
        await connection.execute(SQL["defer"], *_places(changes.deferred))
        groups = {row.group: row.shard for row in changes.deferred}
        columns = zip(*((*group, shard) for group, shard in groups.items()), strict=True)
        await connection.execute(SQL["make_groups"], *map(list, columns), now)
    if changes.groups:
        rows = (
            (*group, each.shard, each.attempts, each.due_at, each.skipped)
            for group, each in changes.groups.items()
        )
        await connection.execute(SQL["save_groups"], *_columns(rows))
    if changes.finished:
        finished = _columns(dict.fromkeys(changes.finished))
        await connection.execute(SQL["end_groups"], *finished)
        if any(each.skipped for each in changes.groups.values()):
            await connection.execute(SQL["rest_groups"], *finished)
    if circuits:
        await connection.execute(SQL["save_health"], *_columns(_health(circuits)))
    if changes.attempts:
        await connection.execute(SQL["save_attempts"], *_columns(_attempts(changes)))


def _places(rows: Sequence[Row]) -> list[list[object]]:
    return _columns([(row.shard, row.id, row.segment) for row in rows])


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _health(circuits: Mapping[int, tuple[int, Circuit]]) -> Iterable[tuple[object, ...]]:
    for destination, (shard, each) in circuits.items():
        state = (each.failures, each.failing_since, each.open_until, each.probes)
        yield (destination, shard, *state)


def _attempts(changes: Changes) -> Iterable[tuple[object, ...]]:
    for each, verdict in changes.attempts:
        row, answer = each.row, each.answer
        yield (
            row.destination,
            row.event_id,
            row.order_id,
            each.number,
            each.at,
            answer.status,
            answer.error,
            each.text or None,
            each.milliseconds,
            verdict.value,
            row.replay,
        )


async def lock_destinations(connection: Connection, ids: Collection[int]) -> None:
    """Lock destinations in the order in which a batch of commands locks them: no deadlock."""
    if ids:
        await connection.fetch(SQL["lock_destinations"], sorted(ids))


async def remove_destination(
    connection: Connection, destination: int, url: str, reason: str, now: datetime
) -> tuple[str, str] | None:
    """End an active destination that still has this URL; returns its shop and name if it did."""
    row = await connection.fetchrow(SQL["remove_destination"], destination, url, reason, now)
    return (row["shop"], row["name"]) if row else None


async def disable_destination(
    connection: Connection, destination: int, reason: str, now: datetime
) -> tuple[str, str] | None:
    """Let a destination get nothing more, unless it was changed or resumed lately."""
    before = now - DISABLED_AFTER
    row = await connection.fetchrow(SQL["disable_destination"], destination, reason, now, before)
    return (row["shop"], row["name"]) if row else None
