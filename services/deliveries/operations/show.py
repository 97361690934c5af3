"""One destination, as an operator looks at it: state, what waits, answers, replays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from asyncpg import Connection

from services.deliveries import store
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parents[1] / "sql" / "show.sql")
GROUPS, ATTEMPTS, REPLAYS = 20, 10, 10
"""How many of each are shown."""


@dataclass(frozen=True, slots=True)
class ShownDestination:
    """A destination without its secret. The lists hold plain rows, newest or held ones first."""

    id: int
    shop: str
    name: str
    target: dict[str, Any]
    state: str
    reason: str | None
    created_at: datetime
    updated_at: datetime
    failures: int
    failing_since: datetime | None
    open_until: datetime | None
    waiting: int
    """Events that wait, counted up to 10,000."""
    held_orders: int
    groups: list[dict[str, Any]]
    """Orders whose events wait: `due_at` is None where they are held."""
    attempts: list[dict[str, Any]]
    replays: list[dict[str, Any]]


async def show(connection: Connection, key: store.Key) -> ShownDestination | None:
    """A destination by shop and name, also a removed one; None where there never was one."""
    row = await connection.fetchrow(SQL["find_destination"], *key)
    if row is None:
        return None
    groups = await connection.fetch(SQL["find_groups"], row["id"], GROUPS)
    attempts = await connection.fetch(SQL["find_attempts"], row["id"], ATTEMPTS)
    replays = await connection.fetch(SQL["find_replays"], row["id"], REPLAYS)
    return ShownDestination(
        **{**dict(row), "target": orjson.loads(row["target"])},
        groups=list(map(dict, groups)),
        attempts=list(map(dict, attempts)),
        replays=[
            {**each, "selection": orjson.loads(each["selection"])} for each in map(dict, replays)
        ],
    )
