"""Tracking: the body of a carrier or aggregator as a record, unchanged and unread."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

from schemas.envelope import rfc3339
from schemas.topics import CARRIER_TRACKING
from services.gateway.messages.records import Record, make_headers

BODY_NAMESPACE = uuid5(NAMESPACE_URL, "https://orderflow.dev/bodies")


def tracking_record(
    body: bytes,
    *,
    sender: str,
    type_: str,
    source: str,
    content_type: str,
    traceparent: str | None,
    now: datetime,
) -> Record:
    """The record of a body; `sender` is the name of its form, `type_` the message type of that.

    The id is made of source and body: a repeated request has the same, and the same scans sent
    twice are one. The key is of sender and id: the body may hold many parcels and is not read here,
    and what scans make of a parcel does not depend on their order.
    """
    id_ = str(uuid5(BODY_NAMESPACE, f"{source}\n{sha256(body).hexdigest()}"))
    headers = make_headers(
        id_=id_,
        source=source,
        type_=type_,
        time=rfc3339(now),
        content_type=content_type,
        traceparent=traceparent,
    )
    return Record(CARRIER_TRACKING, f"{sender}/{id_}".encode(), headers, body, id_)
