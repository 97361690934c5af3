"""Refused items: kept whole in Postgres, and published on `*.rejected` for their senders."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from asyncpg import Connection

from schemas.envelope import CloudEvent
from schemas.outcomes import ITEM_REJECTED
from schemas.topics import rejected_topic
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.batch.items import Dismissal, Parked
from services.runtime.messages.headers import headers_by_place, pack_headers
from services.runtime.messages.json_codec import encode_json
from services.runtime.messages.records import (
    KEY_MAX_BYTES,
    Coordinates,
    FieldError,
    Malformed,
    Original,
    item_id,
    named_uuid,
    readable_envelope,
)
from services.runtime.outbox.outbox import Outgoing
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "rejections.sql")

ORIGINAL_MAX_BYTES = 64 * 1024  # A larger original is published by coordinates and sha256 only.
HEADERS_MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused item. `reason` is a code of the contract, `detail` a sentence for a person.

    `of_many`: its record holds several items, so the others may have been applied.
    """

    original: Original
    index: int
    envelope: CloudEvent
    reason: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    of_many: bool = False

    @classmethod
    def of_malformed(cls, original: Original, error: Malformed) -> Rejection:
        """The refusal of a record of one item that cannot be read."""
        envelope = readable_envelope(original)
        return cls(original, 0, envelope, error.reason, error.detail, error.errors)

    @classmethod
    def of_dismissed(cls, row: Parked, dismissal: Dismissal) -> Rejection:
        """The refusal of a parked item, in a record of one item, that an operator ended."""
        envelope = readable_envelope(row.original)
        return cls(row.original, 0, envelope, dismissal.reason, dismissal.detail)


def traced(rejections: Sequence[Rejection], trace: BatchTrace) -> list[Rejection]:
    """The refusals; those of items that are traced carry the spans of the items."""
    return [
        replace(each, envelope=trace.adopt(each.original, each.index, each.envelope))
        for each in rejections
    ]


def note_ends(rejections: Sequence[Rejection], trace: BatchTrace) -> None:
    """Note in the trace of a batch that these items were refused, and why."""
    for each in rejections:
        trace.end(each.original, each.index, "rejected", each.reason)


async def save(
    connection: Connection, rejections: Sequence[Rejection], *, source: str, now: datetime
) -> tuple[Outgoing, ...]:
    """Store refused items; returns their records for `*.rejected`, to be put into the outbox.

    `source` is the CloudEvents source of the refusing service, `now` the business time of the
    refusal. Of several items with one original the first carries it for all of them: a bulk command
    is a megabyte and may have a thousand refused items.
    """
    if not rejections:
        return ()
    marked = list(_with_carriers(rejections))
    columns = map(list, zip(*(_columns(*each) for each in marked), strict=True))
    await connection.execute(SQL["save_rejected"], *columns, now)
    return tuple(_outgoing(*each, source, now) for each in marked)


def _with_carriers(rejections: Sequence[Rejection]) -> Iterator[tuple[Rejection, int | None]]:
    """Each refusal with the index of the item that carries its original; None: the item itself.

    Items of one record may have different originals: an item that waited was kept alone.
    """
    carriers: dict[Coordinates, Rejection] = {}
    for rejection in rejections:
        at = rejection.original.coordinates
        carrier = carriers.get(at)
        if carrier is None or carrier.original != rejection.original:
            carriers[at] = rejection
            yield rejection, None
        else:
            yield rejection, carrier.index


def _columns(rejection: Rejection, carried_by: int | None) -> tuple[object, ...]:
    at = rejection.original.coordinates
    carries = carried_by is None
    return (
        item_id(rejection.original, rejection.envelope, rejection.index),
        at.topic,
        at.partition,
        at.offset,
        rejection.index,
        rejection.original.key,
        pack_headers(rejection.original.headers if carries else ()),
        rejection.original.value if carries else None,
        rejection.envelope.type,
        rejection.reason,
        rejection.detail,
        orjson.dumps(_errors(rejection)).decode(),
        rejection.envelope.id,
        rejection.envelope.source,
        carried_by,
        rejection.of_many,
    )


def _errors(rejection: Rejection) -> list[dict[str, str]]:
    return [{"pointer": e.pointer, "message": e.message} for e in rejection.errors]


def _outgoing(rejection: Rejection, carried_by: int | None, source: str, now: datetime) -> Outgoing:
    original, envelope = rejection.original, rejection.envelope
    at = original.coordinates
    event_id = named_uuid(f"rejected/{at}#{rejection.index}")
    headers = headers_by_place(
        type=ITEM_REJECTED,
        source=source,
        id=str(event_id),
        time=now.isoformat(),
        traceparent=envelope.traceparent,
        causation_id=envelope.id or str(at),
    )
    key = (original.key or b"")[:KEY_MAX_BYTES]
    service = source.rsplit("/", 1)[-1]
    shard_by = key.decode("latin-1")
    topic = rejected_topic(at.topic, service)
    body = _body(rejection, now) | (_carried(original) if carried_by is None else {})
    return Outgoing(topic, key, encode_json(body), headers, shard_by)


def _carried(original: Original) -> dict[str, Any]:
    value = original.value or b""
    return {
        "original": _readable(original.value),
        "original_sha256": hashlib.sha256(value).hexdigest(),
        "original_size_bytes": len(value),
        "original_headers": _bounded_headers(original),
    }


def _body(rejection: Rejection, now: datetime) -> dict[str, Any]:
    original, envelope = rejection.original, rejection.envelope
    at = original.coordinates
    return {
        "reason": rejection.reason,
        "detail": rejection.detail,
        "errors": _errors(rejection),
        "topic": at.topic,
        "partition": at.partition,
        "offset": at.offset,
        "index": rejection.index,
        "key": (original.key or b"")[:KEY_MAX_BYTES].decode("utf-8", "replace"),
        "ce_id": envelope.id,
        "ce_source": envelope.source,
        "ce_type": envelope.type,
        "rejected_at": now.isoformat(),
        "original_headers": [],
    }


def _readable(value: bytes | None) -> dict[str, str] | None:
    if value is None or len(value) > ORIGINAL_MAX_BYTES:
        return None
    try:
        return {"encoding": "utf-8", "value": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"encoding": "base64", "value": base64.b64encode(value).decode()}


def _bounded_headers(original: Original) -> list[list[str]]:
    kept: list[list[str]] = []
    size = 0
    for name, value in original.headers:
        size += len(name) + len(value)
        if size > HEADERS_MAX_BYTES:
            break
        kept.append([name, base64.b64encode(value).decode()])
    return kept
