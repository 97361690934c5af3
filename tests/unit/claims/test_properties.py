"""Properties of all sequences of commands and events."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from services.claims.domain.claim import ClaimReason, Status
from services.claims.domain.decide import decide
from services.claims.domain.decision import Outcome
from services.claims.domain.goods import contents, quantities
from services.claims.domain.order_copy import newest_copies
from tests.unit.claims.builders import (
    LATER,
    MUG,
    a_shipment,
    a_state,
    a_withdrawal,
    an_opening,
    an_order,
    an_update,
    items,
)

ORDER = an_order(a_shipment(1), a_shipment(2, products=(MUG,)))
SELECTIONS = [(), items(MUG_BLUE=1), items(MUG_BLUE=2, TEE_M=1), items(TEE_M=2), items(MUG_BLUE=9)]

openings = st.builds(
    lambda name, number, reason, selected: an_opening(
        name, tracking_number=f"1Z-00{number}", reason=reason, selected_items=selected
    ),
    st.integers(0, 9),
    st.integers(1, 2),
    st.sampled_from(ClaimReason),
    st.sampled_from(SELECTIONS),
)
changes = st.tuples(st.integers(0, 30), st.sampled_from([*Status, None]), st.integers(0, 5))


def command_for(state, step):
    """An opening unchanged; a change (status None: a withdrawal) for one of the claims."""
    if not isinstance(step, tuple):
        return step
    name, status, which = step
    known = list(state.claims)
    if not known:
        return an_opening(name)
    target = known[which % len(known)]
    if status is None:
        return a_withdrawal(("w", name), claim_id=target)
    return an_update(("u", name), claim_id=target, status=status, reason_for_change="x")


@settings(max_examples=300)
@given(st.lists(openings | changes, max_size=25))
def test_claims_never_hold_more_than_was_shipped(steps):
    state = a_state(order=ORDER)
    for step in steps:
        state = state.after(decide(state, command_for(state, step), LATER))
        assert_within_shipped(state)


def assert_within_shipped(state):
    held, held_by_parcel = Counter(), Counter()
    for claim in state.claims.values():
        for goods in claim.holds if claim.is_holding else ():
            held[goods.product] += goods.quantity
            held_by_parcel[claim.shipment.shipment_id, goods.product] += goods.quantity
    assert held <= quantities(state.order.products)
    for shipment in state.order.shipments:
        shipped = quantities(contents(state.order, shipment))
        for (parcel, key), count in held_by_parcel.items():
            assert parcel != shipment.shipment_id or count <= shipped[key]


@given(st.lists(openings | changes, max_size=20))
def test_repeated_command_changes_nothing(steps):
    state = a_state(order=ORDER)
    for step in steps:
        command = command_for(state, step)
        decision = decide(state, command, LATER)
        state = state.after(decision)
        if decision.outcome is not Outcome.REJECTED:
            again = decide(state, command, LATER)
            assert again.outcome is Outcome.NO_CHANGE
            assert state.after(again) == state


@given(st.lists(openings | changes, max_size=20))
def test_events_are_numbered_without_gaps(steps):
    state, numbers = a_state(order=ORDER), []
    for step in steps:
        decision = decide(state, command_for(state, step), LATER)
        state = state.after(decision)
        if decision.event:
            numbers.append(decision.event.sequence)
    assert numbers == list(range(1, len(numbers) + 1))
    assert state.sequence == len(numbers)


@given(st.permutations(range(1, 7)), st.lists(st.integers(1, 6)))
def test_newest_copies_are_the_same_for_any_order_and_repetition(order, repeated):
    copies = [an_order(version=version, status=f"s{version}") for version in [*repeated, *order]]

    assert newest_copies(copies) == {ORDER.order_id: an_order(version=6, status="s6")}
