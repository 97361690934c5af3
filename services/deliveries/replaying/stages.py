"""Stages of a replay: which bodies are kept, events of the topics, events that are kept.

Older events are read from the topics first, then those that are kept, so that the events of an
order keep their order. Each step is one transaction of the sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from asyncpg import Connection
from msgspec.structs import replace

from schemas.topics import ORDERS_EVENTS, ORDERS_STATE
from services.deliveries.domain.destination import Target
from services.deliveries.domain.filters import EVERYTHING, matches
from services.deliveries.domain.replay import StoredEvent, in_order
from services.deliveries.names import SERVICE
from services.deliveries.replaying import stored
from services.deliveries.replaying.places import CLOCK_DIFFERENCE, EVENT_TOPICS
from services.deliveries.replaying.stored import SQL, Cursor, Offsets, ReadEvent, Replay
from services.deliveries.replaying.topic_scan import Batch
from services.runtime.config.settings import Settings

START, TOPICS, KEPT, ENDED = "start", "topics", "kept", "ended"
ORDERS_A_STEP = 100
GIVEN_UP_A_STEP = 200
WHOLE_AFTER = timedelta(minutes=5)
"""Batches that began before filters were set have ended by then, whatever their clocks say."""
INSTANT = timedelta(microseconds=1)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


async def begin(connection: Connection, replay: Replay, settings: Settings, now: datetime) -> None:
    """Decide where events are, and what counts as new."""
    selection = replay.selection
    first, last = await stored.kept_span(connection, replay.shop)
    whole_from = replay.matched_since + WHOLE_AFTER if replay.matched_since else now
    kept_since = max(first, whole_from) if first else now
    until = last + INSTANT if last else now
    cursor = Cursor(kept_since=kept_since, until=max(until, kept_since))
    if selection.since and selection.since >= kept_since:
        replay.stage = KEPT
        cursor = replace(cursor, kept_since=kept_from(selection.since, kept_since))
    elif selection.only_failed or (first and await _is_order_kept(connection, replay, kept_since)):
        replay.stage = KEPT
    else:
        replay.stage = TOPICS
        cursor = replace(cursor, ends=await _positions(connection, settings))
    replay.cursor = cursor


def kept_since(replay: Replay) -> datetime:
    """From which time on events are taken from what is kept, after `begin`."""
    return _cursor_of(replay).kept_since


def kept_from(selected: datetime, kept_since: datetime) -> datetime:
    """From when on to look at kept events for those that were triggered at a time or later.

    An event may have been taken in before it was triggered, by the clocks of two machines.
    """
    return max(kept_since, selected - CLOCK_DIFFERENCE)


async def _is_order_kept(connection: Connection, replay: Replay, since: datetime) -> bool:
    """Whether the selected order is not older than what is kept of it."""
    order, target = replay.selection.order_id, replay.target
    if order is None or target is None:
        return False
    rows = await connection.fetch(SQL["find_first_events"], replay.shop, order, since)
    first = {row["topic"] for row in rows}
    return ORDERS_EVENTS in first or _topics_of(target) <= first


def _topics_of(target: Target) -> set[str]:
    """The topics of the events that a destination gets."""
    if EVERYTHING in target.filters:
        return set(EVENT_TOPICS)
    return {f"{each.partition('/')[0]}.events" for each in target.filters}


async def _positions(connection: Connection, settings: Settings) -> Offsets:
    group, names = settings.consumer_group(SERVICE), list(map(settings.topic, EVENT_TOPICS))
    found: Offsets = {}
    for row in await connection.fetch(SQL["read_positions"], group, names):
        found.setdefault(row["topic"], {})[row["partition"]] = row["next_offset"]
    return found


# From the topics.


async def add_read(connection: Connection, replay: Replay, batch: Batch, now: datetime) -> None:
    """Add a batch that was read from the topics; of the last one the stage follows."""
    cursor, target = _cursor_of(replay), _target_of(replay)
    wanted = [each for each in batch.events if _gets(target, each)]
    known = await stored.events(connection, replay.shop, [each.head.event_id for each in wanted])
    older = [each for each in wanted if not _comes_later(known.get(each.head.event_id), cursor)]
    unknown = _each_once(older, known)
    if unknown:
        day = await stored.keep_bodies(connection, replay.shop, unknown)
        known |= {each.head.event_id: _stored(each, day) for each in unknown}
    ids = list(dict.fromkeys(each.head.event_id for each in older))
    await stored.add(connection, replay, [known[each] for each in ids], now)
    replay.topics += len(unknown)
    replay.states += sum(each.topic == ORDERS_STATE for each in unknown)
    replay.kept += len(ids) - len(unknown)
    if batch.begins_at:
        replay.detail = (
            f"the topics begin at {batch.begins_at:%Y-%m-%dT%H:%M:%SZ}: older events are gone, "
            "and states of their orders stand for them"
        )
    replay.cursor = replace(cursor, offsets=batch.offsets, begins_at=batch.begins_at)
    if batch.is_last:
        replay.stage = KEPT
        if replay.selection.order_id:  # One order's events are added together.
            await add_kept(connection, replay, now)


def _gets(target: Target, read: ReadEvent) -> bool:
    """Whether a destination gets an event.

    The state of an order stands for events that are gone: a destination gets it whatever its
    filters, unless it is for notifications of customers.
    """
    if read.topic == ORDERS_STATE:
        return not target.only_notify and not target.event_groups
    return matches(target, read.head.head)


def _comes_later(event: StoredEvent | None, cursor: Cursor) -> bool:
    """Whether the next stage adds an event: it is kept, and so are all that followed it."""
    return event is not None and event.recorded_at >= cursor.kept_since


def _each_once(read: Sequence[ReadEvent], known: dict[str, StoredEvent]) -> list[ReadEvent]:
    """The events of which no body is kept; a topic may have one more than once."""
    found = {each.head.event_id: each for each in reversed(read)}
    return [
        each
        for each in read
        if each.head.event_id not in known and found[each.head.event_id] is each
    ]


def _stored(read: ReadEvent, day: int) -> StoredEvent:
    head = read.head
    return StoredEvent(
        head.event_id,
        day,
        head.order_id,
        read.topic,
        head.sequence,
        head.order_version,
        head.triggered_at,
        len(read.value),
    )


# What is kept.


async def add_kept(connection: Connection, replay: Replay, now: datetime) -> None:
    """Add the next events that are kept; after the last ones the replay ends."""
    chosen = await find_kept(connection, replay)
    await stored.add(connection, replay, chosen, now)
    replay.kept += len(chosen)


async def find_kept(connection: Connection, replay: Replay) -> list[StoredEvent]:
    """The next events that are kept, as they are sent; moves the cursor."""
    if replay.selection.only_failed:
        return await _choose(connection, replay, await _given_up(connection, replay))
    if replay.selection.order_id:
        replay.stage = ENDED
        orders = [replay.selection.order_id]
    else:
        orders = await _next_orders(connection, replay)
    return await _choose(connection, replay, await _of_orders(connection, replay, orders))


async def _choose(
    connection: Connection, replay: Replay, found: Sequence[StoredEvent]
) -> list[StoredEvent]:
    """Those of the events that are selected, and that the destination gets as it is now."""
    target, selection = _target_of(replay), replay.selection
    return [
        event
        for event, head in await stored.heads(connection, found)
        if selection.takes(event.order_id, event.sequence, head.triggered_at)
        and matches(target, head.head)
    ]


async def _next_orders(connection: Connection, replay: Replay) -> list[str]:
    """The orders that come next by their first event in the time."""
    cursor = _cursor_of(replay)
    since = cursor.kept_since
    after = (cursor.at or since, cursor.event_id)
    rows = await connection.fetch(
        SQL["find_orders"], replay.shop, *after, cursor.until, ORDERS_A_STEP, since
    )
    if len(rows) < ORDERS_A_STEP:
        replay.stage = ENDED
    if not rows:
        return []
    at, event_id = rows[-1]["recorded_at"], str(rows[-1]["event_id"])
    replay.cursor = replace(cursor, at=at, event_id=event_id)
    return list(dict.fromkeys(str(row["order_id"]) for row in rows if row["is_first"]))


async def _of_orders(
    connection: Connection, replay: Replay, orders: Sequence[str]
) -> list[StoredEvent]:
    cursor = _cursor_of(replay)
    found = await stored.events_of_orders(
        connection, replay.shop, orders, cursor.kept_since, cursor.until
    )
    found.sort(key=_order_id)
    return [each for _, order in groupby(found, key=_order_id) for each in in_order(order)]


async def retry_waiting(connection: Connection, replay: Replay, now: datetime) -> None:
    """Let what is held, or waits for its next attempt, be tried at once."""
    order = replay.selection.order_id
    if order:
        await connection.execute(SQL["retry_group"], replay.destination, order, now)
    else:
        await connection.execute(SQL["ask_retries"], replay.destination)


async def _given_up(connection: Connection, replay: Replay) -> list[StoredEvent]:
    """The next events that were given up."""
    cursor = _cursor_of(replay)
    rows = await connection.fetch(
        SQL["find_given_up"],
        replay.destination,
        cursor.at or EARLIEST,
        cursor.event_id,
        GIVEN_UP_A_STEP,
    )
    if len(rows) < GIVEN_UP_A_STEP:
        replay.stage = ENDED
    ids = [str(row["event_id"]) for row in rows]
    if rows:
        replay.cursor = replace(cursor, at=rows[-1]["at"], event_id=ids[-1])
    found = await stored.events(connection, replay.shop, ids)
    if len(found) < len(set(ids)):
        replay.detail = (
            "some events that were given up are not kept any more: replay them by their order or "
            "time, without only_failed"
        )
    return [found[each] for each in dict.fromkeys(ids) if each in found]


def _order_id(event: StoredEvent) -> str:
    return event.order_id


def _cursor_of(replay: Replay) -> Cursor:
    if replay.cursor is None:
        raise AssertionError(f"replay {replay.id} has no cursor in stage {replay.stage}")
    return replay.cursor


def _target_of(replay: Replay) -> Target:
    if replay.target is None:
        raise AssertionError(f"replay {replay.id} runs without a destination")
    return replay.target
