"""Ends of items: outcomes and rejections, and their metrics and log entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.reasons import SENTENCES, Reason
from services.orders.messages import encode
from services.orders.messages.decode import (
    COMMANDS,
    TRACKING,
    Asked,
    Entry,
    Unread,
    is_of_many,
)
from services.orders.unit_of_work import Decided
from services.runtime.messages.records import FieldError, Item, item_of
from services.runtime.observability import item_log
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outgoing
from services.runtime.rejections import Rejection
from services.runtime.waiting.store import Waiting


def has_outcome(decided: Decided) -> bool:
    """Whether an item has an outcome record: every command, once its outcome is final."""
    is_command = decided.asked.item.original.coordinates.topic == COMMANDS
    return is_command and decided.decision.outcome is not Outcome.WAITING


def rejection_of(decided: Decided) -> Rejection | None:
    """The rejection of an item that a rule refused; None for any other outcome."""
    decision, item = decided.decision, decided.asked.item
    if decision.outcome is not Outcome.REJECTED or decision.reason is None:
        return None
    detail = decision.detail or SENTENCES[decision.reason]
    pointer = _bulk_pointer(item) + (decision.pointer or "")
    return Rejection(
        item.original,
        item.index,
        item.envelope,
        decision.reason.value,
        detail,
        (FieldError(pointer, detail),),
        is_of_many(item),
    )


def _bulk_pointer(item: Item) -> str:
    return f"/items/{item.index}" if is_of_many(item) else ""


def refused_outcomes(refused: Sequence[Rejection], now: datetime) -> Iterator[Outgoing]:
    """Outcome records of commands that were rejected without a decision."""
    for refusal in refused:
        if refusal.original.coordinates.topic == COMMANDS:
            yield encode.refusal_record(_unread(refusal), refusal.reason, refusal.detail, now)


def expiry_of(row: Waiting, entry: Entry) -> Rejection:
    """The rejection of an item that has waited too long."""
    item = entry.item if isinstance(entry, Asked) else _unread(entry)
    is_tracking = row.original.coordinates.topic == TRACKING
    reason = Reason.NUMBER_NOT_OWNED if is_tracking else Reason.ORDER_NOT_FOUND
    detail = f"nothing became known as {row.waits_for!r} by {row.expires_at.isoformat()}"
    pointer = _bulk_pointer(item) + ("/tracking_number" if is_tracking else "/id")
    return Rejection(
        row.original,
        row.index,
        item.envelope,
        reason.value,
        detail,
        (FieldError(pointer, detail),),
        is_of_many(item),
    )


def _unread(refusal: Rejection | Unread) -> Item:
    return item_of(refusal.original, refusal.index, refusal.envelope, None)


SERVICE = "orders"

# Ends that are logged; the others are in the events and outcomes.
_LOGGED = {Outcome.REJECTED: item_log.REJECTED, Outcome.WAITING: item_log.WAITS}


def tell(metrics: Metrics, decided: Sequence[Decided], refused: Sequence[Rejection]) -> None:
    """Count and log the items of one batch; before the commit, so a retried batch counts twice."""
    ended: Counter[tuple[str, str, str]] = Counter()
    for each in decided:
        item, decision = each.asked.item, each.decision
        reason = decision.reason.value if decision.reason else ""
        ended[item.original.coordinates.topic, decision.outcome.value, reason] += 1
        if decision.outcome in _LOGGED:
            event, asked = _LOGGED[decision.outcome], (item.original, item.envelope, item.index)
            item_log.log_item(
                event, asked, service=SERVICE, reason=reason, order_id=decision.order_id
            )
    for rejection in refused:
        ended[rejection.original.coordinates.topic, "rejected", rejection.reason] += 1
        what = (rejection.original, rejection.envelope, rejection.index)
        item_log.log_item(item_log.REJECTED, what, service=SERVICE, reason=rejection.reason)
    for labels, count in ended.items():
        metrics.items_total.labels(SERVICE, *labels).inc(count)
