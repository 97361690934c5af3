"""From messages to values: events of the contract, and commands of destinations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from schemas.deliveries import (
    DESTINATION_REPLAY,
    DESTINATION_UPSERT,
    MODELS,
)
from schemas.envelope import CloudEvent
from schemas.events import ORDER_SNAPSHOT, Event
from schemas.identity import order_id as order_id_of
from services.deliveries.domain.destination import Form, Kind, Target, WhenExhausted
from services.deliveries.domain.filters import EventHead
from services.deliveries.domain.replay import Selection
from services.runtime.messages.records import (
    FieldError,
    Malformed,
    Original,
    item_id,
    known_type,
    read_envelope,
    read_message,
    validate,
)


class _Data(Struct, gc=False):
    """What of an event's data decides who gets it."""

    notify: bool | None = None


class _Head(Struct, gc=False):
    """The members of an event that are read; the others go out as they came."""

    source: str
    ref: str
    shop_slug: str
    event_id: UUID
    order_id: UUID
    sequence: int
    event_data: _Data
    event_group: str | None = None
    order_version: int | None = None


class _ReplayedHead(_Head, gc=False):
    """The same of an event that is sent again; replays select by time."""

    triggered_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class ReceivedEvent(Struct, frozen=True, gc=False):
    """An event as it is matched and stored."""

    head: EventHead
    event_id: str
    order_id: str
    type: str
    sequence: int
    order_version: int | None


class ReplayedHead(Struct, frozen=True, gc=False):
    """What of an event decides whether it is sent again."""

    head: EventHead
    event_id: str
    order_id: str
    sequence: int
    order_version: int | None
    triggered_at: datetime


class ReceivedCommand(Struct, frozen=True):
    """A command of a destination that was read.

    `target` is that of an upsert, `selection` that of a replay.
    """

    envelope: CloudEvent
    type: str
    item_id: str
    shop: str
    name: str
    target: Target | None = None
    reason: str | None = None
    selection: Selection | None = None


_HEAD = msgspec.json.Decoder(_Head)
_REPLAYED_HEAD = msgspec.json.Decoder(_ReplayedHead)


def read_event(original: Original) -> ReceivedEvent:
    """The event in a record; `context` is not looked at.

    Raises:
        Malformed: the record is not an event of the contract.
    """
    envelope = read_envelope(original)
    try:
        head = _HEAD.decode(original.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _fault_of(original) from None
    return ReceivedEvent(
        _event_head(head, envelope.type),
        str(head.event_id),
        str(head.order_id),
        envelope.type or "",
        head.sequence,
        head.order_version,
    )


def read_replayed(value: bytes, type_: str | None) -> ReplayedHead:
    """What decides whether an event that was taken before is sent again.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: the value is no event of the contract.
    """
    head = _REPLAYED_HEAD.decode(value)
    return ReplayedHead(
        _event_head(head, type_),
        str(head.event_id),
        str(head.order_id),
        head.sequence,
        head.order_version,
        head.triggered_at if head.triggered_at.tzinfo else head.triggered_at.replace(tzinfo=UTC),
    )


class _StateData(Struct, gc=False):
    last_sequences: dict[str, int] = {}


class _State(Struct, gc=False):
    event_data: _StateData


_STATE = msgspec.json.Decoder(_State)


def last_sequences(value: bytes) -> dict[str, int]:
    """The sequence of the last event that the state of an order has in it, by source."""
    return _STATE.decode(value).event_data.last_sequences


def _event_head(head: _Head, type_: str | None) -> EventHead:
    notify, group = head.event_data.notify, head.event_group
    return EventHead(
        shop=head.shop_slug,
        source=head.source,
        ref=head.ref,
        group=group,
        is_notifying=bool(group) if notify is None else notify,
        is_snapshot=type_ == ORDER_SNAPSHOT,
    )


def _fault_of(original: Original) -> Malformed:
    """Why a record is no event of the contract, by the model of the contract."""
    try:
        body = read_message(original).body
        validate(Event, body)
    except Malformed as error:
        return error
    fact = "must be an object that says what happened"
    return Malformed("invalid_fields", [FieldError("/event_data", fact)])


def read_command(original: Original) -> ReceivedCommand:
    """The command in a record of `deliveries.commands`.

    Raises:
        Malformed: the record is not a command of the contract.
    """
    message = read_message(original, is_normalizing=True)
    type_ = known_type(message, MODELS, "command of destinations")
    body: Any = validate(MODELS[type_], message.body)
    return ReceivedCommand(
        message.envelope,
        type_,
        item_id(original, message.envelope, 0),
        body.shop_slug,
        body.destination_id,
        _target(body) if type_ == DESTINATION_UPSERT else None,
        getattr(body, "reason", None),
        _selection(body) if type_ == DESTINATION_REPLAY else None,
    )


def _selection(body: Any) -> Selection:
    """Read what a replay is of; the id of an order follows from its shop and number."""
    order = body.order_id
    if body.order_number is not None:
        numbered = order_id_of(body.shop_slug, body.order_number)
        if order not in {None, numbered}:
            fact = f"the order of this number has the id {numbered}: give one of the two"
            raise Malformed("invalid_fields", [FieldError("/order_id", fact)])
        order = numbered
    return Selection(
        order_id=str(order) if order else None,
        since=body.from_,
        until=body.until,
        sequence_from=body.sequence_from,
        sequence_until=body.sequence_until,
        only_failed=body.only_failed,
    )


def _target(body: Any) -> Target:
    return Target(
        kind=Kind(body.kind),
        url=body.url,
        filters=tuple(dict.fromkeys(body.filters)) or ("*",),
        event_groups=tuple(dict.fromkeys(body.event_groups)),
        only_notify=body.only_notify,
        form=Form(body.body),
        gzip=body.gzip,
        when_exhausted=WhenExhausted(body.when_exhausted),
        description=body.description,
        order_url=body.order_url,
    )
