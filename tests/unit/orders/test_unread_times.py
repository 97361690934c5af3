"""What happened at a time that cannot be read may be long ago: it notifies no customer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.orders.domain.decide import decide
from services.orders.domain.model.decision import Decision, World
from services.orders.domain.model.references import Reference, ReferenceKind
from services.orders.domain.value import replace
from services.orders.messages.decode import alone, read_item
from tests.unit.orders.payloads import NOW, PLACEMENT, read_all, taken, warned

EMPTY = World(orders={}, parcels={}, references={})
UNREAD = ["0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "yesterday", 1_772_301_851]
NOT_SAID: list[Any] = [None, "", " "]
RECENT = (NOW - timedelta(hours=1)).isoformat()
OLD = (NOW - timedelta(days=300)).isoformat()
NUMBER = {"tracking_number": "1Z999", "carrier_reference": "ups"}


def upsert(order: Any = None, tracking: Any = None) -> Any:
    body = {"shop_slug": "qa", "id": "1"}
    placement = {} if order is None else {"order": {**PLACEMENT, **order}}
    trackings = {} if tracking is None else {"trackings": [{**NUMBER, **tracking}]}
    return taken("order.upsert", {**body, **placement, **trackings})


def cancel(**members: Any) -> Any:
    return taken("order.cancel", {"shop_slug": "qa", "id": "1", **members})


def later(command: Any) -> Any:
    """The command in another message than the one before."""
    return replace(command, item_id="5b0e2c1e-9c0f-5d3a-8a51-0f6f2b1f8d11")


def after(decision: Decision) -> World:
    (order,) = decision.orders
    reference = Reference("qa", ReferenceKind.ORDER_NUMBER, "1")
    return World(
        orders={order.order_id: order},
        parcels={each.number: each for each in decision.parcels},
        references={reference: order.order_id},
    )


def notified(decision: Decision) -> list[str]:
    return [each.type.value for each in decision.events if getattr(each.data, "notify", False)]


@pytest.mark.parametrize("sent", UNREAD)
def test_order_whose_time_cannot_be_read_does_not_notify(sent):
    command = upsert({"order_placed_at": sent})

    decision = decide(EMPTY, command, NOW)

    assert warned(command) == [("value_left_out", "/order/order_placed_at")]
    assert notified(decision) == []
    assert decision.orders[0].placement.order_placed_at == NOW
    assert decision.orders[0].is_imported


@pytest.mark.parametrize("sent", [*NOT_SAID, RECENT])
def test_order_whose_time_is_recent_or_not_said_notifies(sent):
    assert notified(decide(EMPTY, upsert({"order_placed_at": sent}), NOW)) == ["order.placed"]


@pytest.mark.parametrize("type_", ["order.place", "orders.fulfill_bulk"])
def test_order_whose_time_cannot_be_read_does_not_notify_whatever_command_brings_it(type_):
    order = {**PLACEMENT, "order_placed_at": "yesterday"}
    items = {"items": [{"id": "1", "order": order}]}
    body = items if type_ == "orders.fulfill_bulk" else {"order": order}

    (entry,) = read_all(type_, {"shop_slug": "qa", **body})

    assert notified(decide(EMPTY, entry.command, NOW)) == []
    again = read_item(alone(entry), 0, NOW)
    assert notified(decide(EMPTY, again.command, NOW)) == []


@pytest.mark.parametrize("sent", UNREAD)
def test_number_whose_time_cannot_be_read_does_not_notify(sent):
    command = upsert(tracking={"tracking_placed_at": sent})

    decision = decide(after(decide(EMPTY, upsert({}), NOW)), later(command), NOW)

    assert warned(command) == [("value_left_out", "/trackings/0/tracking_placed_at")]
    assert notified(decision) == []


@pytest.mark.parametrize("sent", [*NOT_SAID, RECENT])
def test_number_whose_time_is_recent_or_not_said_notifies(sent):
    command = upsert(tracking={"tracking_placed_at": sent})

    decision = decide(after(decide(EMPTY, upsert({}), NOW)), later(command), NOW)

    assert notified(decision) == ["shipment.fulfilled"]


@pytest.mark.parametrize(
    ("order", "tracking", "events"),
    [
        (None, None, ["shipment.fulfilled"]),
        ("?", None, []),
        (OLD, None, []),
        (RECENT, "?", []),
        ("?", RECENT, ["shipment.fulfilled"]),
        ("?", "?", []),
    ],
)
def test_number_that_comes_with_its_order_is_as_old_as_the_order(order, tracking, events):
    command = upsert({"order_placed_at": order}, {"tracking_placed_at": tracking})

    assert notified(decide(EMPTY, command, NOW)) == events


def test_only_the_number_whose_time_cannot_be_read_does_not_notify():
    trackings = [
        {"tracking_number": "AAA1", "tracking_placed_at": "?"},
        {"tracking_number": "BBB2"},
        {"tracking_number": "CCC3", "tracking_placed_at": "?"},
    ]
    command = taken("order.upsert", {"shop_slug": "qa", "id": "1", "trackings": trackings})

    assert [each.is_placed_at_unread for each in command.trackings] == [True, False, True]


@pytest.mark.parametrize(
    ("placed", "members", "events"),
    [
        (RECENT, {}, ["order.cancelled"]),
        (RECENT, {"cancelled_at": "?"}, []),
        (RECENT, {"cancelled_at": "?", "updated_at": RECENT}, ["order.cancelled"]),
        (RECENT, {"cancelled_at": "?", "updated_at": OLD}, []),
        ("?", {}, []),
        ("?", {"cancelled_at": RECENT}, ["order.cancelled"]),
    ],
)
def test_cancellation_notifies_only_where_it_cannot_be_old(placed, members, events):
    world = after(decide(EMPTY, upsert({"order_placed_at": placed}), NOW))

    assert notified(decide(world, later(cancel(**members)), NOW)) == events
