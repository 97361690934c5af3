"""From values to records: events of destinations, and the requests that webhooks get."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from datetime import datetime

from schemas.envelope import rfc3339
from schemas.topics import DELIVERIES_EVENTS
from services.deliveries.domain.destination import Form, Target
from services.deliveries.messages.signing import signature_headers
from services.deliveries.messages.thin import thin_body
from services.deliveries.messages.ucp.log import Log
from services.deliveries.messages.ucp.order import ucp_body
from services.deliveries.names import SOURCE
from services.runtime.messages.headers import headers_by_place
from services.runtime.messages.json_codec import encode_json
from services.runtime.messages.records import named_uuid
from services.runtime.outbox.outbox import Outgoing

GZIP_LEVEL = 6


def destination_event(
    happened: str,
    destination: tuple[str, str],
    *,
    cause: str,
    now: datetime,
    reason: str,
    detail: str | None = None,
    failures: int | None = None,
    replay: Mapping[str, object] | None = None,
) -> Outgoing:
    """The record of what happened to a destination (shop, name); `cause` makes its id."""
    shop, name = destination
    identity = named_uuid(f"destination/{happened}/{shop}/{name}/{cause}")
    body = {
        "event_name": happened,
        "triggered_at": rfc3339(now),
        "event_id": identity,
        "shop_slug": shop,
        "destination_id": name,
        "reason": reason,
        "detail": detail,
        "failures": failures,
        **({"replay": replay} if replay else {}),
    }
    headers = headers_by_place(
        type=f"destination.{happened}",
        source=SOURCE,
        id=identity,
        time=rfc3339(now),
        subject=f"{shop}/{name}",
        causation_id=cause,
    )
    return Outgoing(DELIVERIES_EVENTS, shop.encode(), encode_json(body), headers, shop)


def body_of(value: bytes, target: Target, log: Log | None = None) -> bytes:
    """What a destination is sent of an event: its bytes as on Kafka, or a body made of them.

    `log` has the fulfilment events of the order up to this one, for UCP; None: none is kept.
    """
    if target.form is Form.THIN:
        return thin_body(value)
    if target.form is Form.UCP:
        return ucp_body(value, log, target.order_url or "")
    return value


def request_headers(
    secrets: Sequence[str],
    event_id: str,
    body: bytes,
    unix_seconds: int,
    said: dict[str, str],
    *,
    is_gzip: bool,
) -> tuple[dict[str, str], bytes]:
    """The headers and the bytes of one request; the signature is that of the body before gzip."""
    headers = {
        "Content-Type": "application/json",
        **signature_headers(secrets, event_id, unix_seconds, body),
        **said,
    }
    if is_gzip:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return headers, body
