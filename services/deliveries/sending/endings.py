"""Endings: destinations that answered 410 are removed, those that failed for days are disabled."""

from __future__ import annotations

from datetime import datetime

import structlog
from asyncpg import Connection

from services.deliveries.messages.encode import destination_event
from services.deliveries.names import SERVICE
from services.deliveries.sending import rows
from services.deliveries.sending.changes import Changes
from services.runtime.outbox.outbox import Outgoing

log = structlog.get_logger(__name__)


async def end_destinations(
    connection: Connection, changes: Changes, now: datetime
) -> list[Outgoing]:
    """End destinations in the caller's transaction; returns the events that say so."""
    outgoing = []
    await rows.lock_destinations(connection, {*changes.gone, *changes.hopeless})
    for destination, (url, detail) in changes.gone.items():
        named = await rows.remove_destination(connection, destination, url, detail, now)
        if named:
            outgoing.append(_event("removed", destination, named, now, "gone", detail))
    for destination, circuit in changes.hopeless.items():
        detail = f"no success since {circuit.failing_since:%Y-%m-%dT%H:%M:%SZ}"
        named = await rows.disable_destination(connection, destination, detail, now)
        if named:
            failures = circuit.failures
            outgoing.append(
                _event("disabled", destination, named, now, "exhausted", detail, failures)
            )
            log.error("destination_disabled", service=SERVICE, shop=named[0], name=named[1])
    return outgoing


def _event(  # noqa: PLR0917
    happened: str,
    destination: int,
    named: tuple[str, str],
    now: datetime,
    reason: str,
    detail: str,
    failures: int | None = None,
) -> Outgoing:
    cause = f"{reason}/{destination}/{now.isoformat()}"
    return destination_event(
        happened, named, cause=cause, now=now, reason=reason, detail=detail, failures=failures
    )
