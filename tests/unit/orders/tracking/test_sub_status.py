"""The sub-status of a shipment: docs/scan-rules.md, rule 15c."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.tracking.catalogue import CATALOGUE, Flag, Phase, Why, entry_of
from services.orders.domain.tracking.catalogue import return_phase as on_return
from services.orders.domain.tracking.legs import RETURNS
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Direction
from services.orders.domain.tracking.state import DRAFT, FINISHED
from services.orders.domain.value import replace
from tests.unit.orders.builders import DAY, HOUR, NOON, scan
from tests.unit.orders.tracking.replays import LATER, machine, state_of

BACK = Direction.CUSTOMER_MERCHANT

TABLE = [
    # What a carrier reports, an hour after the other; the phase; the sub-status.
    ((), Phase.ORDER_PROCESSED, None),
    # Before transit: messages about data are all that there is.
    (("LABEL_CREATED",), Phase.ORDER_PROCESSED, "LABEL_CREATED"),
    (("LABEL_CREATED", "AWAITING_HANDOVER"), Phase.ORDER_PROCESSED, "AWAITING_HANDOVER"),
    (("LABEL_CREATED", "CARRIER_PICKUP_FAILED"), Phase.ORDER_PROCESSED, "CARRIER_PICKUP_FAILED"),
    (("LABEL_CREATED", "ORDER_CANCELLED"), Phase.ORDER_PROCESSED, "ORDER_CANCELLED"),
    (("ORDER_IN_PROCESSING",), Phase.ORDER_PROCESSED, "ORDER_IN_PROCESSING"),
    (("ETA_CHANGED",), Phase.ORDER_PROCESSED, None),
    (("WHO KNOWS",), Phase.ORDER_PROCESSED, None),
    # In transit: the newest scan of the parcel.
    (("SORTED", "ARRIVED_AT_DELIVERY_DEPOT"), Phase.IN_TRANSIT, "ARRIVED_AT_DELIVERY_DEPOT"),
    (("SORTED", "LABEL_CREATED"), Phase.IN_TRANSIT, "SORTED"),
    (("SORTED", "ORDER_CANCELLED"), Phase.IN_TRANSIT, "SORTED"),
    (("SORTED", "WHO KNOWS"), Phase.IN_TRANSIT, "SORTED"),
    (("SORTED", "ETA_CHANGED"), Phase.IN_TRANSIT, "SORTED"),
    (("SORTED", "CUSTOMER_NOTIFIED"), Phase.IN_TRANSIT, "SORTED"),
    (("SORTED", "DELIVERY_SCHEDULED"), Phase.IN_TRANSIT, "DELIVERY_SCHEDULED"),
    (("SORTED", "REDIRECTED_BY_CUSTOMER"), Phase.IN_TRANSIT, "REDIRECTED_BY_CUSTOMER"),
    (("OUT_FOR_DELIVERY", "REDIRECTED_BY_CUSTOMER"), Phase.IN_DELIVERY, "OUT_FOR_DELIVERY"),
    # Trouble holds until the parcel moves on, or the carrier says that it is over.
    (("SORTED", "HELD_BY_CUSTOMS"), Phase.IN_TRANSIT, "HELD_BY_CUSTOMS"),
    (("SORTED", "DUTIES_UNPAID"), Phase.IN_TRANSIT, "DUTIES_UNPAID"),
    (("OUT_FOR_DELIVERY", "WEATHER_DELAY"), Phase.IN_DELIVERY, "WEATHER_DELAY"),
    (("HELD_BY_CUSTOMS", "DELIVERY_SCHEDULED"), Phase.IN_TRANSIT, "HELD_BY_CUSTOMS"),
    (("HELD_BY_CUSTOMS", "CUSTOMS_CLEARANCE_COMPLETED"), Phase.IN_TRANSIT, None),
    (("SORTED", "DUTIES_UNPAID", "PROBLEM_RESOLVED"), Phase.IN_TRANSIT, "PROBLEM_RESOLVED"),
    (("SORTED", "LOST"), Phase.IN_TRANSIT, "LOST"),
    (("LOST", "SORTED"), Phase.IN_TRANSIT, "SORTED"),
    (("SORTED", "TRACKING_EXPIRED"), Phase.IN_TRANSIT, "TRACKING_EXPIRED"),
    (("SORTED", "DAMAGED"), Phase.IN_TRANSIT, "DAMAGED"),
    (("DAMAGED", "SORTED"), Phase.IN_TRANSIT, "SORTED"),
    # A failed delivery.
    (("OUT_FOR_DELIVERY", "RECIPIENT_NOT_HOME"), Phase.DELIVERY_FAILED, "RECIPIENT_NOT_HOME"),
    (("RECIPIENT_NOT_HOME", "CUSTOMER_NOTIFIED"), Phase.DELIVERY_FAILED, "RECIPIENT_NOT_HOME"),
    (("RECIPIENT_NOT_HOME", "DELIVERY_SCHEDULED"), Phase.DELIVERY_FAILED, "RECIPIENT_NOT_HOME"),
    (("ADDRESS_ISSUE", "FORWARDED_TO_PARCEL_SHOP"), Phase.DELIVERY_FAILED, None),
    # At a shop or locker.
    (("READY_FOR_COLLECTION_AT_LOCKER", "COLLECTION_REMINDER"), Phase.COLLECT, 0),
    (("READY_FOR_COLLECTION_AT_PARCEL_SHOP", "SORTED"), Phase.COLLECT, 0),
    # Delivered: how, and of repeated ends the first that says how.
    (("DELIVERED_TO_NEIGHBOUR",), Phase.DELIVERED, "DELIVERED_TO_NEIGHBOUR"),
    (("DELIVERED_TO_NEIGHBOUR", "PROOF_OF_DELIVERY_AVAILABLE"), Phase.DELIVERED, 0),
    (("DELIVERED_TO_NEIGHBOUR", "OUT_FOR_DELIVERY"), Phase.DELIVERED, 0),
    (("DELIVERED_TO_NEIGHBOUR", "SUCCESSFULLY_DELIVERED"), Phase.DELIVERED, 0),
    (("DELIVERED_TO_NEIGHBOUR", "DUTIES_UNPAID"), Phase.DELIVERED, 0),
    (("SUCCESSFULLY_DELIVERED", "DELIVERED_TO_NEIGHBOUR"), Phase.DELIVERED, None),
    (("SUCCESSFULLY_DELIVERED", "DELIVERED_DAMAGED"), Phase.DELIVERED, 0),
    (("DELIVERED_DAMAGED",), Phase.DELIVERED, "DELIVERED_DAMAGED"),
    # Back to the shop: why, as no name of the way to the customer would be true.
    (("REFUSED", "SORTED"), Phase.RETURN_TRANSIT, "REFUSED"),
    (("REFUSED", "OUT_FOR_DELIVERY"), Phase.RETURN_TRANSIT, "REFUSED"),
    (("NOT_COLLECTED", "HELD_BY_CUSTOMS"), Phase.RETURN_TRANSIT, "HELD_BY_CUSTOMS"),
    (("REFUSED", "HELD_BY_CUSTOMS", "SORTED"), Phase.RETURN_TRANSIT, "RETURN_IN_TRANSIT"),
    (("REFUSED", "SUCCESSFULLY_DELIVERED"), Phase.RETURNED, "RETURNED_TO_SENDER"),
    (("REFUSED", "DELIVERED_TO_NEIGHBOUR"), Phase.DELIVERED, "DELIVERED_TO_NEIGHBOUR"),
    (("SORTED", "RETURNED_TO_SENDER"), Phase.RETURNED, "RETURNED_TO_SENDER"),
    # A return of a customer: the direction says that it goes back.
    (("RETURN_LABEL_CREATED",), Phase.RETURN_CREATED, "RETURN_LABEL_CREATED"),
    (("RETURN_LABEL_CREATED", "DROPPED_OFF"), Phase.RETURN_TRANSIT, "DROPPED_OFF"),
    (("RETURN_LABEL_CREATED", "DROPPED_OFF", "SORTED"), Phase.RETURN_TRANSIT, "SORTED"),
    (("RETURN_IN_TRANSIT", "SUCCESSFULLY_DELIVERED"), Phase.RETURN_RECEIVED, None),
    # The next leg has its own.
    (("DELIVERED_TO_NEIGHBOUR", "RETURN_LABEL_CREATED"), Phase.RETURN_CREATED, None),
    (("DELIVERED_TO_NEIGHBOUR", "RETURN_IN_TRANSIT"), Phase.RETURN_TRANSIT, None),
]
"""`None`: of the last scan, where there is one that has a name; 0: of the first scan."""


def expected_of(names, said):
    if said == 0:
        return names[0]
    return said or (names[-1] if names and is_told(names[-1]) else None)


def is_told(name):
    entry = entry_of(name)
    return entry.physical or entry.is_sub_status or name == "RETURN_LABEL_CREATED"


@pytest.mark.parametrize(("names", "phase", "said"), TABLE)
def test_sub_status_says_the_state_more_exactly_than_the_phase(names, phase, said):
    for each in permutations(machine(*names)):
        state = state_of(*each)
        assert (state.phase, state.sub_status) == (phase, expected_of(names, said))


@pytest.mark.parametrize(
    "name", [name for name, entry in CATALOGUE.items() if entry.physical or entry.is_sub_status]
)
def test_first_scan_of_a_parcel_is_its_sub_status(name):
    entry = entry_of(name)
    before = () if not entry.phase or entry.phase.startswith("order_") else ("SORTED",)
    if entry.is_return or entry.phase in FINISHED:
        before = ()

    assert state_of(*machine(*before, name)).sub_status == name


def test_draft_is_created():
    assert DRAFT.sub_status == "ORDER_CREATED"


def test_late_pick_up_leaves_it_and_a_later_scan_makes_it_one_of_the_next_leg():
    delivered = scan("DELIVERED_TO_NEIGHBOUR", NOON)
    picked_up = scan("PICKED_UP_BY_CARRIER", NOON + HOUR)
    sorted_ = scan("SORTED", NOON + 4 * HOUR)

    assert state_of(delivered, picked_up).sub_status == "DELIVERED_TO_NEIGHBOUR"
    assert state_of(delivered, picked_up, sorted_).sub_status == "SORTED"


def test_contradiction_leaves_it_and_the_next_delivery_sets_it():
    delivered = scan("DELIVERED_TO_NEIGHBOUR", NOON)
    contradiction = scan("OUT_FOR_DELIVERY", NOON + DAY)
    again = scan("DELIVERED_TO_LETTERBOX", NOON + DAY + HOUR)

    assert state_of(delivered, contradiction).flag is Flag.ERROR
    assert state_of(delivered, contradiction).sub_status == "DELIVERED_TO_NEIGHBOUR"
    assert state_of(delivered, contradiction, again).sub_status == "DELIVERED_TO_LETTERBOX"


def test_retraction_takes_it_back():
    scans = (
        scan("OUT_FOR_DELIVERY", NOON),
        scan("DELIVERED_TO_NEIGHBOUR", NOON + HOUR, scan_id="1"),
        scan("SCAN_RETRACTED", NOON + 2 * HOUR, retracts="1"),
    )

    for each in permutations(scans):
        assert state_of(*each).sub_status == "OUT_FOR_DELIVERY"


def test_code_without_an_event_name_leaves_it_and_says_its_reason_beside_it():
    held = Why(reason_code="customs_delay")
    unnamed = replace(scan("UNMAPPED", NOON + HOUR), why=held, flag=Flag.DELAY)
    state = state_of(scan("SORTED", NOON), unnamed)

    assert (state.sub_status, state.why, state.flag) == ("SORTED", held, Flag.DELAY)


def test_reason_that_the_carrier_says_makes_a_message_one_of_trouble():
    away = replace(
        scan("DELIVERY_SCHEDULED", NOON + HOUR), why=Why(reason_code="consignee_not_home")
    )

    assert state_of(scan("OUT_FOR_DELIVERY", NOON), away).sub_status == "DELIVERY_SCHEDULED"


HISTORIES = st.lists(
    st.builds(
        scan,
        st.sampled_from(sorted(CATALOGUE)),
        st.integers(0, 60).map(lambda hours: NOON + hours * HOUR),
        direction=st.sampled_from([None, None, None, *Direction]),
    ),
    max_size=10,
)


@given(HISTORIES)
def test_sub_status_agrees_with_the_phase(scans):
    state = replay({each.key: each for each in scans}.values(), LATER).state
    if state.sub_status is None:
        assert state.phase in (Phase.ORDER_PROCESSED, Phase.RETURN_CREATED)
        return
    entry = CATALOGUE[state.sub_status]
    assert is_told(entry.name)
    is_trouble = entry.flag != "none" or entry.why is not None
    if state.phase in FINISHED:
        assert entry.phase in FINISHED
    if state.direction is BACK:
        assert is_trouble or entry.phase in RETURNS or on_return(entry.phase) in RETURNS
    elif not is_trouble:
        assert (entry.phase in RETURNS) is (state.phase in RETURNS)
