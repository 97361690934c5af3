"""Every status of an order against every command: the outcome, the status after, the events."""

from __future__ import annotations

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import Address, Analytics, Order
from services.orders.domain.model.reasons import Reason
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    NOON,
    Desk,
    attach,
    attribute,
    cancel,
    event_types,
    fields,
    place,
    ref,
    report,
    scan,
    update,
    update_shipment,
    upsert,
)

FULFILLED, SCANNED = "shipment.fulfilled", "shipment.scanned"


def _desk(status: str) -> Desk:
    """An order expecting two, in the given status, with its parcels' numbers N1 and N2."""
    desk = Desk()
    if status != "none":
        desk.send(place(expected_number_of_shipments=2))
    sent = {
        "partially_fulfilled": 1,
        "cancelled_partially": 1,
        "fulfilled": 2,
        "cancelled_after": 2,
    }
    for number in range(sent.get(status, 0)):
        desk.send(attach(f"N{number + 1}"))
    if status.startswith("cancelled"):
        desk.send(cancel(cancelled_at=NOON))
    return desk


COMMANDS = {
    "place": lambda: place(expected_number_of_shipments=2),
    "place_other": lambda: place(expected_number_of_shipments=2, email_id="b@example.org"),
    "upsert_new": lambda: upsert(ref(), fields(expected_number_of_shipments=2)),
    "upsert_changed": lambda: upsert(ref(), fields(email_id="b@example.org")),
    "attach_first": lambda: attach("N1"),
    "attach_next": lambda: attach("N9"),
    "attach_two": lambda: attach("N8", "N9"),
    "upsert_all": lambda: upsert(
        ref(),
        fields(expected_number_of_shipments=2, email_id="b@example.org"),
        (Tracking(tracking_number="N9"),),
    ),
    "expect_one": lambda: update(expected_number_of_shipments=1),
    "expect_two": lambda: update(expected_number_of_shipments=2),
    "expect_three": lambda: update(expected_number_of_shipments=3),
    "address": lambda: update(address=Address(zip_code="9")),
    "cancel": lambda: cancel(cancelled_at=NOON),
    "url": lambda: update_shipment(tracking_number="N1", tracking_url="https://x.example"),
    "analytics": lambda: attribute(order_analytics=Analytics(source="mail")),
    "scan": lambda: report(scan("PICKED_UP_BY_CARRIER", NOON)),
}

WAIT = ("waiting", None, [])
SAME = ("no_change", None, [])


def _applied(status: str, *events: str) -> tuple[str, str | None, list[str]]:
    return "applied", status, list(events)


def _refused(reason: Reason) -> tuple[str, str | None, list[str]]:
    return reason.value, None, []


NEW = "order.placed"
EXISTS = _refused(Reason.ORDER_EXISTS)
CLOSED = _refused(Reason.ORDER_CANCELLED)
PLACED, PARTLY, FULL, GONE = "placed", "partially_fulfilled", "fulfilled", "cancelled"
UPDATED, TO_FULL, TO_PARTLY = "order.updated", "order.fulfilled", "order.partially_fulfilled"
EXPECTED, ATTRIBUTED = "order.expected_shipments_changed", "order.analytics_updated"
CHANGED = "shipment.updated"

# none, placed, partially_fulfilled, fulfilled, cancelled, cancelled_partially, cancelled_after
STATUSES = (
    "none",
    "placed",
    "partially_fulfilled",
    "fulfilled",
    "cancelled",
    "cancelled_partially",
    "cancelled_after",
)
GONE_UPDATED = _applied(GONE, UPDATED)
GONE_MORE = _applied(GONE, FULFILLED)
TABLE = {
    "place": (_applied(PLACED, NEW), SAME, SAME, SAME, SAME, SAME, SAME),
    "place_other": (_applied(PLACED, NEW), EXISTS, EXISTS, EXISTS, EXISTS, EXISTS, EXISTS),
    "upsert_new": (_applied(PLACED, NEW), SAME, SAME, SAME, SAME, SAME, SAME),
    "upsert_changed": (
        _applied(PLACED, NEW),
        _applied(PLACED, UPDATED),
        _applied(PARTLY, UPDATED),
        _applied(FULL, UPDATED),
        GONE_UPDATED,
        GONE_UPDATED,
        GONE_UPDATED,
    ),
    "attach_first": (
        WAIT,
        _applied(PARTLY, TO_PARTLY, FULFILLED),
        SAME,
        SAME,
        GONE_MORE,
        SAME,
        SAME,
    ),
    "attach_next": (
        WAIT,
        _applied(PARTLY, TO_PARTLY, FULFILLED),
        _applied(FULL, TO_FULL, FULFILLED),
        _applied(FULL, EXPECTED, FULFILLED),
        GONE_MORE,
        GONE_MORE,
        _applied(GONE, EXPECTED, FULFILLED),
    ),
    "attach_two": (
        WAIT,
        _applied(FULL, TO_FULL, FULFILLED, FULFILLED),
        _applied(FULL, TO_FULL, FULFILLED, FULFILLED),
        _applied(FULL, EXPECTED, FULFILLED, FULFILLED),
        _applied(GONE, FULFILLED, FULFILLED),
        _applied(GONE, EXPECTED, FULFILLED, FULFILLED),
        _applied(GONE, EXPECTED, FULFILLED, FULFILLED),
    ),
    "upsert_all": (
        _applied(PARTLY, NEW, FULFILLED),
        _applied(PARTLY, TO_PARTLY, FULFILLED),
        _applied(FULL, TO_FULL, FULFILLED),
        _applied(FULL, UPDATED, FULFILLED),
        _applied(GONE, UPDATED, FULFILLED),
        _applied(GONE, UPDATED, FULFILLED),
        _applied(GONE, UPDATED, FULFILLED),
    ),
    "expect_one": (
        WAIT,
        _applied(PLACED, EXPECTED),
        _applied(FULL, TO_FULL),
        SAME,
        _applied(GONE, EXPECTED),
        _applied(GONE, EXPECTED),
        SAME,
    ),
    "expect_two": (WAIT, SAME, SAME, SAME, SAME, SAME, SAME),
    "expect_three": (
        WAIT,
        _applied(PLACED, EXPECTED),
        _applied(PARTLY, EXPECTED),
        _applied(PARTLY, TO_PARTLY),
        CLOSED,
        CLOSED,
        CLOSED,
    ),
    "address": (
        WAIT,
        _applied(PLACED, UPDATED),
        _applied(PARTLY, UPDATED),
        _applied(FULL, UPDATED),
        GONE_UPDATED,
        GONE_UPDATED,
        GONE_UPDATED,
    ),
    "cancel": (
        WAIT,
        _applied(GONE, "order.cancelled"),
        _applied(GONE, "order.cancelled"),
        _applied(GONE, "order.cancelled"),
        SAME,
        SAME,
        SAME,
    ),
    "url": (
        WAIT,
        WAIT,
        _applied(PARTLY, CHANGED),
        _applied(FULL, CHANGED),
        WAIT,
        _applied(GONE, CHANGED),
        _applied(GONE, CHANGED),
    ),
    "analytics": (
        WAIT,
        _applied(PLACED, ATTRIBUTED),
        _applied(PARTLY, ATTRIBUTED),
        _applied(FULL, ATTRIBUTED),
        _applied(GONE, ATTRIBUTED),
        _applied(GONE, ATTRIBUTED),
        _applied(GONE, ATTRIBUTED),
    ),
    "scan": (
        WAIT,
        WAIT,
        _applied(PARTLY, SCANNED),
        _applied(FULL, SCANNED),
        WAIT,
        _applied(GONE, SCANNED),
        _applied(GONE, SCANNED),
    ),
}


def test_table_is_complete():
    assert set(TABLE) == set(COMMANDS)
    assert {len(row) for row in TABLE.values()} == {len(STATUSES)}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_command_in_every_status(status, command):
    outcome, after, events = TABLE[command][STATUSES.index(status)]
    desk = _desk(status)
    before = dict(desk.orders)

    decision = desk.send(COMMANDS[command]())

    assert event_types(decision) == events
    if outcome in ("applied", "no_change", "waiting"):
        assert decision.outcome == outcome
    else:
        assert (decision.outcome, decision.reason) == (Outcome.REJECTED, outcome)
    if outcome == "applied":
        assert desk.order().status == after
    else:
        assert {i: _unremembered(o) for i, o in desk.orders.items()} == {
            i: _unremembered(o) for i, o in before.items()
        }


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_command_twice_in_every_status_is_once(status, command):
    desk = _desk(status)
    sent = COMMANDS[command]()
    first = desk.send(sent)
    before = dict(desk.orders), dict(desk.parcels)

    again = desk.send(sent)

    assert not again.events
    assert (desk.orders, desk.parcels) == before
    if first.outcome is Outcome.APPLIED:
        assert (again.outcome, again.reason) == (Outcome.NO_CHANGE, Reason.DUPLICATE)


def _unremembered(order: Order) -> Order:
    """Without what no_difference may advance: what was asked last, and by which item."""
    return replace(order, applied=(), expected_asked=0)
