"""The newest facts of a set of events do not depend on their order or repetition."""

from decimal import Decimal
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import order_id
from services.analytics.domain.decide import Facts, merge, newest_facts
from services.analytics.messages.decode import read_facts
from tests.unit.analytics.builders import (
    SHOP,
    a_claim_event,
    a_parcel,
    a_record,
    a_snapshot,
    an_order_event,
    delivered,
    parcel_id,
)

ARRIVED = delivered("2026-03-02T08:00:00Z", "2026-03-04T10:00:00Z")


def facts_of(*events):
    return [read_facts(a_record(event)) for event in events]


def histories():
    """Events of two orders in any of their states, versions without gaps, and claims."""
    parcel_sets = st.lists(
        st.sampled_from([1, 2, 3]).flatmap(
            lambda ordinal: st.sampled_from([{}, ARRIVED, {"draft": True}]).map(
                lambda changes: (ordinal, changes)
            )
        ),
        max_size=3,
        unique_by=lambda parcel: parcel[0],
    )
    states = st.lists(st.tuples(parcel_sets, st.booleans()), min_size=1, max_size=6)
    orders = st.fixed_dictionaries({"1001": states, "1002": states})
    claims = st.lists(st.sampled_from(["pending", "accepted", "closed"]), max_size=4)
    return st.tuples(orders, claims).map(lambda drawn: [*events_of(*drawn)])


def events_of(orders, claims):
    for number, states in orders.items():
        for version, (parcels, truncated) in enumerate(states, 1):
            listed = [a_parcel(number, ordinal, **changes) for ordinal, changes in parcels]
            yield an_order_event(
                number,
                version,
                listed,
                truncated=truncated,
                expected_number_of_shipments=4,
                sub_total_price=None if truncated else str(version),
            )
    for sequence, status in enumerate(claims, 1):
        yield a_claim_event(sequence=sequence, status=status)


@given(histories().flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))))
def test_newest_facts_are_the_same_for_shuffled_and_repeated_events(drawn):
    events, shuffled = drawn

    assert newest_facts(facts_of(*shuffled, *events, *shuffled[:3])) == newest_facts(
        facts_of(*events)
    )


@given(
    histories().flatmap(
        lambda events: st.tuples(
            st.permutations(events), st.lists(st.integers(0, 3), min_size=20, max_size=20)
        )
    )
)
def test_newest_facts_are_the_same_for_any_batches_merged(drawn):
    events, places = drawn
    batches = [[], [], [], []]
    for event, place in zip(events, places * 2, strict=False):
        batches[place].append(event)
    folded = [newest_facts(facts_of(*batch)) for batch in batches]

    assert reduce(merge, [*folded, *folded], Facts()) == newest_facts(facts_of(*events))


@given(histories().flatmap(lambda events: st.tuples(st.just(events), subsets(events))))
def test_newest_facts_are_the_same_from_snapshots_and_any_other_events(drawn):
    events, (tail, again) = drawn
    snapshots = list(snapshots_of(events))

    rebuilt = newest_facts(facts_of(*tail, *snapshots, *again, *snapshots))

    assert rebuilt == newest_facts(facts_of(*events, *snapshots))
    if not any(event["context_truncated"] for event in events):
        assert rebuilt == newest_facts(facts_of(*events))


def subsets(events):
    """Two selections of the events, in any order: read before the snapshot and after it."""
    some = st.lists(st.sampled_from(events), max_size=len(events))
    return st.tuples(some, some)


def snapshots_of(events):
    """One snapshot of each order after all events."""
    for number in ("1001", "1002"):
        own = [event for event in events if event["order_id"] == str(order_id(SHOP, number))]
        claims = [event for event in own if event["source"] == "claims"]
        others = [event for event in own if event["source"] != "claims"]
        yield a_snapshot(whole(max(others, key=lambda event: event["order_version"])), claims)


def whole(event):
    """The event without the cut: a snapshot of one order has more room than a batch of events."""
    if not event["context_truncated"]:
        return event
    order = event["context"]["order"] | {"sub_total_price": "9"}
    context = event["context"] | {"order": order}
    return event | {"context_truncated": False, "context": context}


def test_claim_fact_newer_than_the_snapshot_stays():
    events = [a_claim_event(sequence=n, status=status) for n, status in ((1, "pending"), (2, "x"))]
    snapshot = a_snapshot(an_order_event(), events[:1])

    for events_read in ([*events, snapshot], [snapshot, *events], [events[1], snapshot]):
        (claim,) = newest_facts(facts_of(*events_read)).claims.values()
        assert (claim.version, claim.status) == (2, "x")


def test_parcel_whose_number_moved_to_another_order_is_removed():
    before = an_order_event(version=1, parcels=[a_parcel()])
    released = an_order_event(version=2, parcels=[a_parcel(draft=True, tracking_number=None)])

    facts = newest_facts(facts_of(released, before))

    assert facts.parcels == {}


def test_event_cut_for_size_removes_no_parcel():
    whole = an_order_event(version=1, parcels=[a_parcel(), a_parcel(ordinal=2)])
    cut = an_order_event(
        version=2, parcels=[a_parcel(**ARRIVED)], truncated=True, expected_number_of_shipments=2
    )

    facts = newest_facts(facts_of(cut, whole))

    assert {id_: parcel.version for id_, parcel in facts.parcels.items()} == {
        parcel_id("1001", 1): 2,
        parcel_id("1001", 2): 1,
    }


def test_event_cut_for_size_removes_no_item_value():
    lines = [{"sku": "A", "quantity": 2, "price": "5.00"}]
    whole = an_order_event(version=1, sub_total_price=None, products=lines)
    cut = an_order_event(version=2, sub_total_price=None, products=[], truncated=True)

    for events_read in ([whole, cut], [cut, whole], [whole, cut, cut, whole]):
        (order,) = newest_facts(facts_of(*events_read)).orders.values()
        assert (order.version, order.item_value, order.value_version) == (2, Decimal("10.0000"), 1)


def test_event_without_prices_removes_the_item_value():
    priced = an_order_event(version=1)
    unpriced = an_order_event(version=2, sub_total_price=None, products=[{"sku": "A"}])

    (order,) = newest_facts(facts_of(unpriced, priced)).orders.values()

    assert (order.item_value, order.value_version) == (None, 2)


def test_late_event_changes_nothing():
    newer = an_order_event(version=2, status="cancelled", cancelled_at="2026-03-02T00:00:00Z")
    older = an_order_event(version=1)

    facts = newest_facts(facts_of(newer, older))

    assert facts.orders[str(order_id(SHOP, "1001"))].status == "cancelled"
