"""Any order and repetition of a set of events adds up to the same facts."""

from decimal import Decimal
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import order_id
from services.analytics.domain.folding import Facts, fold, merge
from services.analytics.messages import read_news
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


def news_of(*events):
    return [read_news(a_record(event)) for event in events]


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
def test_shuffled_and_repeated_events_add_up_to_the_same_facts(drawn):
    events, shuffled = drawn

    assert fold(news_of(*shuffled, *events, *shuffled[:3])) == fold(news_of(*events))


@given(
    histories().flatmap(
        lambda events: st.tuples(
            st.permutations(events), st.lists(st.integers(0, 3), min_size=20, max_size=20)
        )
    )
)
def test_batches_cut_anywhere_and_merged_add_up_to_the_same_facts(drawn):
    events, places = drawn
    batches = [[], [], [], []]
    for event, place in zip(events, places * 2, strict=False):
        batches[place].append(event)
    folded = [fold(news_of(*batch)) for batch in batches]

    assert reduce(merge, [*folded, *folded], Facts()) == fold(news_of(*events))


@given(histories().flatmap(lambda events: st.tuples(st.just(events), subsets(events))))
def test_snapshots_and_any_of_what_came_before_and_after_add_up_to_the_same_facts(drawn):
    events, (tail, again) = drawn
    snapshots = list(snapshots_of(events))

    rebuilt = fold(news_of(*tail, *snapshots, *again, *snapshots))

    assert rebuilt == fold(news_of(*events, *snapshots))
    if not any(event["context_truncated"] for event in events):
        assert rebuilt == fold(news_of(*events))


def subsets(events):
    """Two of them, in any order: what is read before a snapshot and after it."""
    some = st.lists(st.sampled_from(events), max_size=len(events))
    return st.tuples(some, some)


def snapshots_of(events):
    """One of each order, as it stands in the end."""
    for number in ("1001", "1002"):
        own = [event for event in events if event["order_id"] == str(order_id(SHOP, number))]
        claims = [event for event in own if event["source"] == "claims"]
        told = [event for event in own if event["source"] != "claims"]
        yield a_snapshot(whole(max(told, key=lambda event: event["order_version"])), claims)


def whole(event):
    """As it is told when nothing is cut: alone, an order has more room than among hundreds."""
    if not event["context_truncated"]:
        return event
    order = event["context"]["order"] | {"sub_total_price": "9"}
    context = event["context"] | {"order": order}
    return event | {"context_truncated": False, "context": context}


def test_a_claim_that_its_snapshot_is_behind_stays_as_it_was_told_last():
    events = [a_claim_event(sequence=n, status=status) for n, status in ((1, "pending"), (2, "x"))]
    snapshot = a_snapshot(an_order_event(), events[:1])

    for told in ([*events, snapshot], [snapshot, *events], [events[1], snapshot]):
        (claim,) = fold(news_of(*told)).claims.values()
        assert (claim.version, claim.status) == (2, "x")


def test_a_parcel_whose_number_moved_to_another_order_is_gone():
    before = an_order_event(version=1, parcels=[a_parcel()])
    released = an_order_event(version=2, parcels=[a_parcel(draft=True, tracking_number=None)])

    facts = fold(news_of(released, before))

    assert facts.parcels == {}


def test_a_snapshot_cut_for_size_takes_no_parcel_away():
    whole = an_order_event(version=1, parcels=[a_parcel(), a_parcel(ordinal=2)])
    cut = an_order_event(
        version=2, parcels=[a_parcel(**ARRIVED)], truncated=True, expected_number_of_shipments=2
    )

    facts = fold(news_of(cut, whole))

    assert {id_: parcel.version for id_, parcel in facts.parcels.items()} == {
        parcel_id("1001", 1): 2,
        parcel_id("1001", 2): 1,
    }


def test_a_snapshot_cut_for_size_takes_no_value_away():
    lines = [{"sku": "A", "quantity": 2, "price": "5.00"}]
    whole = an_order_event(version=1, sub_total_price=None, products=lines)
    cut = an_order_event(version=2, sub_total_price=None, products=[], truncated=True)

    for told in ([whole, cut], [cut, whole], [whole, cut, cut, whole]):
        (order,) = fold(news_of(*told)).orders.values()
        assert (order.version, order.item_value, order.value_version) == (2, Decimal("10.0000"), 1)


def test_a_whole_snapshot_without_prices_has_no_value_any_more():
    priced = an_order_event(version=1)
    unpriced = an_order_event(version=2, sub_total_price=None, products=[{"sku": "A"}])

    (order,) = fold(news_of(unpriced, priced)).orders.values()

    assert (order.item_value, order.value_version) == (None, 2)


def test_a_late_event_changes_nothing():
    newer = an_order_event(version=2, status="cancelled", cancelled_at="2026-03-02T00:00:00Z")
    older = an_order_event(version=1)

    facts = fold(news_of(newer, older))

    assert facts.orders[str(order_id(SHOP, "1001"))].status == "cancelled"
