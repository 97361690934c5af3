"""Reads and writes of a batch, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from services.deliveries.domain.destination import Destination, Secret, State, Target
from services.deliveries.domain.replay import Selection
from services.deliveries.messages.decode import ReceivedEvent
from services.deliveries.messages.ucp.log import Log, read_log, write_log
from services.deliveries.names import SHARDS
from services.runtime.outbox.outbox import shard_of
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "sql" / "batch.sql")
TARGET = msgspec.json.Decoder(Target)

Key = tuple[str, str]
"""Shop and name of a destination."""
OrderKey = tuple[str, str]
"""Shop and id of an order."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A destination as far as it is needed to match events."""

    id: int
    target: Target


@dataclass(slots=True)
class Known:
    """What is stored of the destinations that commands name, and of all of their shops."""

    destinations: dict[Key, Destination] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """How many destinations each shop has."""
    feeds: dict[str, str | None] = field(default_factory=dict)
    """The name of each shop's feed; None: it has none."""


@dataclass(frozen=True, slots=True)
class Match:
    """An event, its record, and the destinations that get it."""

    event: ReceivedEvent
    topic: str
    headers: bytes
    """Packed by `headers_by_name`."""
    value: bytes
    receivers: tuple[int, ...]
    fulfilments: int | None = None
    """Entries of the order's fulfilment log with this event; None: no log is kept."""


@dataclass(frozen=True, slots=True)
class AskedReplay:
    """A replay that was decided; `asked_by` is the source of the command, or an operator."""

    id: str
    key: Key
    selection: Selection
    asked_by: str
    reason: str | None


async def lock_destinations(connection: Connection, keys: Collection[Key]) -> Known:
    """Lock and read the destinations of these names, and count those of their shops."""
    if not keys:
        return Known()
    shops = sorted({shop for shop, _ in keys})
    await connection.fetch(SQL["lock_shops"], shops)
    ordered = sorted(keys)
    rows = await connection.fetch(
        SQL["lock_destinations"], [shop for shop, _ in ordered], [name for _, name in ordered]
    )
    counts = await connection.fetch(SQL["count_destinations"], shops)
    return Known(
        {(row["shop"], row["name"]): _destination(row) for row in rows},
        {row["shop"]: row["number"] for row in counts},
        {row["shop"]: row["feed"] for row in counts},
    )


def _destination(row: Any) -> Destination:
    return Destination(
        id=row["id"],
        shop=row["shop"],
        name=row["name"],
        target=TARGET.decode(row["target"]),
        state=State(row["state"]),
        reason=row["reason"],
        secret=secret_of(row),
        replays=row["replays"],
        applied=tuple(map(str, row["applied"])),
    )


def secret_of(row: Any) -> Secret | None:
    """The secret in a row of `destination`; None: that of a feed, which has none."""
    if row["secret"] is None:
        return None
    return Secret(row["secret"], row["former_secret"], row["former_until"])


async def save_destinations(
    connection: Connection, changed: Sequence[Destination], now: datetime
) -> list[Destination]:
    """Insert or replace destinations; returns them with their ids."""
    if not changed:
        return []
    made = [(each.shop, each.name) for each in changed if each.id is None]
    if made:
        await connection.execute(SQL["renew_ids"], *map(list, zip(*made, strict=True)))
    rows = [_columns(each) for each in changed]
    saved = await connection.fetch(
        SQL["save_destinations"], *map(list, zip(*rows, strict=True)), now
    )
    ids = {(row["shop"], row["name"]): row["id"] for row in saved}
    return [replace(each, id=ids[each.shop, each.name]) for each in changed]


def _columns(each: Destination) -> tuple[object, ...]:
    secret = each.secret
    return (
        each.shop,
        each.name,
        msgspec.json.encode(each.target),
        each.state.value,
        each.reason,
        secret and secret.current,
        secret and secret.former,
        secret and secret.former_until,
        f"{{{','.join(each.applied)}}}",  # As Postgres writes arrays.
        each.retries_now,
    )


async def find_versions(connection: Connection, shops: Collection[str]) -> dict[str, int]:
    """A number for each shop that has destinations; every write to one of them changes it."""
    if not shops:
        return {}
    rows = await connection.fetch(SQL["find_versions"], sorted(shops))
    return {row["shop"]: row["version"] for row in rows}


async def save_replays(
    connection: Connection,
    asked: Sequence[AskedReplay],
    saved: Sequence[Destination],
    now: datetime,
) -> None:
    """Store replays of destinations that were just saved; the sender of their shard runs them."""
    ids = {(each.shop, each.name): each.id for each in saved}
    rows = [
        (
            each.id,
            ids[each.key],
            shard_of(str(ids[each.key]), SHARDS),
            msgspec.json.encode(each.selection),
            each.asked_by,
            each.reason,
        )
        for each in asked
    ]
    if rows:
        await connection.execute(SQL["save_replays"], *map(list, zip(*rows, strict=True)), now)


async def find_receivers(
    connection: Connection, shops: Collection[str]
) -> Mapping[str, list[Receiver]]:
    """The destinations of these shops that are not removed, by shop."""
    if not shops:
        return {}
    found: dict[str, list[Receiver]] = {}
    for row in await connection.fetch(SQL["find_destinations"], sorted(shops)):
        receiver = Receiver(row["id"], TARGET.decode(row["target"]))
        found.setdefault(row["shop"], []).append(receiver)
    return found


async def find_known_events(connection: Connection, event_ids: Collection[str]) -> set[str]:
    """Those of the events that were stored before, today or yesterday."""
    if not event_ids:
        return set()
    rows = await connection.fetch(SQL["find_known_events"], sorted(event_ids))
    return {str(row["event_id"]) for row in rows}


async def lock_logs(
    connection: Connection, orders: Collection[OrderKey]
) -> dict[OrderKey, Log | None]:
    """Lock and read the fulfilment logs of orders; None: it begins with this batch."""
    if not orders:
        return {}
    rows = await connection.fetch(SQL["lock_logs"], *map(list, zip(*sorted(orders), strict=True)))
    return {
        (row["shop"], str(row["order_id"])): row["entries"] and read_log(row["entries"])
        for row in rows
    }


async def save_logs(connection: Connection, changed: Mapping[OrderKey, Log]) -> None:
    """Store fulfilment logs that became longer."""
    if changed:
        rows = [(*key, write_log(log)) for key, log in changed.items()]
        await connection.execute(SQL["save_logs"], *map(list, zip(*rows, strict=True)))


async def save_matches(connection: Connection, matches: Sequence[Match], now: datetime) -> None:
    """Store the bodies of matched events and their deliveries, in the order given."""
    if not matches:
        return
    events = [
        (
            each.event.event_id,
            each.event.head.shop,
            each.event.order_id,
            each.topic,
            each.event.type,
            each.event.sequence,
            each.event.order_version,
            each.headers,
            each.value,
            each.fulfilments,
        )
        for each in matches
    ]
    deliveries = [
        (shard_of(str(receiver), SHARDS), receiver, number)
        for number, each in enumerate(matches, 1)
        for receiver in each.receivers
    ]
    await connection.execute(
        SQL["save_matches"],
        *map(list, zip(*events, strict=True)),
        now,
        *map(list, zip(*deliveries, strict=True)),
    )
