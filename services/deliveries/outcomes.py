"""Ends of commands of destinations: outcomes, rejections and events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from schemas.topics import DELIVERIES_COMMANDS, DELIVERIES_OUTCOMES
from services.deliveries.domain.decide import Decision, Outcome
from services.deliveries.intake import CommandItem
from services.deliveries.messages.encode import destination_event
from services.deliveries.names import SOURCE
from services.runtime.messages.records import FieldError
from services.runtime.outbox.outbox import Outgoing
from services.runtime.outcomes import OutcomeBody, Outcomes
from services.runtime.rejections import Rejection

OUTCOMES = Outcomes(DELIVERIES_OUTCOMES, SOURCE)


def decided_records(
    decided: Sequence[tuple[CommandItem, Decision]], now: datetime
) -> Iterator[Outgoing]:
    """Events in the order they were decided, each command's outcome after its event."""
    for item, decision in decided:
        read = item.received
        if decision.happened:
            yield destination_event(
                decision.happened,
                (read.shop, read.name),
                cause=read.item_id,
                now=now,
                reason="command",
                detail=read.reason,
            )
        body = _body(item, decision, now)
        yield OUTCOMES.of_decision(item.original, read.envelope, body, now)


def _body(item: CommandItem, decision: Decision, now: datetime) -> OutcomeBody:
    read, at = item.received, item.original.coordinates
    return OutcomeBody(
        read.envelope.id or str(at),
        read.envelope.source,
        0,
        read.type,
        decision.outcome,
        decision.reason,
        decision.detail,
        read.shop,
        None,
        None,
        None,
        at.topic,
        at.partition,
        at.offset,
        now,
    )


def rejection_of(item: CommandItem, decision: Decision) -> Rejection | None:
    """The rejection of a command that a rule refused; None for any other outcome."""
    if decision.outcome is not Outcome.REJECTED:
        return None
    reason, detail = decision.reason or "", decision.detail or ""
    errors = (FieldError(decision.pointer, detail),)
    return Rejection(item.original, 0, item.received.envelope, reason, detail, errors)


def refused_outcomes(refused: Sequence[Rejection], now: datetime) -> Iterator[Outgoing]:
    """Outcome records of commands that were rejected without a decision."""
    for refusal in refused:
        if refusal.original.coordinates.topic == DELIVERIES_COMMANDS:
            yield OUTCOMES.of_refusal(refusal, now)
