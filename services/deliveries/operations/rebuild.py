"""Rebuild: the bodies of events, from the topics (docs/decisions/0189).

What waits stays where it is, so that the events of an order keep their order. Destinations,
secrets, attempts and fulfilment logs are in no event and stay as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path

import msgspec
from aiokafka import ConsumerRecord

from schemas.topics import ORDERS_STATE
from services.deliveries.replaying.places import EVENT_TOPICS
from services.deliveries.replaying.stored import ReadEvent, body_columns
from services.deliveries.replaying.topic_scan import read_record
from services.runtime.config.settings import Settings
from services.runtime.kafka.topic_reader import read_to_end
from services.runtime.kafka.topics import partitions_of
from services.runtime.operations.rebuild import Recalled, empty_tables
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import affected_rows, load

SQL = load(Path(__file__).parent / "rebuild.sql")


async def recall(settings: Settings, connection: Connection) -> Recalled:
    """Write the bodies of events that wait as the topics have them, in the caller's transaction.

    A replay may have added states of orders: they are read only where the event topics lack an
    event. Reading ends when every event was found.

    Raises:
        TopicError: Kafka lacks one of the event topics.
    """
    waiting = {str(row["event_id"]) async for row in connection.cursor(SQL["find_waiting"])}
    recalled = await _recall_from(settings, connection, EVENT_TOPICS, waiting)
    if not waiting or not await partitions_of(settings, settings.topic(ORDERS_STATE)):
        return recalled
    states = await _recall_from(settings, connection, [ORDERS_STATE], waiting)
    return Recalled(recalled.items + states.items, recalled.unreadable + states.unreadable)


async def _recall_from(
    settings: Settings, connection: Connection, names: Sequence[str], waiting: set[str]
) -> Recalled:
    """Write the bodies that these topics have, one statement a fetch; removes them from the set."""
    written = unreadable = 0
    if not waiting:
        return Recalled(0, 0)
    async with aclosing(read_to_end(settings, names)) as fetches:
        async for records in fetches:
            found, faults = _wanted(records, settings, waiting)
            unreadable += faults
            if found:
                await _save(connection, found)
            written += len(found)
            if not waiting:
                break
    return Recalled(written, unreadable)


def _wanted(
    records: Sequence[ConsumerRecord], settings: Settings, waiting: set[str]
) -> tuple[list[ReadEvent], int]:
    """The events that wait, removed from the set; and the number of records that are no event."""
    found, faults = [], 0
    for record in records:
        if record.value is None and record.topic == settings.topic(ORDERS_STATE):
            continue  # The state of an order that was erased.
        try:
            read = read_record(record, settings)
        except (msgspec.DecodeError, UnicodeDecodeError):
            faults += 1
            continue
        if read.head.event_id in waiting:
            waiting.discard(read.head.event_id)
            found.append(read)
    return found, faults


async def _save(connection: Connection, read: Sequence[ReadEvent]) -> None:
    ids, *columns = body_columns(read)
    shops = [each.head.head.shop for each in read]
    await connection.execute(SQL["save_bodies"], ids, shops, *columns)


async def empty(connection: Connection, now: datetime) -> dict[str, int]:
    """Delete the bodies that nothing waits for, in the caller's transaction.

    From business time `now` on, replays take older events from the topics; those that have not
    ended begin again. Returns the deleted rows, the replays that begin again, and the events that
    wait without a body.
    """
    await connection.execute(SQL["place_deliveries"])
    await connection.execute(SQL["place_backlog"])
    emptied = await empty_tables(connection, {"event_body": SQL["delete_bodies"]})
    await connection.execute(SQL["number_logs"])
    await connection.execute(SQL["forget_kept"], now)
    restarted = affected_rows(await connection.execute(SQL["restart_replays"]))
    missing: int = await connection.fetchval(SQL["count_missing"])
    return emptied | {"restarted_replays": restarted, "missing_bodies": missing}
