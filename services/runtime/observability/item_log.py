"""Log entries about items: rejected and waiting ones, and those with warnings, by sender."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import structlog

from schemas.envelope import CloudEvent
from services.runtime.messages.records import Original

REJECTED = "item_rejected"
WAITS = "item_waits"
WARNED = "items_warned"

log = structlog.get_logger(__name__)


def log_item(
    event: str,
    item: tuple[Original, CloudEvent, int],
    *,
    service: str,
    reason: str,
    order_id: UUID | str | None = None,
) -> None:
    """Log `event` (REJECTED or WAITS) for an item: record, envelope, index.

    No field holds text that a person wrote.
    """
    original, envelope, index = item
    log.info(
        event,
        service=service,
        reason=reason,
        order_id=str(order_id) if order_id else None,
        trace_id=envelope.trace_id,
        at=str(original.coordinates),
        index=index,
    )


def log_warned(
    first: tuple[Original, CloudEvent, int],
    *,
    service: str,
    topic: str,
    source: str | None,
    items: int,
    codes: Mapping[str, int],
) -> None:
    """Log that items of a batch had warnings: how many, and how many warnings of each code.

    `source` is the `ce_source` of all of them; `first` is one of them: record, envelope, index.
    """
    original, envelope, index = first
    log.info(
        WARNED,
        service=service,
        topic=topic,
        ce_source=source,
        items=items,
        codes=dict(codes),
        trace_id=envelope.trace_id,
        at=str(original.coordinates),
        index=index,
    )
