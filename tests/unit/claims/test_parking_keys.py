"""Parking keys of the claims service: stored, and read by replicas of other versions, so fixed."""

from datetime import UTC, datetime

import pytest

from schemas.envelope import CloudEvent
from services.claims.domain.commands import OrderReference
from services.claims.domain.ids import claim_id, order_id
from services.claims.intake import OrderEvent, Task, UnreadItem
from services.claims.messages.decode import ReceivedOrder
from services.claims.parking_keys import event_keys, task_keys, unread_keys
from services.runtime.batch.items import Failure, FailureKind
from services.runtime.messages.records import Coordinates, Original
from tests.unit.claims.builders import SHOP, an_id, an_opening, an_order, an_update

ORDER = order_id(SHOP, "1001")
CLAIM = claim_id(ORDER, an_id("open"))
BUG = Failure(FailureKind.READING, "a bug")


def a_record(topic="claims.commands", key=b""):
    return Original(Coordinates(topic, 0, 1), key, (), b"", datetime(2026, 3, 1, tzinfo=UTC))


def a_reference(kind, value):
    return OrderReference(SHOP, kind, value)


@pytest.mark.parametrize(
    ("command", "order", "waits_for", "keys"),
    [
        (an_opening(), ORDER, None, {f"order:{ORDER}", f"order/{ORDER}", f"claim/{CLAIM}"}),
        (
            an_opening(order=a_reference("external_id", "gid-1")),
            ORDER,
            f"external_id/{SHOP}/gid-1",
            {f"order:{ORDER}", f"order/{ORDER}", f"claim/{CLAIM}", f"external_id/{SHOP}/gid-1"},
        ),
        (
            an_opening(order=a_reference("order_name", "#1")),
            None,
            None,
            {f"order_name/{SHOP}/#1"},
        ),
        (an_update(), None, None, {f"claim/{an_id('claim')}"}),
        (
            an_update(),
            ORDER,
            None,
            {f"order:{ORDER}", f"order/{ORDER}", f"claim/{an_id('claim')}"},
        ),
    ],
)
def test_parking_keys_of_commands_are_spelled_as_stored(command, order, waits_for, keys):
    orders = [order] if order else []

    assert task_keys(Task(a_record(), CloudEvent(), command, waits_for), orders) == keys


def test_parking_keys_of_events_are_spelled_as_stored():
    copy = an_order(order_name="#1")
    event = OrderEvent(a_record("orders.events"), ReceivedOrder(order=copy, document=b"{}"))

    assert event_keys(event) == {
        f"order:{ORDER}",
        f"order/{ORDER}",
        f"external_id/{SHOP}/gid-1",
        f"order_name/{SHOP}/#1",
    }


@pytest.mark.parametrize(
    ("record", "waits_for", "keys"),
    [
        (a_record(key=f"{SHOP}/1001".encode()), None, {f"order:{ORDER}", f"order/{ORDER}"}),
        (a_record("orders.events", ORDER.encode()), None, {f"order:{ORDER}", f"order/{ORDER}"}),
        (a_record(key=b"\xff"), f"order/{ORDER}", {f"order:{ORDER}", f"order/{ORDER}"}),
        (a_record("orders.events", b"no uuid"), f"claim/{CLAIM}", {f"claim/{CLAIM}"}),
        (a_record(), None, set()),
    ],
)
def test_parking_keys_of_unread_items_are_spelled_as_stored(record, waits_for, keys):
    assert unread_keys(UnreadItem(record, 0, BUG, waits_for)) == keys
