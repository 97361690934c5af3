"""Foreign payloads: from a record in a dialect to one item for each of its parcels.

Parsers say what the carrier said; identity, names and refusals are made here, alike for all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from schemas import patterns
from schemas.envelope import CloudEvent
from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.model.ids import scan_key
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.model.warnings import FactWarning, WarningCode
from services.orders.domain.tracking.catalogue import SCAN_RETRACTED
from services.orders.domain.tracking.naming import said_form, with_meaning
from services.orders.domain.tracking.scan import Scan
from services.orders.messages.carriers.bodies import decode_body
from services.orders.messages.carriers.carrier_maps import carrier_of
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.orders.messages.carriers.dialect import Dialect, ParcelReport, Part, SaidScan
from services.orders.messages.carriers.registry import DIALECTS
from services.orders.messages.carriers.resolved_times import with_zone_of_place
from services.orders.messages.entries import DecodedItem, Entry, UndecodedItem, refuse
from services.runtime.batch.items import Failure, FailureKind
from services.runtime.messages.item_subset import only_items
from services.runtime.messages.records import (
    FieldError,
    Item,
    Malformed,
    Message,
    Original,
    headers_of,
    item_of,
    read_envelope,
    readable_envelope,
)

PART_HEADER = "ce_onlypart"
"""Index and pointer, in the record as it was sent, of the one part that it was cut down to."""
_PART = re.compile(rb"(\d{1,6}) (/[\x20-\x7e]{1,500})?")
_NUMBER = re.compile(patterns.TRACKING_NUMBER)
NUMBER_MAX_CHARACTERS = 512
_DETAIL_MAX_CHARACTERS = 300


def read_payload(original: Original, name: str, now: datetime, only: int | None) -> Iterator[Entry]:
    """The items of a record in the named dialect; what is malformed is refused.

    `only` leaves out all items but the one with this index.
    """
    dialect = DIALECTS[name]
    unread = Message(original, _with_type(readable_envelope(original), dialect), None)
    try:
        envelope = _with_type(read_envelope(original), dialect)
        message = Message(original, envelope, decode_body(original.value))
    except Malformed as malformed:
        yield refuse(unread, 0, malformed)
        return
    yield from read_parts(message, name, now, only)


def read_parts(message: Message, name: str, now: datetime, only: int | None) -> Iterator[Entry]:
    """The items of a decoded payload in the named dialect."""
    try:
        parts = list(DIALECTS[name].parts(message.body))
        if not parts:
            raise Malformed("invalid_fields", [FieldError("", f"names no parcel, as {name} does")])
        cut = _cut_of(message.original)
        every = range(len(parts))
        meant = only_items(message.original.headers, len(parts)) if cut is None else every
    except Malformed as malformed:
        yield refuse(message, 0, malformed)
        return
    has_many = len(parts) > 1 or cut is not None
    read = 0
    for place, found in enumerate(parts):
        index, part = (place, found) if cut is None else (cut[0], replace(found, pointer=cut[1]))
        if place in meant and only in (None, index):
            kept = part if has_many else Part(part.pointer, None)
            item = item_of(message.original, index, message.envelope, kept)
            yield _read_part(message, name, part, item, now)
            read += 1
    if only is not None and not read:  # Read before by another version of the parser.
        errors = [FieldError("", f"its parcel {only} is not found, of {len(parts)}")]
        yield refuse(message, only, Malformed("invalid_fields", errors))


def _read_part(message: Message, name: str, part: Part, item: Item, now: datetime) -> Entry:
    """One parcel of a payload; what is wrong with it refuses no other."""
    try:
        report = DIALECTS[name].report(part.value)
        command = _command_of(report, name, item, now)
    except Malformed as malformed:
        of_many = is_of_many(item)
        return refuse(message, item.index, malformed.under(part.pointer), of_many=of_many)
    except Exception as error:  # noqa: BLE001 - a bug is parked with its traceback
        failure = Failure.of(FailureKind.READING, error)
        return UndecodedItem(message.original, item.index, message.envelope, failure)
    return DecodedItem(item, command)


def _command_of(report: ParcelReport, name: str, item: Item, now: datetime) -> ReportTracking:
    number = report.tracking_number
    if number is None or len(number) > NUMBER_MAX_CHARACTERS or not _NUMBER.match(number):
        raise Malformed("invalid_fields", [FieldError("", "names no tracking number")])
    if report.left_out and not report.scans:
        raise Malformed("invalid_fields", report.left_out)
    carrier = carrier_of(name, report.carrier)
    return ReportTracking(
        item_id=item.item_id,
        causation_id=item.causation_id,
        tracking_number=number,
        carrier_reference=carrier,
        scans=tuple([_scan(said, name, carrier, report, now) for said in report.scans]),
        warnings=tuple(map(_warning, report.left_out)),
    )


def _scan(
    said: SaidScan, code_set: str, carrier: str | None, report: ParcelReport, now: datetime
) -> Scan:
    said = with_zone_of_place(said)
    moment, named_by = said.moment, said.code_set or code_set
    meaning = CODE_MAPS.meaning_of(named_by, said.name, said.code)
    # The key is made of the carrier as it was said, since a map of carriers may grow, and of the
    # time as it was written, since another message may say the zone of it.
    key = scan_key(
        number=normalise_number(report.tracking_number or ""),
        carrier=report.carrier.casefold() if report.carrier else None,
        scan_id=said.scan_id,
        name=said_form(said.name) if said.name is not None else None,
        code=said.code,
        text=said.text,
        occurred_at=moment.local or moment.at,
        retracts=said.retracts,
    )
    found = Scan(
        key=key,
        event_name=SCAN_RETRACTED if said.retracts is not None else meaning.event_name,
        occurred_at=moment.at,
        recorded_at=now,
        carrier=carrier,
        scan_id=said.scan_id,
        code=said.code,
        text=said.text,
        timezone=moment.timezone,
        tz_known=moment.tz_known,
        precision=moment.precision,
        location=said.location,
        eta=said.eta,
        reason=said.reason,
        attempt=said.attempt,
        direction=said.direction,
        pickup=said.pickup,
        proof=said.proof,
        retracts=said.retracts,
        written_on=moment.written_on,
        is_ambiguous=moment.second is not None,
        name=said.name,
        code_set=named_by,
        said_carrier=_own_word(report.carrier, carrier),
    )
    return found if said.retracts is not None else with_meaning(found, meaning, CODE_MAPS)


def _own_word(said: str | None, carrier: str | None) -> str | None:
    """What the sender calls a carrier, where that is not the key."""
    is_key = said is not None and carrier is not None and said.casefold() == carrier.casefold()
    return None if is_key else said


def _warning(error: FieldError) -> FactWarning:
    detail = f"a scan is left out: {error.message}"[:_DETAIL_MAX_CHARACTERS]
    return FactWarning(code=WarningCode.ENTRY_LEFT_OUT, pointer=error.pointer, detail=detail)


def is_of_many(item: Item) -> bool:
    """Whether its record has, or had, items for other parcels."""
    is_part = isinstance(item.body, Part) and item.body.value is not None
    return is_part or _has_part_header(item.original)


def alone(item: Item) -> Original:
    """The record with this parcel as the only one in it; `read_payload` finds the same item there.

    It is JSON, also where the payload was XML, and each list around the parcel has one entry. What
    has one parcel is kept as it came.
    """
    part = item.body
    if not isinstance(part, Part) or part.value is None:
        return item.original
    body: Any = None
    for pointer, value in (*part.around.items(), (part.pointer, part.value)):
        body = _with_value(body, pointer.split("/")[1:], value)
    place = f"{item.index} {part.pointer}".encode()
    headers = (*headers_of(item.envelope), (PART_HEADER, place))
    value = json.dumps(body, ensure_ascii=False, default=str).encode()
    return replace(item.original, headers=headers, value=value)


def _with_value(body: Any, steps: Sequence[str], value: Any) -> Any:
    """A body with a value at a pointer; an index in it is the one entry of a list."""
    if not steps:
        return value
    step = steps[0].replace("~1", "/").replace("~0", "~")
    if step.isdecimal():
        held = body[0] if isinstance(body, list) else None
        return [_with_value(held, steps[1:], value)]
    members = dict(body) if isinstance(body, dict) else {}
    members[step] = _with_value(members.get(step), steps[1:], value)
    return members


def _with_type(envelope: CloudEvent, dialect: Dialect) -> CloudEvent:
    """The attributes with the type of the dialect, where the message has none."""
    return envelope if envelope.type else replace(envelope, type=dialect.types[0])


def _has_part_header(original: Original) -> bool:
    return any(name == PART_HEADER for name, _ in original.headers)


def _cut_of(original: Original) -> tuple[int, str] | None:
    """Index and pointer of the part that a record was cut down to; None for a whole record."""
    said = _PART.fullmatch(dict(original.headers).get(PART_HEADER, b""))
    return None if said is None else (int(said[1]), (said[2] or b"").decode())
