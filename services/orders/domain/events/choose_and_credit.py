"""Choose the campaign of an order and credit one with it, with the events of what changed."""

from __future__ import annotations

from operator import attrgetter

from msgspec import json

from services.orders.domain.campaigns.attribute import attribute
from services.orders.domain.campaigns.choose import choose
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.campaigns import Attribution, CampaignChoice
from services.orders.domain.model.decision import (
    AttributionData,
    CampaignSelectedData,
    EventType,
    OrderEventData,
)
from services.orders.domain.model.ids import Uuid, short_digest
from services.orders.domain.model.order import Order
from services.orders.domain.value import Value, replace

_CHOSEN = attrgetter(
    "campaign_id", "campaign_version", "test_id", "is_held_out", "discount_id", "stage"
)
"""What an event says; the rest of a choice only explains it."""


def choose_and_credit(recorder: Recorder, order_id: Uuid) -> None:
    """Choose and credit for an order that is in the recorder, where its shop has a book."""
    order = recorder.order(order_id)
    book = recorder.world.books.get(order.shop) if order is not None else None
    if order is None or book is None:
        return
    choice = choose(order, book)
    if choice is None and order.campaign is not None:  # The order was said to be older.
        choice = CampaignChoice(stage=order.campaign.stage, at=order.placed_at, rule="no_match")
    if choice is not None and choice != order.campaign:
        order = _with_choice(recorder, order, choice)
    attribution = attribute(order, book)
    if attribution != order.attribution:
        _put_attribution(recorder, order, attribution)


def _with_choice(recorder: Recorder, order: Order, choice: CampaignChoice) -> Order:
    before = order.campaign
    is_event = choice.rule != "no_match" if before is None else _CHOSEN(before) != _CHOSEN(choice)
    if not is_event:
        order = replace(order, campaign=choice)
        recorder.put(order)
        return order
    order = replace(order, campaign=choice, campaign_changes=order.campaign_changes + 1)
    recorder.put(order)
    data = CampaignSelectedData(
        status=order.status,
        previous_status=order.status,
        changed_fields=("campaign",),
        campaign=choice,
        previous_campaign=before,
    )
    cause = f"campaign/{order.campaign_changes}/{_digest(choice)}"
    _emit(recorder, order, EventType.ORDER_CAMPAIGN_SELECTED, data, cause)
    return order


def _put_attribution(recorder: Recorder, order: Order, attribution: Attribution | None) -> None:
    held = order.attribution
    order = replace(order, attribution=attribution)
    recorder.put(order)
    former = held.credit if held is not None else None
    if attribution is None or attribution.credit == former:
        _emit_touches(recorder, order)
        return
    is_credited = attribution.credit is not None
    data = AttributionData(
        status=order.status,
        previous_status=order.status,
        changed_fields=("attribution",),
        attribution_version=attribution.version,
        credit=attribution.credit,
        former_credit=former,
    )
    kind = EventType.ORDER_ATTRIBUTED if is_credited else EventType.ORDER_UNATTRIBUTED
    cause = f"attribution/{attribution.version}/{_digest(attribution.credit, former)}"
    _emit(recorder, order, kind, data, cause)


def _emit_touches(recorder: Recorder, order: Order) -> None:
    """Add an event for contacts that changed without the credit, unless there is another one."""
    if any(event.order_id == order.order_id for event in recorder.events):
        return
    data = OrderEventData(
        status=order.status, previous_status=order.status, changed_fields=("attribution",)
    )
    cause = f"{recorder.item.item_id}/attribution"
    _emit(recorder, order, EventType.ORDER_UPDATED, data, cause)


def _emit(
    recorder: Recorder, order: Order, kind: EventType, data: OrderEventData, cause: str
) -> None:
    occurred_at = recorder.item.updated_at or recorder.now
    recorder.emit_order(order.order_id, kind, data, occurred_at=occurred_at, cause=cause)


def _digest(*said: Value | None) -> str:
    return short_digest(json.encode(said, order="sorted"))
