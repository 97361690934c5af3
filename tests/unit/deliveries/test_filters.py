"""Which events a destination gets, by its filters."""

import itertools

import pytest

from services.claims.domain.decision import Action
from services.deliveries.domain.destination import Target
from services.deliveries.domain.filters import WORDS, EventHead, fault_of, matches
from services.deliveries.receivers import ShopReceivers
from services.deliveries.store import Receiver
from services.orders.domain.model.decision import EventType
from services.orders.domain.tracking.catalogue import Phase

SCAN = EventHead(
    "demo", "shipments", "shipments/delivered/PICKED_UP", "shipment_picked_up", True, False
)
SILENT = EventHead("demo", "shipments", "shipments/in_transit/SORTED", None, False, False)
PLACED = EventHead("demo", "orders", "orders/ORDER_PLACED", "shipment_pre_transit", True, False)
CLAIM = EventHead("demo", "claims", "claims/created", "claim_created", True, False)
SNAPSHOT = EventHead("demo", "orders", "orders/ORDER_SNAPSHOT", None, False, True)
EVENTS = {"scan": SCAN, "silent": SILENT, "placed": PLACED, "claim": CLAIM, "snapshot": SNAPSHOT}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (("*",), ["claim", "placed", "scan", "silent"]),
        (("shipments",), ["scan", "silent"]),
        (("shipments/delivered",), ["scan"]),
        (("shipments/deliver",), []),
        (("shipments/delivered/PICKED_UP",), ["scan"]),
        (("shipments/delivered/PICKED",), []),
        (("orders",), ["placed"]),
        (("orders/ORDER_PLACED",), ["placed"]),
        (("orders/ORDER_SNAPSHOT",), ["snapshot"]),
        (("*", "orders/ORDER_SNAPSHOT"), ["claim", "placed", "scan", "silent", "snapshot"]),
        (("claims", "orders"), ["claim", "placed"]),
        (("claims/created",), ["claim"]),
        ((), []),
    ],
    ids=str,
)
def test_filters_choose(filters, expected):
    target = Target("webhook", "https://shop.example", filters)

    assert sorted(name for name, event in EVENTS.items() if matches(target, event)) == expected


def test_event_groups_choose_among_what_the_filters_match():
    target = Target("webhook", "https://shop.example", ("shipments",), ("shipment_picked_up",))

    assert {name for name, event in EVENTS.items() if matches(target, event)} == {"scan"}


def test_only_notify_leaves_out_what_notifies_nobody():
    target = Target("webhook", "https://shop.example", only_notify=True)

    chosen = {name for name, event in EVENTS.items() if matches(target, event)}

    assert chosen == {"scan", "placed", "claim"}


@pytest.mark.parametrize(
    ("filter_", "fact"),
    [
        ("*", None),
        ("orders", None),
        ("orders/ORDER_PLACED", None),
        ("shipments/delivered", None),
        ("shipments/delivered/DELIVERED_TO_NEIGHBOUR", None),
        ("shipments/in_transit/HANDED_TO_DRONE", None),
        ("claims/created", None),
        ("parcels", "use *, or begin with orders, shipments, claims"),
        ("returns/created", "use *, or begin with orders, shipments, claims"),
        ("shipments/deliverd", "after shipments/ comes order_created, order_processed"),
        ("shipments/Delivered", "after shipments/ comes order_created, order_processed"),
        ("orders/order_placed", "after orders/ comes ORDER_PLACED"),
        ("orders/ORDER_PLACED/TWICE", "nothing comes after orders/ORDER_PLACED"),
        ("claims/opened", "after claims/ comes created, updated, withdrawn"),
    ],
    ids=str,
)
def test_filter_that_can_match_no_event_is_at_fault(filter_, fact):
    found = fault_of(filter_)

    assert found is None if fact is None else found.startswith(fact)


def test_words_of_filters_are_those_of_events():
    names = [kind.value.replace(".", "_").upper() for kind in EventType]

    assert WORDS["orders"] == tuple(name for name in names if name.startswith("ORDER_"))
    assert WORDS["shipments"] == tuple(Phase)
    assert WORDS["claims"] == tuple(Action)


FILTERS = ("*", "orders", "shipments", "shipments/delivered", "orders/ORDER_SNAPSHOT", "claims")


def test_destinations_found_by_their_filters_are_those_that_match():
    chosen = [each for n in range(4) for each in itertools.combinations(FILTERS, n)]
    receivers = [
        Receiver(number, Target("webhook", "https://shop.example", filters, only_notify=number % 2))
        for number, filters in enumerate(chosen)
    ]

    shop = ShopReceivers(receivers)

    for event in EVENTS.values():
        assert shop.of(event) == tuple(each.id for each in receivers if matches(each.target, event))
