"""Replays as operators ask for them; each has its row in the audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from asyncpg import Connection

from services.deliveries import store
from services.deliveries.domain.commands import Replay
from services.deliveries.domain.decide import Decision, decide
from services.deliveries.domain.destination import State
from services.deliveries.domain.replay import Selection
from services.deliveries.replaying import stages, stored
from services.deliveries.store import AskedReplay
from services.runtime.clock import new_id
from services.runtime.config.settings import Settings
from services.runtime.operations import audit
from services.runtime.operations.audit import Act, Signature
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parents[1] / "sql" / "show.sql")
REPLAY = "destinations.replay"
COUNTED_MAX = 100_000


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay came: events by where they were."""

    kept: int
    topics: int
    states: int
    """Of those from the topics: states of orders, where older events are gone."""
    detail: str | None
    has_ended: bool


@dataclass(frozen=True, slots=True)
class CountedReplay:
    """What a replay would send of what is kept; `reads_topics`: and what is older, from there."""

    kept: int
    is_whole: bool
    """False: counting ended at COUNTED_MAX."""
    reads_topics: bool
    counted_from: datetime
    """When the oldest events that are counted were taken in."""


async def ask(
    connection: Connection,
    key: store.Key,
    selection: Selection,
    signature: Signature,
    now: datetime,
) -> tuple[str, Decision]:
    """Store a replay; the sender runs it. Returns its id, and why it is refused if it is."""
    id_ = new_id()
    command = Replay(item_id=id_, shop=key[0], name=key[1], selection=selection)
    async with connection.transaction():
        known = await store.lock_destinations(connection, {key})
        found = known.destinations.get(key)
        decision = decide(found, command, known.counts.get(key[0], 0), now)
        if decision.destination and decision.replay:
            saved = await store.save_destinations(connection, [decision.destination], now)
            asked = AskedReplay(id_, key, decision.replay, signature.actor, signature.reason)
            await store.save_replays(connection, [asked], saved, now)
            detail = {
                "shop": key[0],
                "destination": key[1],
                "replay": id_,
                "selection": msgspec.to_builtins(selection),
            }
            act = Act(REPLAY, signature.actor, signature.reason, detail=detail)
            await audit.write(connection, [act])
    return id_, decision


async def progress(connection: Connection, id_: str) -> ReplayProgress | None:
    """How far a replay came; None where there is none."""
    row = await connection.fetchrow(SQL["find_replay"], id_)
    if row is None:
        return None
    return ReplayProgress(
        row["kept"], row["topics"], row["states"], row["detail"], row["ended_at"] is not None
    )


async def count(
    connection: Connection, key: store.Key, selection: Selection, settings: Settings, now: datetime
) -> tuple[Decision, CountedReplay | None]:
    """Count what a replay would send of what is kept; stores nothing."""
    command = Replay(item_id=new_id(), shop=key[0], name=key[1], selection=selection)
    async with connection.transaction():
        known = await store.lock_destinations(connection, {key})
        found = known.destinations.get(key)
        decision = decide(found, command, known.counts.get(key[0], 0), now)
    if decision.replay is None or found is None or found.id is None:
        return decision, None
    replay = await stored.of_destination(connection, found.id, selection)
    if replay is None or found.state is State.REMOVED:
        return decision, None
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await stages.begin(connection, replay, settings, now)
        reads_topics, since = replay.stage == stages.TOPICS, stages.kept_since(replay)
        replay.stage, total = stages.KEPT, 0
        while replay.stage != stages.ENDED and total < COUNTED_MAX:
            total += len(await stages.find_kept(connection, replay))
    return decision, CountedReplay(total, replay.stage == stages.ENDED, reads_topics, since)
