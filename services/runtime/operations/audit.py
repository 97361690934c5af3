"""The audit: every act of an operator, written in the transaction that carries it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from asyncpg import Connection

from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "audit.sql")


@dataclass(frozen=True, slots=True)
class Signature:
    """Who acts, and why: both are written into the audit."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Act:
    """One act of an operator: `act` is its name, such as `parked.skip`; who did it, and why.

    Topic, partition, offset and index name what the act was done to, as far as it applies; index
    -1 is the whole record. `detail` is plain JSON: facts that are stored nowhere else afterwards.
    """

    act: str
    actor: str
    reason: str
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    index: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedAct:
    """An act as stored; `at` is wall-clock time."""

    id: int
    at: datetime
    act: Act


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Which acts to read; None leaves a filter out. `since` is included, `until` is not."""

    acts: tuple[str, ...] | None = None
    actor: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50


async def write(connection: Connection, acts: Sequence[Act]) -> None:
    """Store the acts in the caller's transaction.

    Raises:
        asyncpg.CheckViolationError: an actor, a reason or a name of an act is empty.
    """
    if acts:
        columns = map(list, zip(*map(_columns, acts), strict=True))
        await connection.execute(SQL["save_acts"], *columns)


async def read(connection: Connection, selection: ActFilter) -> list[RecordedAct]:
    """The acts that fit the filter, newest first."""
    wanted = selection
    rows = await connection.fetch(
        SQL["find_acts"],
        list(wanted.acts) if wanted.acts is not None else None,
        wanted.actor,
        wanted.topic,
        wanted.partition,
        wanted.offset,
        wanted.since,
        wanted.until,
        wanted.limit,
    )
    return [_recorded(row) for row in rows]


def _columns(act: Act) -> tuple[object, ...]:
    detail = orjson.dumps(act.detail, default=str).decode()
    return (
        act.actor,
        act.reason,
        act.act,
        act.topic,
        act.partition,
        act.offset,
        act.index,
        detail,
    )


def _recorded(row: asyncpg.Record) -> RecordedAct:
    act = Act(
        row["act"],
        row["actor"],
        row["reason"],
        row["topic"],
        row["partition"],
        row["offset"],
        row["index"],
        orjson.loads(row["detail"]),
    )
    return RecordedAct(row["id"], row["at"], act)
