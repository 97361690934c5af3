"""From messages on `portal.activity` to activities of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import orjson

from schemas.activity import MODELS, Activity, doubt_of_time
from schemas.enums import IdType
from schemas.envelope import CloudEvent
from schemas.identity import order_id
from schemas.repair import RepairCode
from schemas.values import timestamp
from services.analytics.domain import activity as domain
from services.analytics.domain.facts import Uuid
from services.analytics.domain.sales import session_of
from services.analytics.messages.bounds import check_instants, out_of_bounds
from services.runtime.messages.blank_texts import has_blank, without_blanks
from services.runtime.messages.records import Message, Original, known_type, read_message
from services.runtime.messages.repair import RepairWarning
from services.runtime.twins import Reader

READER = Reader(Activity, is_repairing=True)


class ReceivedActivity(NamedTuple):
    """The activity in a record, and what was repaired or left out when it was read."""

    envelope: CloudEvent
    shop: str
    activity: domain.Activity | None
    """None: a bot's."""
    warnings: Sequence[RepairWarning] = ()


def read_activity(original: Original) -> ReceivedActivity:
    """The activity in a record of `portal.activity`.

    Raises:
        Malformed: the record is no activity of the contract.
    """
    message = read_message(original, is_normalizing=True)
    known_type(message, MODELS, "activity")
    sent = without_blanks(message.body) if has_blank(original.value) else message.body
    body, warnings = READER.read_repaired(sent)
    at = sent_at = _sent_at(message)
    if doubt := doubt_of_time(body.occurred_at, sent_at):
        left_out = RepairWarning(RepairCode.VALUE_LEFT_OUT, "/occurred_at", doubt)
        warnings = [*warnings, left_out]
    else:
        at = body.occurred_at or sent_at
    counted = None if domain.is_bot(body.user_agent) else _activity(body, at, sent_at)
    return ReceivedActivity(message.envelope, body.shop_slug, counted, warnings)


def without_visitor(original: Original) -> Original:
    """A record of `portal.activity` as it may be kept with its refusal.

    Without session and browser of the visitor, and members that the contract does not name. The
    body is left out where it cannot be read.
    """
    if not original.value:
        return original
    try:
        body = orjson.loads(original.value)
    except orjson.JSONDecodeError:
        return msgspec.structs.replace(original, value=None)
    if not isinstance(body, dict):
        return msgspec.structs.replace(original, value=None)
    kept = {name: said for name, said in body.items() if name in _KEPT_REFUSED}
    if kept == body:
        return original
    return msgspec.structs.replace(original, value=orjson.dumps(kept))


_KEPT_REFUSED = Activity.model_fields.keys() - {"session_id", "user_agent"}


def _activity(body: Activity, at: datetime, sent_at: datetime) -> domain.Activity:
    check_instants("/headers/ce_time", sent_at)
    session = body.session_id if body.consent else None
    return domain.Activity(
        identity=_identity(body, at, session),
        shop=body.shop_slug,
        order_id=_order_id(body),
        kind=body.kind.value,
        widget=body.widget.value,
        campaign_id=body.campaign_id,
        # A visitor's clock may be wrong: what happened was not after the message.
        seen_on=min(at, sent_at).astimezone(UTC).date(),
        session=session_of(body.shop_slug, session) if session else None,
    )


def _identity(body: Activity, at: datetime, session: str | None) -> str:
    """The shop's id of the activity; without one, all that is known of it, by the second."""
    if body.activity_id:
        return f"activity/{body.shop_slug}/{body.activity_id}"
    second = at.astimezone(UTC).replace(microsecond=0).isoformat()
    parts = (body.id_type, body.id, body.kind, body.widget, body.campaign_id, session)
    return f"unnamed/{body.shop_slug}/{second}/{'/'.join(map(str, parts))}"


def _order_id(body: Activity) -> Uuid | None:
    if body.id_type is IdType.ORDER_NUMBER:
        return str(order_id(body.shop_slug, body.id))
    if body.id_type is not IdType.UUID:
        return None
    try:
        return str(UUID(body.id))
    except ValueError:
        raise out_of_bounds("/id", "must be a UUID where id_type is uuid") from None


def _sent_at(message: Message) -> datetime:
    """The time of the message: as its sender says, else when Kafka took it."""
    try:
        return timestamp(message.envelope.time)
    except ValueError:
        return message.original.timestamp
