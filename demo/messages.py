"""Messages as a shop or a carrier writes them: JSON values under CloudEvents headers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from demo.script import ScriptMessage
from schemas.topics import CARRIER_TRACKING, CLAIMS_COMMANDS, ORDERS_COMMANDS

Body = Mapping[str, Any]


def command(
    order: str, type_: str, body: Body, at: datetime, *, id_: str, key: str | None = None
) -> ScriptMessage:
    """A command of a shop. `order` is `shop/number`; `key` only where it is not the order's."""
    shop = order.partition("/")[0]
    return ScriptMessage(
        topic=ORDERS_COMMANDS,
        key=(key or order).encode(),
        value=encode({"shop_slug": shop, **body}),
        at=at,
        headers=cloud_headers(type_, f"shops/{shop}", id_, at, order),
        order_key=order,
    )


def claim(
    order: str, type_: str, body: Body, at: datetime, *, id_: str, opened_by: str | None = None
) -> ScriptMessage:
    """A claim command of a shop or its tracking page; `opened_by` where it is about a claim."""
    shop = order.partition("/")[0]
    return ScriptMessage(
        topic=CLAIMS_COMMANDS,
        key=order.encode(),
        value=encode({"shop_slug": shop, **body}),
        at=at,
        headers=cloud_headers(type_, f"shops/{shop}", id_, at, order),
        order_key=f"claims of {order}",
        claim_opened_by=opened_by,
    )


def tracking(
    carrier: str, number: str, scans: Sequence[Body], at: datetime, *, id_: str
) -> ScriptMessage:
    """A tracking message of a carrier, in our own form; free to arrive in any order."""
    return ScriptMessage(
        topic=CARRIER_TRACKING,
        key=f"{carrier}/{number}".encode(),
        value=encode(
            {"carrier_reference": carrier, "tracking_number": number, "scans": list(scans)}
        ),
        at=at,
        headers=cloud_headers("tracking.reported", f"carriers/{carrier}", id_, at, number),
    )


def cloud_headers(
    type_: str, source: str, id_: str, at: datetime, subject: str
) -> tuple[tuple[str, bytes], ...]:
    """CloudEvents 1.0 attributes in Kafka's binary mode."""
    texts = {
        "ce_specversion": "1.0",
        "ce_id": id_,
        "ce_source": source,
        "ce_type": type_,
        "ce_time": at.isoformat(),
        "ce_subject": subject,
        "content-type": "application/json",
    }
    return tuple((name, text.encode()) for name, text in texts.items())


def encode(body: Body) -> bytes:
    """JSON; money is written as text beforehand, so nothing is ever a float."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
