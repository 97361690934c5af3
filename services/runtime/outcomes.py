"""Outcome records: what one item of a command became, as its sender reads it."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import msgspec
from msgspec import Struct

from schemas.envelope import CloudEvent, rfc3339
from schemas.outcomes import COMMAND_DECIDED, REJECTED
from services.runtime.messages.headers import headers_by_place
from services.runtime.messages.records import KEY_MAX_BYTES, Original, named_uuid
from services.runtime.outbox.outbox import Outgoing
from services.runtime.rejections import Rejection

_to_json = msgspec.json.Encoder().encode


class OutcomeBody(Struct, gc=False, omit_defaults=True):
    """The members of an outcome; those with a default are left out where they say nothing."""

    command_id: str
    command_source: str | None
    index: int
    command_type: str | None
    outcome: str
    reason: str | None
    detail: str | None
    shop_slug: str | None
    order_id: str | None
    order_number: str | None
    order_version: int | None
    topic: str
    partition: int
    offset: int
    decided_at: datetime
    warnings: tuple[Struct, ...] = ()
    warnings_left_out: int = 0
    claim_id: str | None = None
    campaign_id: str | None = None


class _Refusal(Struct, gc=False):
    """The outcome of what could not be read: no order or shop is known of it."""

    command_id: str
    command_source: str | None
    index: int
    command_type: str | None
    outcome: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    decided_at: datetime


class Outcomes(Struct, frozen=True):
    """The outcome records of one service: their topic, and the service as a CloudEvents source."""

    topic: str
    source: str

    def of_decision(
        self, original: Original, envelope: CloudEvent, body: OutcomeBody, now: datetime
    ) -> Outgoing:
        """The record of a decided item, in the order of its order's events; else of its key."""
        order_id = body.order_id
        headers = headers_by_place(
            named_uuid(f"outcome/{original.coordinates}#{body.index}"),
            self.source,
            COMMAND_DECIDED,
            _time(now),
            order_id,
            envelope.traceparent,
            body.command_id,
        )
        key = original.key or b""
        return Outgoing(
            self.topic, key[:KEY_MAX_BYTES], _to_json(body), headers, order_id or key.hex()
        )

    def of_refusal(self, refusal: Rejection, now: datetime) -> Outgoing:
        """The record of an item that could not be read, or waited too long."""
        original, envelope, index = refusal.original, refusal.envelope, refusal.index
        at, cause = original.coordinates, envelope.id or str(original.coordinates)
        body = _Refusal(
            cause,
            envelope.source,
            index,
            envelope.type,
            REJECTED,
            refusal.reason,
            refusal.detail,
            at.topic,
            at.partition,
            at.offset,
            now,
        )
        headers = headers_by_place(
            type=COMMAND_DECIDED,
            source=self.source,
            id=named_uuid(f"outcome/{at}#{index}"),
            time=_time(now),
            traceparent=envelope.traceparent,
            causation_id=cause,
        )
        key = original.key or b""
        return Outgoing(self.topic, key[:KEY_MAX_BYTES], _to_json(body), headers, key.hex())


@lru_cache(maxsize=16)  # The outcomes of a batch have one time.
def _time(now: datetime) -> str:
    return rfc3339(now)
