"""Right answers of tracking numbers against what was seen: each planted fault is one difference."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from demo.audit import Audit
from demo.comparison import differences_in_time
from demo.expectation import Expectation, OrderAnswer, ParcelAnswer, ReleaseAnswer
from demo.seen import Seen

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
PICKED_UP, DELIVERED = ("PICKED_UP_BY_CARRIER", AT), ("SUCCESSFULLY_DELIVERED", AT)
BOX = ParcelAnswer(
    "N1",
    "delivered",
    scans=frozenset({PICKED_UP, DELIVERED}),
    notified={"shipment_delivered": 1},
    shows_places=True,
)
VOIDED = ReleaseAnswer("N2", "void", frozenset({PICKED_UP}))


def order(number: str, *released: ReleaseAnswer) -> OrderAnswer:
    return OrderAnswer("shop", number, "fulfilled", 1, (BOX,), released)


EXPECTED = Expectation({"shop/1": order("1"), "shop/2": order("2", VOIDED)})


def box() -> Seen:
    return Seen({PICKED_UP, DELIVERED}, Counter(shipment_delivered=1), shows_places=True)


def seen() -> Audit:
    found = Audit(released=Counter(void=1))
    found.parcels = {("shop/1", "N1"): box(), ("shop/2", "N1"): box()}
    found.parcels["shop/2", "N2"] = Seen({PICKED_UP})
    return found


def test_numbers_as_they_must_be_have_no_difference() -> None:
    assert differences_in_time(EXPECTED, seen()) == []


def _notifies_twice(found: Audit) -> None:
    found.parcels["shop/2", "N1"].notified["shipment_delivered"] += 1


def _hides_places(found: Audit) -> None:
    found.parcels["shop/1", "N1"].shows_places = False


def _reaches_the_first_order_only(found: Audit) -> None:
    del found.parcels["shop/2", "N1"]


def _keeps_scans_after_the_void(found: Audit) -> None:
    found.parcels["shop/2", "N2"].scans.add(DELIVERED)


def _loses_a_scan_before_the_void(found: Audit) -> None:
    found.parcels["shop/2", "N2"].scans.clear()


def _publishes_no_void(found: Audit) -> None:
    found.released.clear()


@pytest.mark.parametrize(
    ("plant", "text"),
    [
        (_notifies_twice, "N1 of shop/2: notified is {'shipment_delivered': 2}"),
        (_hides_places, "N1 of shop/1: shows places is False, should be True"),
        (_reaches_the_first_order_only, "N1 of shop/2 has no event"),
        (_keeps_scans_after_the_void, "N2 of shop/2: scan SUCCESSFULLY_DELIVERED"),
        (_loses_a_scan_before_the_void, "N2 of shop/2: scan PICKED_UP_BY_CARRIER"),
        (_publishes_no_void, "numbers: numbers_voided is 0, should be 1"),
    ],
)
def test_numbers_with_a_planted_fault_differ(plant: Callable[[Audit], None], text: str) -> None:
    found = seen()
    plant(found)

    assert any(each.startswith(text) for each in differences_in_time(EXPECTED, found))


def test_numbers_replaced_are_counted_apart_from_numbers_voided() -> None:
    replaced = order("2", replace(VOIDED, by="replace"))
    found = seen()
    found.released = Counter(replace=1)

    assert differences_in_time(Expectation({**EXPECTED.orders, "shop/2": replaced}), found) == []
