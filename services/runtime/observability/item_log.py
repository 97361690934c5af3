"""Log entries about items: rejected and waiting ones, and those with warnings, by sender."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from schemas.envelope import CloudEvent
from services.runtime.messages.records import Original
from services.runtime.observability.metrics import Metrics

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
        span_id=envelope.span_id,
        at=str(original.coordinates),
        index=index,
    )


@dataclass(frozen=True, slots=True)
class WarnedItem:
    """An item with warnings: record, envelope, index, and the code of each warning."""

    original: Original
    envelope: CloudEvent
    index: int
    codes: Sequence[str]


def count_and_log_warnings(metrics: Metrics, service: str, warned: Iterable[WarnedItem]) -> None:
    """Count warnings by topic and code; one log entry for each sender, as one may send thousands.

    An item that waited is counted again when it is decided again, as in `items_total`.
    """
    by_sender: dict[tuple[str, str | None], list[WarnedItem]] = {}
    for item in warned:
        sender = (item.original.coordinates.topic, item.envelope.source)
        by_sender.setdefault(sender, []).append(item)
    for (topic, source), items in by_sender.items():
        codes = Counter(code for item in items for code in item.codes)
        log.info(
            WARNED,
            service=service,
            topic=topic,
            ce_source=source,
            items=len(items),
            codes=dict(codes),
            trace_id=items[0].envelope.trace_id,
            span_id=items[0].envelope.span_id,
            at=str(items[0].original.coordinates),
            index=items[0].index,
        )
        for code, count in codes.items():
            metrics.warnings_total.labels(service, topic, code).inc(count)
