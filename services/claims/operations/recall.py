"""Recall: which command items were applied to claims, read from what was published of them.

A database of claims that was lost or restored to an earlier time does not know all items that were
applied, and snapshots name the newest 64 of each claim only. The topics name the others: each event
of a claim the newest 64 until then, each outcome the item that was decided. They go into the table
of older items (docs/decisions/0141).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from schemas.envelope import CloudEvent
from schemas.outcomes import APPLIED, NO_CHANGE
from schemas.topics import CLAIMS_EVENTS, CLAIMS_OUTCOMES
from services.claims.domain.ids import digest, parse_digest
from services.runtime import older_items
from services.runtime.config.settings import Settings
from services.runtime.kafka.topic_reader import read_to_end
from services.runtime.messages.records import Coordinates, Original, item_id
from services.runtime.older_items import OlderItem
from services.runtime.operations.rebuild import Recalled
from services.runtime.postgres.connections import Connection

_TAKEN = {APPLIED, NO_CHANGE}
_NO_TIME = datetime.min.replace(tzinfo=UTC)


class _EventData(Struct):
    applied_commands: list[Annotated[str, Meta(pattern="^[0-9a-f]{1,16}$")]] | None = None


class _Event(Struct):
    order_id: UUID
    event_data: _EventData


class _Outcome(Struct):
    command_id: str
    index: int
    outcome: str
    topic: str
    partition: int
    offset: int
    command_source: str | None = None
    order_id: UUID | None = None
    claim_id: UUID | None = None


_EVENT = msgspec.json.Decoder(_Event)
_OUTCOME = msgspec.json.Decoder(_Outcome)


async def recall(settings: Settings, connection: Connection) -> Recalled:
    """Keep the items that the topics of claims name, in the caller's transaction.

    One statement for each fetch of records. All items are kept, the newest 64 too.
    """
    kept = unreadable = 0
    async for records in read_to_end(settings, [CLAIMS_EVENTS, CLAIMS_OUTCOMES]):
        items: set[OlderItem] = set()
        for record in records:
            try:
                topic = record.topic.removeprefix(settings.kafka_topic_prefix)
                items.update(applied_items(topic, record.key, record.value))
            except msgspec.DecodeError:  # Not written by this service.
                unreadable += 1
        kept += await older_items.save(connection, items)
    return Recalled(kept, unreadable)


def applied_items(topic: str, key: bytes | None, value: bytes | None) -> Iterable[OlderItem]:
    """The command items that a record of `claims.events` or `claims.outcomes` names as applied.

    Raises:
        msgspec.DecodeError: the record is no event and no outcome of claims.
    """
    if topic == CLAIMS_EVENTS:
        event = _EVENT.decode(value or b"")
        named = event.event_data.applied_commands or ()
        return [(str(event.order_id), parse_digest(each)) for each in named]
    return _item_of_outcome(_OUTCOME.decode(value or b""), key)


def _item_of_outcome(outcome: _Outcome, key: bytes | None) -> Iterable[OlderItem]:
    """The item, if a claim names it: it was applied to the claim, or changed nothing of it.

    An outcome without order or claim is of an item that waits, or of a repeat of another.
    """
    if outcome.outcome not in _TAKEN or outcome.order_id is None or outcome.claim_id is None:
        return ()
    at = Coordinates(outcome.topic, outcome.partition, outcome.offset)
    has_id = outcome.command_id != str(at)
    envelope = CloudEvent(id=outcome.command_id if has_id else None, source=outcome.command_source)
    original = Original(at, key, (), None, _NO_TIME)
    return [(str(outcome.order_id), digest(item_id(original, envelope, outcome.index)))]
