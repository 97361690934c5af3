"""Which scans notify the customer (docs/scan-rules.md, 16, 17 and 17b)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.orders.domain.model.commands import Tracking
from services.orders.domain.model.decision import ShipmentEventData
from services.orders.domain.tracking.catalogue import Flag, Phase
from services.orders.domain.tracking.explanation import explain
from services.orders.domain.tracking.scan import (
    Direction,
    Precision,
)
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    HOUR,
    NOON,
    Desk,
    attach,
    fields,
    place,
    report,
    scan,
    upsert,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk() -> Desk:
    """An order with one parcel, N1 at dhl."""
    desk = Desk()
    desk.send(place())
    desk.send(attach("N1", carrier="dhl"))
    return desk


def notified(desk: Desk) -> list[str]:
    facts = [e for e in desk.events if isinstance(e.data, ShipmentEventData)]
    return [e.event_name for e in facts if e.data.notify]


def test_scans_in_order_notify_once_per_group(desk):
    for name in ("PICKED_UP_BY_CARRIER", "ARRIVAL_AT_TRANSPORT_HUB", "SORTED", "OUT_FOR_DELIVERY"):
        desk.now += MINUTE
        desk.send(report(scan(name, desk.now)))

    assert notified(desk) == ["SHIPMENT_FULFILLED", "PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY"]


def test_each_attempt_notifies(desk):
    for name in ("OUT_FOR_DELIVERY", "RECIPIENT_NOT_HOME", "DELIVERY_ATTEMPTED") * 2:
        desk.now += HOUR if name == "OUT_FOR_DELIVERY" else MINUTE
        desk.now += DAY if name == "OUT_FOR_DELIVERY" else MINUTE
        desk.send(report(scan(name, desk.now)))

    assert notified(desk)[1:] == [
        "OUT_FOR_DELIVERY",
        "RECIPIENT_NOT_HOME",
        "OUT_FOR_DELIVERY",
        "RECIPIENT_NOT_HOME",
    ]


@pytest.mark.parametrize(
    ("age", "precision", "notifies"),
    [
        (4 * HOUR, Precision.SECOND, True),
        (4 * HOUR + MINUTE, Precision.SECOND, False),
        (28 * HOUR, Precision.DAY, True),
        (28 * HOUR + MINUTE, Precision.DAY, False),
    ],
)
def test_rule_16_stale_scans_do_not_notify(desk, age, precision, notifies):
    desk.now = NOON + 2 * DAY

    decision = desk.send(report(scan("OUT_FOR_DELIVERY", desk.now - age, precision=precision)))

    assert decision.events[0].data.notify is notifies


def test_rule_17b_first_report_of_several_scans_notifies_of_the_last_true_one(desk):
    decision = desk.send(
        report(scan("PICKED_UP_BY_CARRIER", NOON - MINUTE), scan("OUT_FOR_DELIVERY", NOON))
    )

    assert [event.data.notify for event in decision.events] == [False, True]


def test_rule_16_first_import_of_history_does_not_notify(desk):
    names = ("PICKED_UP_BY_CARRIER", "ARRIVAL_AT_TRANSPORT_HUB", "OUT_FOR_DELIVERY")
    history = [scan(name, NOON - (9 - n) * DAY) for n, name in enumerate(names)]

    decision = desk.send(report(*history))

    assert [event.data.notify for event in decision.events] == [False, False, False]


def test_return_events_have_their_own_groups(desk):
    back = Direction.CUSTOMER_MERCHANT
    groups = []
    for name in (
        "RETURN_LABEL_CREATED",
        "DROPPED_OFF",
        "CARRIER_DELAY",
        "READY_FOR_COLLECTION_AT_LOCKER",
        "RECIPIENT_NOT_HOME",
        "SUCCESSFULLY_DELIVERED",
        "SORTED",
    ):
        desk.now += MINUTE
        decision = desk.send(report(scan(name, desk.now, direction=back)))
        groups.append(decision.events[0].event_group)

    assert groups == [
        "return_shipment_created",
        "return_shipment_in_transit",
        "return_shipment_problem",
        "return_shipment_ready_for_collection",
        "return_shipment_problem",
        "return_shipment_received",
        None,
    ]


def test_scans_of_one_report_are_published_by_time_each_with_the_state_of_its_moment(desk):
    decision = desk.send(
        report(
            scan("SUCCESSFULLY_DELIVERED", NOON + 2 * HOUR),
            scan("CARRIER_DELAY", NOON + HOUR),
            scan("PICKED_UP_BY_CARRIER", NOON),
        )
    )

    *of_scans, of_order = decision.events
    assert of_order.type == "order.delivered"
    seen = [(e.event_name, e.data.shipment_phase, e.data.flag) for e in of_scans]
    assert seen == [
        ("PICKED_UP_BY_CARRIER", Phase.IN_TRANSIT, Flag.NORMAL),
        ("CARRIER_DELAY", Phase.IN_TRANSIT, Flag.DELAY),
        ("SUCCESSFULLY_DELIVERED", Phase.DELIVERED, Flag.NORMAL),
    ]
    assert [e.data.previous_flag for e in of_scans] == [
        Flag.NORMAL,
        Flag.NORMAL,
        Flag.DELAY,
    ]


@pytest.mark.parametrize(
    ("scans", "expected"),
    [
        ([("OUT_FOR_DELIVERY", -9), ("CUSTOMER_NOTIFIED", -8)], ["OUT_FOR_DELIVERY"]),
        ([("OUT_FOR_DELIVERY", -9), ("SUCCESSFULLY_DELIVERED", -8)], ["SUCCESSFULLY_DELIVERED"]),
        ([("LABEL_CREATED", -24), ("PICKED_UP_BY_CARRIER", -18)], ["PICKED_UP_BY_CARRIER"]),
        ([("PICKED_UP_BY_CARRIER", -18), ("SORTED", -9)], ["PICKED_UP_BY_CARRIER"]),
        ([("CARRIER_DELAY", -18), ("SORTED", -9)], []),
        ([("DAMAGED", -18), ("SORTED", -9)], ["DAMAGED"]),
        ([("SUCCESSFULLY_DELIVERED", -18), ("CARRIER_DELAY", -9)], ["SUCCESSFULLY_DELIVERED"]),
        ([("PICKED_UP_BY_CARRIER", -500), ("LOST", -1)], ["LOST"]),
        ([("PICKED_UP_BY_CARRIER", -500), ("DISPOSED", -1)], ["DISPOSED"]),
        ([("PICKED_UP_BY_CARRIER", -500), ("CONFISCATED", -1)], ["CONFISCATED"]),
        ([("SUCCESSFULLY_DELIVERED", -500), ("LOST", -1)], []),
        ([("DELIVERED_DAMAGED", -500), ("LOST", -1)], []),
        ([("DAMAGED", -500), ("LOST", -2), ("MISROUTED", -1)], []),
        ([("LOST", -2), ("TRACKING_EXPIRED", -1)], ["LOST"]),
    ],
)
def test_rule_17b_one_report_notifies_of_the_last_scan_that_is_still_true(desk, scans, expected):
    desk.send(report(*(scan(name, NOON + at * MINUTE) for name, at in scans)))

    assert notified(desk)[1:] == expected


def test_rule_17_scans_that_notified_of_nothing_silence_nothing(desk):
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON - 10 * DAY)))
    desk.send(report(scan("ARRIVAL_AT_TRANSPORT_HUB", NOON - MINUTE)))
    desk.send(report(scan("DEPARTURE_FROM_TRANSPORT_HUB", NOON)))

    assert notified(desk)[1:] == ["ARRIVAL_AT_TRANSPORT_HUB"]


def test_rule_17_scan_that_moves_to_a_later_attempt_does_not_notify_again(desk):
    failed, van, again = NOON - HOUR, NOON, NOON + HOUR
    desk.now = again

    desk.send(report(scan("OUT_FOR_DELIVERY", van)))
    desk.send(report(scan("RECIPIENT_NOT_HOME", failed)))
    desk.send(report(scan("OUT_FOR_DELIVERY", again)))

    assert notified(desk)[1:] == ["OUT_FOR_DELIVERY"]


def test_rule_17_attached_number_and_its_label_notify_once(desk):
    desk.send(report(scan("LABEL_CREATED", NOON)))
    desk.send(report(scan("ELECTRONIC_ADVICE_RECEIVED", NOON)))

    assert notified(desk) == ["SHIPMENT_FULFILLED"]


@pytest.mark.parametrize(
    ("name", "age", "expected"),
    [
        ("SUCCESSFULLY_DELIVERED", HOUR, ["SUCCESSFULLY_DELIVERED"]),
        ("SUCCESSFULLY_DELIVERED", 20 * DAY, []),
        ("PICKED_UP_BY_CARRIER", HOUR, ["PICKED_UP_BY_CARRIER"]),
        ("PICKED_UP_BY_CARRIER", 20 * DAY, []),
        ("LABEL_CREATED", HOUR, ["SHIPMENT_FULFILLED"]),
    ],
)
def test_rule_17b_attached_number_notifies_only_while_the_parcel_is_before_transit(
    name, age, expected
):
    desk = Desk()
    desk.send(place())
    desk.send(report(scan(name, NOON - age)))

    desk.send(attach("N1"))

    assert notified(desk) == expected


@pytest.mark.parametrize("is_later", [False, True], ids=["with the order", "later"])
@pytest.mark.parametrize(
    ("order_age", "hand_over_age", "with_the_order", "later"),
    [
        (HOUR, None, True, True),
        (300 * DAY, None, False, True),
        (300 * DAY, HOUR, True, True),
        (300 * DAY, 299 * DAY, False, False),
    ],
)
def test_rule_16_number_of_an_imported_order_notifies_only_of_a_new_hand_over(
    order_age, hand_over_age, with_the_order, later, is_later
):
    desk = Desk()
    at = None if hand_over_age is None else NOON - hand_over_age
    parcel = Tracking(tracking_number="N1", tracking_placed_at=at)
    order = fields(order_placed_at=NOON - order_age)

    desk.send(upsert(order=order, trackings=() if is_later else (parcel,)))
    if is_later:
        desk.send(upsert(trackings=(parcel,)))

    assert ("SHIPMENT_FULFILLED" in notified(desk)) is (later if is_later else with_the_order)


def test_notices_that_an_older_version_left_out_are_taken_from_the_scans(desk):
    """A replica of the version before writes the order without its notices."""
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON - HOUR)))
    order = desk.order()
    bare = replace(order.shipments[0], notices=None)
    desk.orders[order.order_id] = replace(order, shipments=(bare,))

    desk.send(report(scan("ARRIVAL_AT_TRANSPORT_HUB", NOON)))
    desk.send(report(scan("OUT_FOR_DELIVERY", NOON)))

    assert notified(desk) == ["SHIPMENT_FULFILLED", "PICKED_UP_BY_CARRIER", "OUT_FOR_DELIVERY"]


def test_explanation_says_of_each_scan_whether_it_notified(desk):
    desk.send(report(scan("PICKED_UP_BY_CARRIER", NOON - 10 * DAY)))
    desk.send(report(scan("ARRIVAL_AT_TRANSPORT_HUB", NOON - 9 * MINUTE)))
    desk.send(report(scan("SORTED", NOON - 8 * MINUTE)))
    desk.send(report(scan("DEPARTURE_FROM_TRANSPORT_HUB", NOON - 7 * MINUTE)))
    desk.send(report(scan("LABEL_CREATED", NOON - 6 * MINUTE)))
    desk.send(report(scan("OUT_FOR_DELIVERY", NOON - 5 * MINUTE), scan("SUCCESSFULLY_DELIVERED")))
    desk.send(report(scan("OUT_FOR_DELIVERY", NOON + MINUTE)))
    desk.send(report(scan("SORTED", NOON + 2 * DAY)))

    verdicts = explain(desk.parcels["N1"].scans, NOON, desk.shipment().notices)

    in_transit = "shipment_in_transit"
    assert [(verdict.scan.event_name, verdict.notification) for verdict in verdicts] == [
        (
            "PICKED_UP_BY_CARRIER",
            f"Another event notified of {in_transit} on this leg and attempt.",
        ),
        ("ARRIVAL_AT_TRANSPORT_HUB", f"It notified the customer of {in_transit}."),
        ("SORTED", "Its event has no notification group."),
        (
            "DEPARTURE_FROM_TRANSPORT_HUB",
            f"Another event notified of {in_transit} on this leg and attempt.",
        ),
        (
            "LABEL_CREATED",
            "The state of the shipment did not agree with shipment_pre_transit.",
        ),
        (
            "OUT_FOR_DELIVERY",
            "It was overtaken, named by a later code map, or too old when its number was attached.",
        ),
        ("SUCCESSFULLY_DELIVERED", "It notified the customer of shipment_delivered."),
        ("OUT_FOR_DELIVERY", "It changed nothing, so it does not notify."),
        ("SORTED", "It does not count, so it does not notify."),
    ]
