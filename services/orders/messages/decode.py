"""From a Kafka record to the items it holds: each a domain command, or refused with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from msgspec.structs import replace
from pydantic import BaseModel

from schemas import campaigns
from schemas import commands as contract
from schemas import orders as shapes
from schemas.envelope import CE_TYPE
from schemas.repair import RepairCode
from schemas.topics import CARRIER_TRACKING, CLAIMS_EVENTS, ORDERS_COMMANDS
from services.orders.domain.model.commands import (
    Command,
    CommandItem,
    ReportTracking,
    UpsertOrder,
)
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.model.warnings import FactWarning, WarningCode
from services.orders.messages import campaign_commands, claim_events, order_commands
from services.orders.messages.carriers import foreign
from services.orders.messages.carriers.bodies import UTF_16, in_utf_8, is_xml
from services.orders.messages.carriers.dialect import OwnForm, Part
from services.orders.messages.carriers.registry import (
    ALL_MARKS,
    BY_TYPE,
    MARKS_OF_TYPE,
    OWN,
    OWN_TYPE,
    choose,
)
from services.orders.messages.entries import DecodedItem, Entry, UndecodedItem, refuse
from services.runtime.batch.items import WHOLE, Failure, FailureKind
from services.runtime.messages.blank_texts import BLANK, without_blanks
from services.runtime.messages.item_subset import only_items
from services.runtime.messages.records import (
    FieldError,
    Item,
    Malformed,
    Message,
    Original,
    headers_of,
    item_of,
    read_message,
    readable_envelope,
)
from services.runtime.messages.repair import RepairWarning
from services.runtime.twins import Reader

COMMANDS = ORDERS_COMMANDS
TRACKING = CARRIER_TRACKING
CLAIM_EVENTS = CLAIMS_EVENTS


ModelT = TypeVar("ModelT", bound=BaseModel)
CommandT = TypeVar("CommandT", bound=CommandItem)

# Builds the command of a type from body, item and the time of decoding.
Translate: TypeAlias = Callable[[Any, Item, datetime], Command]


def _repairing(model: type[ModelT]) -> Reader[ModelT]:
    return Reader(model, omitted_of=(shapes.OrderPlacement,), is_repairing=True)


_PLACE = _repairing(contract.OrderPlace)
_UPSERT = _repairing(contract.OrderUpsert)
_UPDATE = _repairing(contract.OrderUpdate)
_CANCEL = _repairing(contract.OrderCancel)
_SHIPMENT = _repairing(contract.ShipmentUpdate)
_VOID = _repairing(contract.ShipmentVoid)
_ANALYTICS = _repairing(contract.OrderAnalyticsUpsert)
_FULFILL = _repairing(contract.BulkFulfillment)
_BULK = _repairing(contract.OrdersFulfillBulk)
_CAMPAIGN = _repairing(campaigns.CampaignUpsert)
_PAUSE = _repairing(campaigns.CampaignPause)
_REMOVE = _repairing(campaigns.CampaignRemove)
_DISCOUNT = _repairing(campaigns.DiscountUpsert)
_AB_TEST = _repairing(campaigns.AbTestUpsert)

READERS: Mapping[str, Reader[Any]] = {
    contract.ORDER_PLACE: _PLACE,
    contract.ORDER_UPSERT: _UPSERT,
    contract.ORDER_UPDATE: _UPDATE,
    contract.ORDER_CANCEL: _CANCEL,
    contract.SHIPMENT_UPDATE: _SHIPMENT,
    contract.SHIPMENT_VOID: _VOID,
    contract.ORDER_ANALYTICS_UPSERT: _ANALYTICS,
    contract.ORDERS_FULFILL_BULK: _FULFILL,
    campaigns.CAMPAIGN_UPSERT: _CAMPAIGN,
    campaigns.CAMPAIGN_PAUSE: _PAUSE,
    campaigns.CAMPAIGN_REMOVE: _REMOVE,
    campaigns.DISCOUNT_UPSERT: _DISCOUNT,
    campaigns.AB_TEST_UPSERT: _AB_TEST,
    **{type_: form.reader for type_, form in OWN.items()},
}
"""The decoder of each message type; of a bulk command, of each of its items."""


def _command_by(reader: Reader[ModelT], build: Callable[[ModelT, Item], Command]) -> Translate:
    """Build a command of what a reader reads, with the warnings about it."""

    def translate(body: Any, item: Item, _: datetime) -> Command:
        message, repairs = reader.read_repaired(body)
        command = build(message, item)
        return _repaired(command, repairs) if repairs else command

    return translate


def _repaired(command: Command, repairs: Sequence[RepairWarning]) -> Command:
    """The command with what the repairs of its message say."""
    left_out = {each.pointer for each in repairs if each.code is RepairCode.VALUE_LEFT_OUT}
    return _warned(order_commands.with_unread_times(command, left_out), repairs)


def _warned(command: CommandT, repairs: Iterable[RepairWarning]) -> CommandT:
    """The command with a warning for each repair of its message."""
    warnings = tuple(
        FactWarning(code=WarningCode(each.code), pointer=each.pointer, detail=each.detail)
        for each in repairs
    )
    return replace(command, warnings=command.warnings + warnings)


_COMMANDS: Mapping[str, Translate] = {
    contract.ORDER_PLACE: _command_by(_PLACE, order_commands.place),
    contract.ORDER_UPSERT: _command_by(_UPSERT, order_commands.upsert),
    contract.ORDER_UPDATE: _command_by(_UPDATE, order_commands.update),
    contract.ORDER_CANCEL: _command_by(_CANCEL, order_commands.cancel),
    contract.SHIPMENT_UPDATE: _command_by(_SHIPMENT, order_commands.update_shipment),
    contract.SHIPMENT_VOID: _command_by(_VOID, order_commands.void_shipment),
    contract.ORDER_ANALYTICS_UPSERT: _command_by(_ANALYTICS, order_commands.upsert_analytics),
    campaigns.CAMPAIGN_UPSERT: _command_by(_CAMPAIGN, campaign_commands.upsert_campaign),
    campaigns.CAMPAIGN_PAUSE: _command_by(_PAUSE, campaign_commands.pause_campaign),
    campaigns.CAMPAIGN_REMOVE: _command_by(_REMOVE, campaign_commands.remove_campaign),
    campaigns.DISCOUNT_UPSERT: _command_by(_DISCOUNT, campaign_commands.upsert_discount),
    campaigns.AB_TEST_UPSERT: _command_by(_AB_TEST, campaign_commands.upsert_test),
}


_SCANS = "/scans"


def _translate_of(form: OwnForm) -> Translate:
    """Build the report of a message; a scan that cannot be read is left out with a warning."""

    def translate(body: Any, item: Item, now: datetime) -> Command:
        message, repairs = _read_report(form.reader, body)
        report = form.report(message, item, now)
        return _warned(report, repairs) if repairs else report

    return translate


def _read_report(reader: Reader[ModelT], body: Any) -> tuple[ModelT, Sequence[RepairWarning]]:
    """Read a report with its repairs.

    Raises:
        Malformed: also where no scan can be read, with the errors of each.
    """
    try:
        return reader.read_repaired(body)
    except Malformed as malformed:
        if any(each.pointer == _SCANS for each in malformed.errors):
            reader.read(body)
        raise


_TRACKING: Mapping[str, Translate] = {type_: _translate_of(form) for type_, form in OWN.items()}
_CLAIM_EVENTS: Mapping[str, Translate] = {
    type_: lambda body, item, _: claim_events.record(body, item) for type_ in claim_events.TYPES
}
_BY_TOPIC: Mapping[str, Mapping[str, Translate]] = {
    COMMANDS: _COMMANDS,
    TRACKING: _TRACKING,
    CLAIM_EVENTS: _CLAIM_EVENTS,
}
_KNOWN_TYPES = {topic: set(types) for topic, types in _BY_TOPIC.items()}
_KNOWN_TYPES[COMMANDS].add(contract.ORDERS_FULFILL_BULK)
_KNOWN_TYPES[TRACKING].update(BY_TYPE)
_DEFAULT_TYPE = {TRACKING: OWN_TYPE}

# Bytes that stand once for each order, or scan, in a message of a type.
_MARKS: Mapping[bytes, tuple[bytes, ...]] = {
    **{type_.encode(): (order_commands.ORDER_MARK,) for type_ in _KNOWN_TYPES[COMMANDS]},
    **MARKS_OF_TYPE,
}
_ALL_MARKS = (order_commands.ORDER_MARK, *ALL_MARKS)


def weigh(record: Any) -> int:
    """How many orders a record may change, or scans it may hold: an estimate from its bytes.

    The consumer bounds batches by it before records are decoded. A message without a type may be of
    any dialect.
    """
    value = record.value or b""
    if value[:2] in UTF_16:
        value = in_utf_8(value)
    headers = dict(record.headers)
    marks = _ALL_MARKS
    if CE_TYPE in headers and headers[CE_TYPE] in _MARKS:
        marks = _MARKS[headers[CE_TYPE]]
    return max(1, *(value.count(mark) for mark in marks))


def read(original: Original, now: datetime, only: int | None = None) -> tuple[Entry, ...]:
    """The items of one record, in order; whatever is malformed is refused and never raises.

    `only` leaves out all items but the one with this index.
    """
    try:
        return _read(original, now, only)
    except Exception as error:  # noqa: BLE001 - a bug is parked with its traceback
        failure = Failure.of(FailureKind.READING, error)
        index = WHOLE if only is None else only
        return (UndecodedItem(original, index, readable_envelope(original), failure),)


def _read(original: Original, now: datetime, only: int | None) -> tuple[Entry, ...]:
    try:
        topic = original.coordinates.topic
        is_foreign = topic == TRACKING and _OWN_HEADER not in original.headers
        if is_foreign and (name := _dialect_of(original)):
            return tuple(foreign.read_payload(original, name, now, only))
        message = read_message(original, is_normalizing=topic == COMMANDS)
    except Malformed as malformed:
        unread = Message(original, readable_envelope(original), None)
        return (refuse(unread, 0, malformed),)
    try:
        type_ = _known_type(message)
    except Malformed as malformed:
        return (refuse(message, 0, malformed),)
    if is_foreign and (name := BY_TYPE.get(type_)):  # In structured mode.
        return tuple(foreign.read_parts(message, name, now, only))
    # As `has_blank`, without a call for each message.
    value = original.value or b""
    may_have_blanks = b'" ' in value or b'"\\' in value or not value.isascii()
    has_blanks = may_have_blanks and type_ not in _CLAIM_EVENTS and BLANK.search(value) is not None
    if has_blanks:
        message = replace(message, body=without_blanks(message.body))
    if type_ == contract.ORDERS_FULFILL_BULK:
        return tuple(_read_bulk(message, only, has_blanks=has_blanks))
    return (_read_one(message, type_, now, has_blanks=has_blanks),)


# Looked for as it is: messages of our own form are many.
_OWN_HEADER = (CE_TYPE, OWN_TYPE.encode())


def _dialect_of(original: Original) -> str | None:
    """Name the dialect of a message of tracking, None for our own form.

    Raises:
        Malformed: it is XML, which our own form is not, and of no dialect.
    """
    name = choose(original.headers, original.value)
    if name is None and is_xml(original.value or b"") and not _type_of(original):
        known = ", ".join(sorted(BY_TYPE))
        message = f"it is XML of no known form: send the header ce_type; known: {known}"
        raise Malformed("unknown_type", [FieldError("/type", message)])
    return name


def _type_of(original: Original) -> bytes | None:
    return dict(original.headers).get(CE_TYPE)


def alone(asked: DecodedItem) -> Original:
    """The record with this item as the only one in it: `read_item` finds the same item there.

    What waits is kept item by item, and a bulk command may have a thousand that wait: each with
    the whole megabyte would be more than memory and Postgres hold.
    """
    item, command = asked.item, asked.command
    if isinstance(command, ReportTracking):
        return foreign.alone(item)
    if not is_of_many(item) or not isinstance(command, UpsertOrder):
        return item.original
    body = {
        "shop_slug": command.shop,
        "source_version": command.source_version,
        "updated_at": command.updated_at.isoformat() if command.updated_at else None,
        "items": [*[None] * item.index, order_commands.plain(item.body)],
    }
    value = json.dumps(body, ensure_ascii=False).encode()
    return replace(item.original, headers=headers_of(item.envelope), value=value)


def is_of_many(item: Item) -> bool:
    """Whether its record has other items, each with an outcome of its own."""
    return item.envelope.type == contract.ORDERS_FULFILL_BULK or foreign.is_of_many(item)


def pointer_of(item: Item) -> str:
    """JSON pointer to the item in its message; "" for a message that is one item."""
    if isinstance(item.body, Part):
        return item.body.pointer
    is_in_bulk = item.envelope.type == contract.ORDERS_FULFILL_BULK
    return f"/items/{item.index}" if is_in_bulk else ""


def read_item(original: Original, index: int, now: datetime) -> Entry:
    """One item of a record again, as when it first came: for what waited."""
    (entry,) = read(original, now, index)
    return entry


def _known_type(message: Message) -> str:
    topic = message.original.coordinates.topic
    type_ = message.envelope.type or _DEFAULT_TYPE.get(topic)
    if type_ is None:
        errors = [FieldError("/type", "no type: send the header ce_type")]
        raise Malformed("type_missing", errors)
    if type_ not in _KNOWN_TYPES[topic]:
        known = ", ".join(sorted(_KNOWN_TYPES[topic]))
        errors = [FieldError("/type", f"{type_!r} is not known on {topic}; known: {known}")]
        raise Malformed("unknown_type", errors)
    return type_


def _read_one(message: Message, type_: str, now: datetime, *, has_blanks: bool) -> Entry:
    # Without the body: decoded it is five times as large as sent, and the item lives as long as the
    # batch. Only items of many are written out again.
    item = item_of(message.original, 0, message.envelope, None)
    topic = message.original.coordinates.topic
    try:
        command = _BY_TOPIC[topic][type_](message.body, item, now)
        if topic == COMMANDS and (has_blanks or _may_hold_nulls(message)):
            command = order_commands.with_nulls(command, message.body)
        return DecodedItem(item, command)
    except Malformed as malformed:
        return refuse(message, 0, malformed)


def _may_hold_nulls(message: Message) -> bool:
    """Whether its text has a null or an empty text anywhere: looked for without decoding."""
    value = message.original.value or b""
    return b"null" in value or b'""' in value


def _read_bulk(message: Message, only: int | None, *, has_blanks: bool) -> Iterator[Entry]:
    """One entry per item; an envelope that is malformed refuses the message as its item 0."""
    try:
        bulk, repairs = _BULK.read_repaired(message.body)
        meant = only_items(message.original.headers, len(bulk.items))
    except Malformed as malformed:
        yield refuse(message, 0, malformed)
        return
    has_nulls = has_blanks or _may_hold_nulls(message)
    for index, body in enumerate(bulk.items):
        if index not in meant or only not in (None, index):
            continue
        item = item_of(message.original, index, message.envelope, body)
        yield _read_fulfillment(message, bulk, repairs, item, has_nulls=has_nulls)


def _read_fulfillment(
    message: Message,
    bulk: contract.OrdersFulfillBulk,
    of_all: Sequence[RepairWarning],
    item: Item,
    *,
    has_nulls: bool,
) -> Entry:
    """One item of a bulk command; what is wrong with it is no other item's trouble.

    `of_all` are the repairs of what the message says for each of its items.
    """
    try:
        checked, repairs = _FULFILL.read_repaired(item.body)
        command: Command = order_commands.fulfill(bulk, checked, item)
        if has_nulls:
            command = order_commands.with_nulls(command, item.body)
        if repairs or of_all:
            command = _repaired(_warned(command, of_all), repairs)
        return DecodedItem(item, command)
    except Malformed as malformed:
        return refuse(message, item.index, malformed.under(pointer_of(item)), of_many=True)
    except Exception as error:  # noqa: BLE001 - a bug is parked with its traceback
        failure = Failure.of(FailureKind.READING, error)
        named = _named(bulk.shop_slug, item.body)
        return UndecodedItem(item.original, item.index, item.envelope, failure, named)


def _named(shop: str, body: Any) -> Reference | None:
    said = body if isinstance(body, dict) else {}
    id_, kind = said.get("id"), said.get("id_type", ReferenceKind.ORDER_NUMBER.value)
    if not isinstance(id_, str) or kind not in list(ReferenceKind):
        return None
    return Reference(shop, ReferenceKind(kind), id_)
