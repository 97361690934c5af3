"""What operators hear of single items: refusals and waits, with order and trace, in one form."""

from __future__ import annotations

from uuid import UUID

import structlog

from schemas.envelope import CloudEvent
from services.runtime.messages.records import Original

REJECTED = "item_rejected"
WAITS = "item_waits"

log = structlog.get_logger(__name__)


def tell(
    event: str,
    item: tuple[Original, CloudEvent, int],
    *,
    service: str,
    reason: str,
    order_id: UUID | str | None = None,
) -> None:
    """Log `REJECTED` or `WAITS` for an item: record, envelope, index. Nothing a person wrote."""
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
