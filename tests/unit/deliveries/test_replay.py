"""A replay: what it selects, what is refused, and the order of what it sends."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliveries.domain.commands import Replay
from services.deliveries.domain.decide import REPLAYS_MAX, Outcome, decide
from services.deliveries.domain.destination import Destination, Secret, State, Target
from services.deliveries.domain.reasons import RejectionReason
from services.deliveries.domain.replay import Selection, StoredEvent, in_order
from services.deliveries.replaying.stages import kept_from

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ORDER = "5d2f8a0e-8f1c-5d9f-a0de-8a2f1a7b0c01"


def decided(selection, state=State.ACTIVE, replays=0):
    """The decision of a replay."""
    found = Destination(
        shop="demo",
        name="erp",
        target=Target("webhook", "https://hooks.shop.example/"),
        state=state,
        secret=Secret(b"secret"),
        id=7,
        replays=replays,
    )
    command = Replay(item_id="new", shop="demo", name="erp", selection=selection)
    return decide(found, command, 1, NOW)


@pytest.mark.parametrize(
    ("selection", "reason", "pointer"),
    [
        (Selection(), RejectionReason.NOTHING_SELECTED, ""),
        (Selection(sequence_from=1), RejectionReason.SELECTION_NOT_POSSIBLE, "/sequence_from"),
        (Selection(sequence_until=1), RejectionReason.SELECTION_NOT_POSSIBLE, "/sequence_until"),
        (
            Selection(order_id=ORDER, sequence_from=3, sequence_until=2),
            RejectionReason.SELECTION_NOT_POSSIBLE,
            "/sequence_until",
        ),
        (Selection(since=NOW, until=NOW), RejectionReason.SELECTION_NOT_POSSIBLE, "/until"),
    ],
    ids=["nothing", "from without order", "until without order", "sequences", "times"],
)
def test_replay_that_can_select_nothing_is_refused(selection, reason, pointer):
    decision = decided(selection)

    assert decision.outcome is Outcome.REJECTED
    assert (decision.reason, decision.pointer) == (reason, pointer)


def test_replay_is_counted_and_named_by_its_command():
    selection = Selection(order_id=ORDER)

    decision = decided(selection, replays=1)

    assert decision.outcome is Outcome.APPLIED
    assert decision.replay == selection
    assert decision.destination.replays == 2
    assert "replay new begins" in decision.detail


def test_replay_is_refused_while_too_many_have_not_ended():
    decision = decided(Selection(only_failed=True), replays=REPLAYS_MAX)

    assert decision.reason == RejectionReason.TOO_MANY_REPLAYS


@pytest.mark.parametrize("state", [State.PAUSED, State.DISABLED])
def test_replay_of_a_destination_that_gets_nothing_now_is_taken(state):
    assert decided(Selection(only_failed=True), state).outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(order_id=ORDER), True),
        (Selection(order_id="another"), False),
        (Selection(since=NOW), True),
        (Selection(since=NOW + timedelta(seconds=1)), False),
        (Selection(until=NOW), False),
        (Selection(until=NOW + timedelta(seconds=1)), True),
        (Selection(order_id=ORDER, sequence_from=5, sequence_until=5), True),
        (Selection(order_id=ORDER, sequence_from=6), False),
        (Selection(order_id=ORDER, sequence_until=4), False),
    ],
    ids=lambda value: str(value) if isinstance(value, bool) else "selection",
)
def test_selection_takes_what_meets_all_of_it(selection, expected):
    assert selection.takes(ORDER, 5, NOW) is expected


def an_event(topic, sequence, version, seconds=0):
    """A stored event."""
    taken_in = NOW + timedelta(seconds=seconds)
    return StoredEvent(f"{topic}/{sequence}", 1, ORDER, topic, sequence, version, taken_in, 10)


def test_events_of_two_topics_are_sent_by_the_version_of_the_order():
    found = [
        an_event("shipments.events", 2, 4),
        an_event("orders.events", 1, 1),
        an_event("orders.events", 2, 3),
        an_event("shipments.events", 1, 2),
    ]

    assert [each.order_version for each in in_order(found)] == [1, 2, 3, 4]


def test_events_without_a_version_are_sent_by_when_they_were_taken_in():
    found = [
        an_event("claims.events", 1, None, seconds=5),
        an_event("orders.events", 1, 1, seconds=0),
        an_event("orders.events", 2, 2, seconds=9),
    ]

    assert [each.event_id for each in in_order(found)] == [
        "orders.events/1",
        "claims.events/1",
        "orders.events/2",
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["orders.events", "shipments.events", "claims.events"]),
            st.integers(1, 20),
            st.none() | st.integers(1, 40),
            st.integers(0, 5),
        ),
        unique_by=lambda each: each[:2],
    )
)
def test_events_of_a_topic_are_sent_by_sequence_whatever_else_is_said(rows):
    ordered = in_order([an_event(*row) for row in rows])

    assert sorted(each.event_id for each in ordered) == sorted(f"{t}/{n}" for t, n, *_ in rows)
    for topic in {each.topic for each in ordered}:
        sequences = [each.sequence for each in ordered if each.topic == topic]
        assert sequences == sorted(sequences)


@pytest.mark.parametrize(
    ("kept_minutes_before", "expected_minutes_before"), [(60, 5), (5, 5), (1, 1), (0, 0)]
)
def test_replay_by_time_looks_at_events_that_were_taken_in_by_a_slower_clock(
    kept_minutes_before, expected_minutes_before
):
    found = kept_from(NOW, NOW - timedelta(minutes=kept_minutes_before))

    assert found == NOW - timedelta(minutes=expected_minutes_before)
