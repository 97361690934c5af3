"""`decide`: the decision of a command on what was read for it."""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.commands import (
    AdvanceCampaign,
    CancelOrder,
    ChangeCampaigns,
    Command,
    PlaceOrder,
    RecordClaim,
    ReportTracking,
    ReviewOrder,
    UpdateOrder,
    UpdateShipment,
    UpsertAnalytics,
    UpsertOrder,
    VoidShipment,
    names,
)
from services.orders.domain.model.decision import Decision, Outcome, World
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.domain.model.reasons import (
    SENTENCES,
    CommandRefused,
    NotYet,
    Reason,
    Unchanged,
)
from services.orders.domain.model.references import Reference, ReferenceKind, number_key
from services.orders.domain.model.tracking_number import normalise_number
from services.orders.domain.rules.acceptance import find_of_unchanged
from services.orders.domain.rules.analytics import upsert_analytics
from services.orders.domain.rules.campaigns import advance_campaign, change_campaigns
from services.orders.domain.rules.place_order import place, upsert
from services.orders.domain.rules.record_claim import record
from services.orders.domain.rules.repeats import remember
from services.orders.domain.rules.report_scans import any_is_seen, report
from services.orders.domain.rules.review_order import review
from services.orders.domain.rules.update_order import cancel, update_order, update_shipment
from services.orders.domain.rules.void_shipment import void


def decide(world: World, command: Command, now: datetime) -> Decision:
    """Decide `command` on what was read. Pure; refuses by its outcome, never by an exception.

    `now` is the business time (aware). Nothing of `world` is changed: the caller applies the
    decision's orders, parcels and references before it decides the next item.
    """
    match command:
        case ReportTracking():
            sender = None
        case _:
            sender = command.shop
    recorder = Recorder(world=world, item=command, now=now, sender=sender)
    try:
        order_id = _carry_out(recorder, command)
    except Unchanged as unchanged:
        decision = Decision(
            outcome=Outcome.NO_CHANGE,
            reason=unchanged.reason,
            detail=unchanged.detail,
            order_id=_id_of_order(world, command, now),
            orders=_with_item(recorder, command) if unchanged.reason in _REMEMBERED else (),
        )
    except CommandRefused as refused:
        decision = Decision(
            outcome=Outcome.REJECTED,
            reason=refused.reason,
            detail=refused.detail,
            pointer=refused.pointer,
            order_id=_id_of_order(world, command, now),
        )
    except NotYet as missing:
        decision = Decision(
            outcome=Outcome.WAITING,
            reason=missing.reason,
            detail=SENTENCES[missing.reason],
            waits_for=missing.waits_for,
            order_id=_id_of_order(world, command, now),
            # Scans of a number without an owner are kept on it; nothing else has changed.
            parcels=tuple(recorder.parcels.values()),
        )
    else:
        decision = recorder.decision(order_id)
    if command.warnings or recorder.warnings:
        return recorder.with_warnings(decision)
    return decision


def after_wait(world: World, command: Command, decision: Decision) -> Decision:
    """The decision of a command that waited, and for which what it waited for has appeared.

    A report whose scans the number has is a repeat; but one that waited goes on waiting where no
    shipment on the number sees a scan of it: its sender has no answer yet.
    """
    if decision.reason is not Reason.DUPLICATE or not isinstance(command, ReportTracking):
        return decision
    number = normalise_number(command.tracking_number)
    if any_is_seen(world, number, command.scans):
        return decision
    return Decision(
        outcome=Outcome.WAITING,
        reason=Reason.NUMBER_NOT_OWNED,
        detail=SENTENCES[Reason.NUMBER_NOT_OWNED],
        waits_for=number_key(number),
    )


def _carry_out(  # noqa: C901 - a case for each kind of command
    recorder: Recorder, command: Command
) -> Uuid | None:
    match command:
        case UpsertOrder():  # The most frequent first.
            return upsert(recorder, command)
        case ReportTracking():
            return report(recorder, command)
        case UpdateOrder():
            return update_order(recorder, command)
        case PlaceOrder():
            return place(recorder, command)
        case CancelOrder():
            return cancel(recorder, command)
        case UpdateShipment():
            return update_shipment(recorder, command)
        case UpsertAnalytics():
            return upsert_analytics(recorder, command)
        case RecordClaim():
            return record(recorder, command)
        case VoidShipment():
            return void(recorder, command)
        case ChangeCampaigns() | AdvanceCampaign() | ReviewOrder():
            return _carry_out_for_campaigns(recorder, command)
        case _:
            assert_never(command)


def _carry_out_for_campaigns(
    recorder: Recorder, command: ChangeCampaigns | AdvanceCampaign | ReviewOrder
) -> Uuid | None:
    match command:
        case ReviewOrder():
            return review(recorder, command)
        case ChangeCampaigns():
            change_campaigns(recorder, command)
        case AdvanceCampaign():
            advance_campaign(recorder, command)
    return None


_REMEMBERED = frozenset({Reason.STALE, Reason.ALREADY_VOIDED})
"""Reasons for which an item changes nothing now, and could change something when it comes again."""


def _with_item(recorder: Recorder, command: Command) -> tuple[Order, ...]:
    """The order with an item remembered that has changed nothing.

    Its repeat stays without effect even if the order takes on a `source_version` in between, which
    the item is not older than, or gets the number back that the item would take off. A stale item
    may have brought facts of its own time: they are kept with it.
    """
    if isinstance(command, RecordClaim):
        return ()
    if isinstance(command, UpsertOrder) and recorder.orders:
        return tuple(recorder.orders.values())
    order = _order_of(recorder.world, command, recorder.now)
    return (remember(order, command),) if order is not None else ()


def _id_of_order(world: World, command: Command, now: datetime) -> Uuid | None:
    order = _order_of(world, command, now)
    return order.order_id if order is not None else None


def _order_of(world: World, command: Command, now: datetime) -> Order | None:
    """The order that an item which changes none is about, for its outcome record.

    A name comes last: it describes an order that another reference names.
    """
    recorder = Recorder(world=world, item=command, now=now)
    references = sorted(names(command).references, key=_is_name)
    found = (find_of_unchanged(recorder, reference) for reference in references)
    return next((order for order in found if order is not None), None)


def _is_name(reference: Reference) -> bool:
    return reference.kind is ReferenceKind.ORDER_NAME
