"""Ends of items: outcomes and rejections, and their metrics and log entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from services.orders.domain.model.decision import Event, Outcome
from services.orders.domain.model.reasons import SENTENCES
from services.orders.messages import encode, snapshot
from services.orders.messages.campaign_events import campaign_record
from services.orders.messages.decode import (
    COMMANDS,
    is_of_many,
    pointer_of,
)
from services.orders.messages.states import Encoded
from services.orders.unit_of_work import Decided, UnitOfWork
from services.runtime import rejections
from services.runtime.batch.batch_trace import BatchTrace
from services.runtime.batch.items import FailureKind, ItemFailed, ItemRef
from services.runtime.messages.records import FieldError
from services.runtime.observability import item_log
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outgoing
from services.runtime.rejections import Rejection

# What the events of one item may weigh together: their snapshots are cut to stay below it.
DECISION_MAX_BYTES = 16 * 1024 * 1024


def decided_records(
    unit: UnitOfWork,
    decided: Sequence[Decided],
    event_bytes_max: int,
    encoded: Encoded | None = None,
) -> Iterator[Outgoing]:
    """Events in the order they were decided, each item's outcome after its events.

    The last context of each order is put into `encoded`.

    Raises:
        ItemFailed: the decision of an item cannot be encoded.
    """
    for each in decided:
        try:
            yield from _records_of(each, unit, event_bytes_max, encoded)
        except Exception as error:
            item = each.asked.item
            ref = ItemRef(item.original.coordinates, item.index)
            raise ItemFailed(ref, FailureKind.ENCODING) from error


def _records_of(
    decided: Decided, unit: UnitOfWork, event_bytes_max: int, encoded: Encoded | None
) -> Iterator[Outgoing]:
    item, decision = decided.asked.item, decided.decision
    if decision.events:
        # A whole history reported at once makes hundreds of events, each with the order.
        most = min(event_bytes_max, DECISION_MAX_BYTES // len(decision.events))
        snapshots = {}
        for order in decision.orders:
            context = snapshots[order.order_id] = snapshot.encode(order, most)
            if encoded is not None:
                encoded[order.order_id] = (order, context)
        for event in decision.events:
            trace = item.envelope.traceparent and _own_trace(event, decided)
            yield encode.event_record(event, snapshots[event.order_id], trace)
    else:  # A command changes orders, or campaigns.
        for change in decision.campaign_events:
            yield campaign_record(change, item.envelope.traceparent)
    # Commands are answered, each once and when its outcome is final; scans and claims are not.
    if item.original.coordinates.topic == COMMANDS and decision.outcome is not Outcome.WAITING:
        known = unit.orders.get(decision.order_id) if decision.order_id else None
        yield encode.outcome_record(item, decided.asked.command, decision, known, unit.now)


def _own_trace(event: Event, decided: Decided) -> str | None:
    """The trace of a command, for an event that may name the command: see `Recorder`."""
    asked = decided.asked
    is_named = event.causation_id == asked.command.causation_id
    return asked.item.envelope.traceparent if is_named else None


def rejection_of(decided: Decided) -> Rejection | None:
    """The rejection of an item that a rule refused; None for any other outcome."""
    decision, item = decided.decision, decided.asked.item
    if decision.outcome is not Outcome.REJECTED or decision.reason is None:
        return None
    detail = decision.detail or SENTENCES[decision.reason]
    pointer = pointer_of(item) + (decision.pointer or "")
    return Rejection(
        item.original,
        item.index,
        item.envelope,
        decision.reason.value,
        detail,
        (FieldError(pointer, detail),),
        is_of_many(item),
    )


def refused_outcomes(refused: Sequence[Rejection], now: datetime) -> Iterator[Outgoing]:
    """Outcome records of commands that were rejected without a decision."""
    for refusal in refused:
        if refusal.original.coordinates.topic == COMMANDS:
            yield encode.OUTCOMES.of_refusal(refusal, now)


SERVICE = "orders"

# Ends that are logged; the others are in the events and outcomes.
_LOGGED = {Outcome.REJECTED: item_log.REJECTED, Outcome.WAITING: item_log.WAITS}


def count_and_log(
    metrics: Metrics, decided: Sequence[Decided], refused: Sequence[Rejection]
) -> None:
    """Count and log the items of one batch; before the commit, so a retried batch counts twice."""
    ended: Counter[tuple[str, str, str]] = Counter()
    warned = []
    for each in decided:
        item, decision = each.asked.item, each.decision
        reason = decision.reason.value if decision.reason else ""
        ended[item.original.coordinates.topic, decision.outcome.value, reason] += 1
        if decision.outcome in _LOGGED:
            event, asked = _LOGGED[decision.outcome], (item.original, item.envelope, item.index)
            item_log.log_item(
                event, asked, service=SERVICE, reason=reason, order_id=decision.order_id
            )
        if decision.warnings:
            codes = [found.code.value for found in decision.warnings]
            place = (item.original, item.envelope, item.index)
            warned.append(item_log.WarnedItem(*place, codes))
    for rejection in refused:
        ended[rejection.original.coordinates.topic, "rejected", rejection.reason] += 1
        what = (rejection.original, rejection.envelope, rejection.index)
        item_log.log_item(item_log.REJECTED, what, service=SERVICE, reason=rejection.reason)
    for labels, count in ended.items():
        metrics.items_total.labels(SERVICE, *labels).inc(count)
    if warned:
        item_log.count_and_log_warnings(metrics, SERVICE, warned)


def note_ends(trace: BatchTrace, decided: Sequence[Decided], refused: Sequence[Rejection]) -> None:
    """Note in the trace of a batch how its items ended."""
    records = trace.records
    for each in decided:
        item = each.asked.item
        if id(item.original) in records:
            decision = each.decision
            ended = (decision.outcome.value, decision.reason, decision.order_id)
            trace.end(item.original, item.index, *ended)
    rejections.note_ends(refused, trace)
