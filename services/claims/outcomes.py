"""Ends of claim commands: events, outcomes and rejections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from schemas.outcomes import WARNINGS_MAX
from schemas.topics import CLAIMS_COMMANDS, CLAIMS_OUTCOMES
from services.claims.domain.commands import OpenClaim
from services.claims.domain.decision import Outcome
from services.claims.messages.encode import SOURCE, EventContext, outgoing_event
from services.claims.unit_of_work import Decided, UnitOfWork
from services.runtime.batch.items import FailureKind, ItemFailed, ItemRef
from services.runtime.messages.records import FieldError
from services.runtime.outbox.outbox import Outgoing
from services.runtime.outcomes import OutcomeBody, Outcomes
from services.runtime.rejections import Rejection

OUTCOMES = Outcomes(CLAIMS_OUTCOMES, SOURCE)


def decided_records(unit: UnitOfWork, event_bytes_max: int) -> Iterator[Outgoing]:
    """Events in the order they were decided, each command's outcome after its event.

    Raises:
        ItemFailed: the decision of an item cannot be encoded.
    """
    for each in unit.decided:
        try:
            yield from _records_of(each, unit, event_bytes_max)
        except Exception as error:
            ref = ItemRef(each.task.original.coordinates, 0)
            raise ItemFailed(ref, FailureKind.ENCODING) from error


def _records_of(each: Decided, unit: UnitOfWork, event_bytes_max: int) -> Iterator[Outgoing]:
    task, event = each.task, each.decision.event
    if event:
        yield outgoing_event(
            event,
            EventContext(unit.loaded.documents[event.claim.order_id], each.claims),
            (task.original, task.envelope),
            now=unit.now,
            bytes_max=event_bytes_max,
        )
    if each.decision.outcome is not Outcome.WAITING:
        yield OUTCOMES.of_decision(task.original, task.envelope, _body(each, unit.now), unit.now)


def _body(each: Decided, now: datetime) -> OutcomeBody:
    """The outcome of a command; an order of another shop is not named in it."""
    task, decision = each.task, each.decision
    command, envelope, at = task.command, task.envelope, task.original.coordinates
    shop = command.order.shop if isinstance(command, OpenClaim) else command.shop
    order = each.order if each.order and each.order.is_seen and each.order.shop == shop else None
    return OutcomeBody(
        envelope.id or str(at),
        envelope.source,
        0,
        envelope.type,
        decision.outcome,
        decision.reason,
        decision.detail,
        shop,
        order.order_id if order else None,
        order.order_number if order else _number_named(each),
        order.version if order else None,
        at.topic,
        at.partition,
        at.offset,
        now,
        warnings=tuple(task.warnings[:WARNINGS_MAX]),
        warnings_left_out=max(0, len(task.warnings) - WARNINGS_MAX),
        claim_id=_claim_of(each),
    )


def _number_named(each: Decided) -> str | None:
    command = each.task.command
    if isinstance(command, OpenClaim) and command.order.kind == "order_number":
        return command.order.value
    return None


def _claim_of(each: Decided) -> str | None:
    """The claim that was opened, changed or repeated, or that the command names."""
    if each.decision.claim:
        return each.decision.claim.claim_id
    command = each.task.command
    return each.decision.claim_id or (None if isinstance(command, OpenClaim) else command.claim_id)


def rejection_of(each: Decided) -> Rejection | None:
    """The rejection of a command that a rule refused; None for any other outcome."""
    decision, task = each.decision, each.task
    if decision.outcome is not Outcome.REJECTED:
        return None
    detail = decision.detail or ""
    errors = (FieldError(decision.pointer, detail),)
    return Rejection(task.original, 0, task.envelope, decision.reason or "", detail, errors)


def refused_outcomes(refused: Sequence[Rejection], now: datetime) -> Iterator[Outgoing]:
    """Outcome records of commands that were rejected without a decision."""
    for refusal in refused:
        if refusal.original.coordinates.topic == CLAIMS_COMMANDS:
            yield OUTCOMES.of_refusal(refusal, now)
