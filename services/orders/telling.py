"""What operators hear of a batch: outcomes counted, refusals and waits logged item by item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import structlog

from services.orders.docket import Decided
from services.orders.domain.decision import Outcome
from services.runtime.rejections import Rejection
from services.runtime.telemetry import Metrics

SERVICE = "orders"

log = structlog.get_logger(__name__)

# What somebody may ask about; the rest is in the events and outcomes themselves.
_LOGGED = {Outcome.REJECTED: "item_rejected", Outcome.WAITING: "item_waits"}


def tell(metrics: Metrics, decided: Sequence[Decided], refused: Sequence[Rejection]) -> None:
    """Count and log the items of one batch. Before the commit: a retried batch is told twice."""
    ended: Counter[tuple[str, str, str]] = Counter()
    for each in decided:
        item, decision = each.asked.item, each.decision
        reason = decision.reason.value if decision.reason else ""
        ended[item.original.coordinates.topic, decision.outcome.value, reason] += 1
        if decision.outcome in _LOGGED:
            log.info(
                _LOGGED[decision.outcome],
                reason=reason,
                order_id=str(decision.order_id) if decision.order_id else None,
                trace_id=item.envelope.trace_id,
                at=str(item.original.coordinates),
                index=item.index,
            )
    for rejection in refused:
        ended[rejection.original.coordinates.topic, "rejected", rejection.reason] += 1
        _log_refusal(rejection)
    for labels, count in ended.items():
        metrics.items_total.labels(SERVICE, *labels).inc(count)


def _log_refusal(rejection: Rejection) -> None:
    log.info(
        "item_rejected",
        reason=rejection.reason,
        order_id=None,
        trace_id=rejection.envelope.trace_id,
        at=str(rejection.original.coordinates),
        index=rejection.index,
    )
