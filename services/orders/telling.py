"""What operators hear of a batch: outcomes counted, refusals and waits logged item by item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.orders.docket import Decided
from services.orders.domain.decision import Outcome
from services.runtime import telling
from services.runtime.rejections import Rejection
from services.runtime.telemetry import Metrics

SERVICE = "orders"

# What somebody may ask about; the rest is in the events and outcomes themselves.
_LOGGED = {Outcome.REJECTED: telling.REJECTED, Outcome.WAITING: telling.WAITS}


def tell(metrics: Metrics, decided: Sequence[Decided], refused: Sequence[Rejection]) -> None:
    """Count and log the items of one batch. Before the commit: a retried batch is told twice."""
    ended: Counter[tuple[str, str, str]] = Counter()
    for each in decided:
        item, decision = each.asked.item, each.decision
        reason = decision.reason.value if decision.reason else ""
        ended[item.original.coordinates.topic, decision.outcome.value, reason] += 1
        if decision.outcome in _LOGGED:
            event, asked = _LOGGED[decision.outcome], (item.original, item.envelope, item.index)
            telling.tell(event, asked, service=SERVICE, reason=reason, order_id=decision.order_id)
    for rejection in refused:
        ended[rejection.original.coordinates.topic, "rejected", rejection.reason] += 1
        what = (rejection.original, rejection.envelope, rejection.index)
        telling.tell(telling.REJECTED, what, service=SERVICE, reason=rejection.reason)
    for labels, count in ended.items():
        metrics.items_total.labels(SERVICE, *labels).inc(count)
