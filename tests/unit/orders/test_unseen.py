"""Unseen scans: why a shipment does not see a scan of its number."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.orders.domain.model.parcel import Owner, Parcel
from services.orders.domain.model.unseen import Cause, count_without_place, unseen_by
from services.orders.domain.model.windows import windows_of
from services.orders.domain.tracking.scan import Location
from tests.unit.orders.builders import DAY, NOON, scan

YEAR = 365 * DAY


def owner(shipment: str, placed_at: datetime, shop: str = "shop", **members) -> Owner:
    since = placed_at - timedelta(days=400)
    return Owner(
        order_id=f"order-{shipment}",
        shipment_id=shipment,
        shop=shop,
        placed_at=placed_at,
        came_at=placed_at,
        since=since,
        **members,
    )


def causes(parcel: Parcel, shipment: str) -> list[Cause]:
    windows = windows_of(parcel)
    own = next(each for each in windows if each.owner.shipment_id == shipment)
    return [each.cause for each in unseen_by(own, windows, parcel.scans)]


@pytest.mark.parametrize(
    ("at", "carrier", "cause"),
    [
        (NOON - 2 * YEAR, "ups", [Cause.TOO_OLD]),
        (NOON, "dpd", [Cause.OTHER_CARRIER]),
        (NOON - YEAR, "ups", []),
        (NOON + YEAR, None, []),
    ],
)
def test_scan_that_a_sole_shipment_does_not_see_has_its_cause(at, carrier, cause):
    found = scan("SORTED", at, carrier=carrier)

    parcel = Parcel(number="N1", scans=(found,), owners=(owner("a", NOON, carrier="UPS"),))

    assert causes(parcel, "a") == cause


def test_scans_of_a_number_that_was_used_again_have_the_cause_of_each_side():
    scans = [
        scan("SUCCESSFULLY_DELIVERED", NOON + DAY),
        scan("PICKED_UP_BY_CARRIER", NOON + YEAR),
        scan("SUCCESSFULLY_DELIVERED", NOON + YEAR + DAY),
    ]
    owners = (owner("a", NOON), owner("b", NOON + YEAR))

    parcel = Parcel(number="N1", scans=tuple(sorted(scans, key=lambda s: s.key)), owners=owners)

    assert causes(parcel, "a") == [Cause.OF_LATER_PARCEL] * 2
    assert causes(parcel, "b") == [Cause.OF_FORMER_PARCEL]


def test_scan_without_a_carrier_on_parcels_of_two_carriers_is_of_none():
    owners = (owner("a", NOON, carrier="ups"), owner("b", NOON, carrier="dpd"))

    parcel = Parcel(number="N1", scans=(scan("SORTED", NOON, carrier=None),), owners=owners)

    assert causes(parcel, "a") == causes(parcel, "b") == [Cause.CARRIER_UNCLEAR]


def test_scan_of_a_carrier_that_another_parcel_names_has_it_as_the_cause():
    owners = (owner("a", NOON), owner("b", NOON, carrier="dhl"))
    scans = [scan("SORTED", NOON, carrier=carrier) for carrier in ("ups", "dhl")]

    parcel = Parcel(number="N1", scans=tuple(sorted(scans, key=lambda s: s.key)), owners=owners)

    assert causes(parcel, "a") == [Cause.NAMED_BY_ANOTHER]
    assert causes(parcel, "b") == [Cause.OTHER_CARRIER]


def test_scans_that_a_shop_sees_without_place_are_counted():
    owners = (owner("a", NOON - DAY), owner("b", NOON + DAY, shop="other"))
    there = scan("PICKED_UP_BY_CARRIER", NOON, location=Location(city="Leipzig"))
    parcel = Parcel(number="N1", scans=(there,), owners=owners)

    windows = windows_of(parcel)

    assert [count_without_place(each, windows, parcel.scans) for each in windows] == [0, 1]
