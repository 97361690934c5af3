"""Which events a destination gets, by its filters."""

import itertools

import pytest

from services.deliveries.domain.destination import Target
from services.deliveries.domain.filters import EventHead, matches, unknown_filters
from services.deliveries.receivers import ShopReceivers
from services.deliveries.store import Receiver

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
    ("filters", "unknown"),
    [
        (("*", "orders", "shipments/delivered", "claims/created"), ()),
        (("parcels",), ("parcels",)),
        (("orders", "returns/created"), ("returns/created",)),
    ],
)
def test_filter_of_an_unknown_source_is_found(filters, unknown):
    assert unknown_filters(filters) == unknown


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
