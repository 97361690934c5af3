"""Destinations as operators see and change them; each change has its row in the audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from asyncpg import Connection

from services.deliveries import store
from services.deliveries.domain.commands import Pause, Resume
from services.deliveries.domain.decide import Decision, Outcome, decide
from services.deliveries.messages.encode import destination_event
from services.deliveries.secret_box import SecretBox
from services.runtime.clock import new_id
from services.runtime.config.settings import Settings
from services.runtime.operations import audit
from services.runtime.operations.audit import Act, Signature
from services.runtime.outbox.outbox import Outbox
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parents[1] / "sql" / "operations.sql")
PAUSE, RESUME, SECRET = "destinations.pause", "destinations.resume", "destinations.secret"


class SecretNotShown(Exception):
    """There is no such destination, or its secret was shown before; the text says what to do."""


@dataclass(frozen=True, slots=True)
class ListedDestination:
    """A destination, and what waits for it; counts end at 10,000."""

    shop: str
    name: str
    state: str
    reason: str | None
    target: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    is_secret_shown: bool
    failures: int
    failing_since: datetime | None
    open_until: datetime | None
    backlog: int
    held_orders: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedAttempt:
    """One attempt to deliver an event."""

    at: datetime
    event_id: str
    order_id: str
    number: int
    status: int | None
    error: str | None
    answer: str | None
    milliseconds: int
    verdict: str


async def find(
    connection: Connection,
    shop: str | None,
    *,
    with_removed: bool,
    after: store.Key = ("", ""),
    limit: int,
) -> list[ListedDestination]:
    """The first `limit` destinations after `after`, by shop and name; of all shops where None."""
    rows = await connection.fetch(SQL["find_destinations"], shop, with_removed, *after, limit)
    return [
        ListedDestination(**{**row, "target": orjson.loads(row["target"])})
        for row in map(dict, rows)
    ]


async def find_attempts(
    connection: Connection, key: store.Key, *, only_failed: bool, limit: int
) -> list[ListedAttempt]:
    """The newest attempts of a destination, of the last week."""
    statement = "find_attempts_in_vain" if only_failed else "find_attempts"
    rows = await connection.fetch(SQL[statement], *key, limit)
    return [
        ListedAttempt(**{**row, "event_id": str(row["event_id"]), "order_id": str(row["order_id"])})
        for row in map(dict, rows)
    ]


async def show_secret(
    connection: Connection, key: store.Key, box: SecretBox, signature: Signature
) -> str:
    """The secret that signs, once; to see another one, it must be rotated.

    Raises:
        SecretNotShown: there is no such destination, or the secret was shown before.
        SecretUnreadable: it was encrypted under a key that is not there.
    """
    async with connection.transaction():
        sealed = await connection.fetchval(SQL["show_secret"], *key)
        if sealed is None:
            raise SecretNotShown(
                f"{'/'.join(key)} is no webhook, or its secret was shown before: list the "
                "destinations, or send destination.rotate_secret for a new secret"
            )
        secret = box.decrypt(sealed, *key)
        await audit.write(connection, [_act(SECRET, signature, key)])
    return secret


async def pause(
    connection: Connection, key: store.Key, signature: Signature, settings: Settings, now: datetime
) -> Decision:
    """Send nothing to a destination until it is resumed; events are kept."""
    command = Pause(item_id=new_id(), shop=key[0], name=key[1], reason=signature.reason)
    return await _change(
        connection, command, PAUSE, signature=signature, settings=settings, now=now
    )


async def resume(
    connection: Connection, key: store.Key, signature: Signature, settings: Settings, now: datetime
) -> Decision:
    """Send to a paused or disabled destination again, and try at once what is held or waits."""
    command = Resume(item_id=new_id(), shop=key[0], name=key[1])
    decision = await _change(
        connection, command, RESUME, signature=signature, settings=settings, now=now
    )
    if decision.outcome is Outcome.NO_CHANGE:
        async with connection.transaction():
            await connection.execute(SQL["ask_retries"], *key)
            await audit.write(connection, [_act(RESUME, signature, key)])
    return decision


async def _change(
    connection: Connection,
    command: Pause | Resume,
    act: str,
    *,
    signature: Signature,
    settings: Settings,
    now: datetime,
) -> Decision:
    key = (command.shop, command.name)
    async with connection.transaction():
        known = await store.lock_destinations(connection, {key})
        found = known.destinations.get(key)
        decision = decide(found, command, known.counts.get(command.shop, 0), now)
        if decision.outcome is Outcome.APPLIED and decision.destination:
            await store.save_destinations(connection, [decision.destination], now)
            await audit.write(connection, [_act(act, signature, key)])
        if decision.happened:
            event = destination_event(
                decision.happened,
                key,
                cause=command.item_id,
                now=now,
                reason="command",
                detail=signature.reason,
            )
            await Outbox(settings.outbox_shards).append(connection, [event])
    return decision


def _act(act: str, signature: Signature, key: store.Key) -> Act:
    detail = {"shop": key[0], "destination": key[1]}
    return Act(act, signature.actor, signature.reason, detail=detail)
