"""Log entries about single items: rejected and waiting ones, with order id and trace id."""

from __future__ import annotations

from uuid import UUID

import structlog

from schemas.envelope import CloudEvent
from services.runtime.messages.records import Original

REJECTED = "item_rejected"
WAITS = "item_waits"

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
