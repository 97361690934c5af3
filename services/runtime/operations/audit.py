"""The audit: what a person did by hand, written in the transaction that did it."""

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
class Act:
    """One act: `act` is its name, such as `parked.skip`; `actor` who did it, `reason` why.

    Where it concerns a record or a partition, that is named; index -1 is the whole record.
    `detail` is plain JSON: what cannot be read from elsewhere afterwards.
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
class Recorded:
    """An act as it was written down; `at` is the wall's clock."""

    id: int
    at: datetime
    act: Act


@dataclass(frozen=True, slots=True)
class Selection:
    """Which acts to read; None leaves a filter out, `until` is not included."""

    acts: tuple[str, ...] | None = None
    actor: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50


async def write(connection: Connection, acts: Sequence[Act]) -> None:
    """Write the acts down in the caller's transaction.

    Raises:
        asyncpg.CheckViolationError: an empty actor, reason or name.
    """
    if acts:
        columns = map(list, zip(*map(_columns, acts), strict=True))
        await connection.execute(SQL["save_acts"], *columns)


async def read(connection: Connection, selection: Selection) -> list[Recorded]:
    """The newest acts first."""
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


def _recorded(row: asyncpg.Record) -> Recorded:
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
    return Recorded(row["id"], row["at"], act)
