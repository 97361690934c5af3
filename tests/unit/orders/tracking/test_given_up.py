"""Parcels that their carrier gives up, and those that are found again."""

from __future__ import annotations

import pytest

from services.orders.domain.tracking.replay import replay
from tests.unit.orders.builders import DAY, HOUR, NOON, scan


@pytest.mark.parametrize(
    ("events", "given_up"),
    [
        (["PICKED_UP_BY_CARRIER"], None),
        (["PICKED_UP_BY_CARRIER", "DAMAGED"], None),
        (["PICKED_UP_BY_CARRIER", "LOST"], "LOST"),
        (["LABEL_CREATED", "TRACKING_EXPIRED"], "TRACKING_EXPIRED"),
        (["PICKED_UP_BY_CARRIER", "LOST", "ETA_CHANGED"], "LOST"),
        (["PICKED_UP_BY_CARRIER", "LOST", "SORTED"], None),
        (["PICKED_UP_BY_CARRIER", "DAMAGED", "LOST", "SORTED"], None),
        (["PICKED_UP_BY_CARRIER", "DISPOSED", "SORTED"], "DISPOSED"),
        (["PICKED_UP_BY_CARRIER", "DISPOSED", "TRACKING_EXPIRED"], "DISPOSED"),
        (["PICKED_UP_BY_CARRIER", "LOST", "CONFISCATED"], "CONFISCATED"),
        (["PICKED_UP_BY_CARRIER", "DISPOSED", "PROBLEM_RESOLVED"], None),
        (["PICKED_UP_BY_CARRIER", "DISPOSED", "SUCCESSFULLY_DELIVERED"], None),
        (["SUCCESSFULLY_DELIVERED", "TRACKING_EXPIRED"], None),
        (["REFUSED", "LOST"], "LOST"),
        (["SUCCESSFULLY_DELIVERED", "RETURN_IN_TRANSIT", "LOST"], "LOST"),
    ],
)
def test_parcel_is_given_up_until_it_is_found(events, given_up):
    scans = [scan(name, NOON + at * HOUR) for at, name in enumerate(events)]

    assert replay(scans, NOON + DAY).state.given_up == given_up
