"""Owners that the release before stored: without hand-over and time of attachment."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.model.order import Shipment
from services.orders.domain.model.parcel import Owner, Parcel
from services.orders.domain.model.windows import shares_of, windows_of
from services.orders.domain.rules.complete_owners import complete_owners, is_complete
from services.orders.domain.tracking.scan import Direction
from services.orders.domain.tracking.start import initial_state
from services.orders.domain.value import replace
from tests.unit.orders.builders import NOON, SHOP, scan

DAY = timedelta(days=1)
USED_AGAIN = NOON + 10 * DAY
IDS = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(4)]
DAYS = st.integers(0, 200).map(lambda days: NOON + days * DAY)


def an_owner(n: int, **given) -> Owner:
    said = {"shop": SHOP, "carrier": "ups"} | given
    return Owner(order_id=IDS[n], shipment_id=IDS[n], **said)


def a_parcel(*owners: Owner, scans=()) -> Parcel:
    return Parcel(number="N1", owners=owners, scans=tuple(sorted(scans, key=lambda s: s.key)))


FORMER, LATER = an_owner(0, until=USED_AGAIN), an_owner(1, since=USED_AGAIN)
SCANS = [
    scan("PICKED_UP_BY_CARRIER", NOON, carrier="ups"),
    scan("SUCCESSFULLY_DELIVERED", NOON + DAY, carrier="ups"),
    scan("SUCCESSFULLY_DELIVERED", NOON + 9 * DAY, carrier="ups"),
    scan("SORTED", NOON + 11 * DAY, carrier="ups"),
]


@given(DAYS, DAYS)
def test_windows_that_were_given_stay_whatever_the_hand_overs_say(former, later):
    """The former was delivered twice: the scans between the two are its own."""
    stored = a_parcel(FORMER, LATER, scans=SCANS)
    handed_over = replace(
        stored, owners=(replace(FORMER, placed_at=former), replace(LATER, placed_at=later))
    )

    assert shares_of(handed_over) == shares_of(stored)
    assert [(w.since, w.until) for w in windows_of(handed_over)] == [
        (None, USED_AGAIN),
        (USED_AGAIN, None),
    ]


@given(DAYS, DAYS)
def test_shipment_that_comes_now_begins_behind_an_end_that_was_given(former, placed):
    came = an_owner(2, since=NOON - 400 * DAY, placed_at=placed, came_at=placed)
    parcel = a_parcel(replace(FORMER, placed_at=min(former, placed)), came, scans=SCANS)

    first, second = windows_of(parcel)

    assert first.until == USED_AGAIN
    assert second.since >= USED_AGAIN


@given(st.lists(DAYS, min_size=2, max_size=4), DAYS)
def test_time_of_the_first_attachment_does_not_decide_whose_parcel_it_is(came, moved):
    """So the first owner needs none."""
    first, *later = sorted(came)
    others = [
        an_owner(n, shop=f"shop{n}", placed_at=NOON, came_at=at)
        for n, at in enumerate(later, start=1)
    ]
    scans = [scan("PICKED_UP_BY_CARRIER", moved, carrier="ups", text="said")]
    known, unknown = (
        shares_of(a_parcel(an_owner(0, placed_at=NOON, came_at=at), *others, scans=scans))
        for at in (first, None)
    )

    assert known == unknown


def shipments_of(*carriers: str | None) -> dict[str, Shipment]:
    """Shipments that the carriers have reported; their shops named none."""
    state = initial_state(Direction.MERCHANT_CUSTOMER)
    return {
        IDS[n]: Shipment(
            shipment_id=IDS[n],
            ordinal=1,
            number="N1",
            tracking_placed_at=NOON,
            tracking=replace(state, carrier=carrier),
        )
        for n, carrier in enumerate(carriers)
    }


@pytest.mark.parametrize(
    ("stored", "reported", "completed"),
    [
        ((None, "dhl"), ("ups", "dhl"), ("ups", "dhl")),
        ((None, "dhl"), ("dhl", "dhl"), (None, "dhl")),
        ((None, "dhl"), (None, "dhl"), (None, "dhl")),
        ((None, None), ("ups", "dhl"), (None, None)),
        (("gls", "dhl"), ("ups", "dhl"), ("gls", "dhl")),
    ],
    ids=["reported by another", "by the same", "by several or none", "none named", "named"],
)
def test_carrier_is_entered_where_another_shipment_names_another_one(stored, reported, completed):
    parcel = a_parcel(*(an_owner(n, carrier=carrier) for n, carrier in enumerate(stored)))

    after = complete_owners(parcel, shipments_of(*reported))

    assert tuple(owner.carrier for owner in after.owners) == completed
    assert {owner.placed_at for owner in after.owners} == {NOON}
    assert complete_owners(after, shipments_of(*reported)) == after


def test_owner_of_the_present_release_keeps_its_carrier():
    parcel = a_parcel(an_owner(0, carrier=None, came_at=NOON), an_owner(1, carrier="dhl"))

    after = complete_owners(parcel, shipments_of("ups", "dhl"))

    assert [owner.carrier for owner in after.owners] == [None, "dhl"]


def test_shipment_that_is_gone_or_has_another_number_completes_nothing():
    parcel = a_parcel(an_owner(0), an_owner(1))
    moved = {id_: replace(each, number="N2") for id_, each in shipments_of("ups").items()}

    assert complete_owners(parcel, moved) == parcel


def test_one_shipment_alone_is_complete_without_its_hand_over():
    assert is_complete(a_parcel(an_owner(0)))
    assert not is_complete(a_parcel(an_owner(0), an_owner(1)))
