"""Deciding again what was published before a restore: no number or fact twice, nothing lost."""

from __future__ import annotations

import itertools

import pytest

from services.orders.domain.decide import decide
from services.orders.domain.model.commands import Command, RecordClaim
from services.orders.domain.model.decision import Event, Outcome, Topic
from services.orders.domain.model.ids import digest_of, order_id_of
from services.orders.domain.model.order import Address, ClaimCopy
from services.orders.domain.model.published import Erased, Published, raised
from services.orders.domain.model.reasons import Reason
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    HOUR,
    NOON,
    SHOP,
    Desk,
    attach,
    cancel,
    fields,
    item,
    place,
    ref,
    report,
    scan,
    update,
    upsert,
)

ID = order_id_of(SHOP, "1")
FIRST = [place(), attach("N1")]
LOST = [
    report(scan("PICKED_UP_BY_CARRIER", NOON)),
    report(scan("SUCCESSFULLY_DELIVERED", NOON + HOUR)),
    update(address=Address(zip_code="2")),
]


def published_of(events: list[Event]) -> Published:
    """What the topics have of the order."""
    numbers = {
        topic: max((e.sequence for e in events if e.topic is topic), default=0) for topic in Topic
    }
    return Published(
        order_sequence=numbers[Topic.ORDERS],
        shipment_sequence=numbers[Topic.SHIPMENTS],
        version=max(event.order_version for event in events),
        events=frozenset(digest_of(event.event_id) for event in events),
    )


def a_life() -> tuple[Desk, Desk, Published]:
    """A desk, an earlier copy of it as a restore makes it, and what was published in between."""
    live = Desk()
    for command in FIRST:
        live.send(command)
    restored = live.copy()
    for command in LOST:
        live.send(command)
    return live, restored, published_of(live.events[len(restored.events) :])


def again(desk: Desk, known: Published, *commands: Command) -> list[Event]:
    """Decide commands on a restored desk, as the service does; returns the new events."""
    events: list[Event] = []
    for command in commands:
        desk.orders = {id_: raised(order, known) for id_, order in desk.orders.items()}
        decision = decide(replace(desk.seen_by(command), published={ID: known}), command, desk.now)
        assert decision.outcome is Outcome.APPLIED
        desk.orders |= {order.order_id: order for order in decision.orders}
        desk.parcels |= {parcel.number: parcel for parcel in decision.parcels}
        desk.references |= dict(decision.references)
        events += decision.events
    return events


def _states(order):
    """Its shipments without what was notified, which depends on the order of arrival."""
    return [replace(each, notices=None) for each in order.shipments]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_published_facts_are_not_published_again_in_whatever_order_they_come(order):
    live, restored, known = a_life()

    events = again(restored, known, *(LOST[position] for position in order))

    was, now = live.order(), restored.order()
    assert events == []
    assert now.version > was.version
    assert (now.order_sequence, now.shipment_sequence) == (
        was.order_sequence,
        was.shipment_sequence,
    )
    assert (now.placement, _states(now)) == (was.placement, _states(was))


def test_order_that_is_not_there_any_more_is_placed_silently():
    live, _, _ = a_life()
    known = published_of(live.events)
    empty = Desk()

    assert again(empty, known, *FIRST, *LOST) == []

    assert empty.order().version > live.order().version
    assert empty.order().order_sequence == live.order().order_sequence


def test_fact_that_was_not_published_takes_the_next_number():
    live, restored, known = a_life()
    news = update(address=Address(zip_code="3"))

    # It comes first now: what was published under the next version was another state.
    (event, *others) = again(restored, known, news, *LOST[:2])

    assert others == []
    assert event.sequence == live.order().order_sequence + 1
    assert event.order_version == live.order().version + 2
    assert restored.order().version == event.order_version + 3


def test_order_of_which_nothing_comes_again_is_above_the_published_version():
    live, restored, known = a_life()

    order = raised(restored.order(), known)

    assert order.version == live.order().version + 1
    assert raised(order, known) == order


def a_claim() -> RecordClaim:
    copy = ClaimCopy(claim_id=ID, sequence=1, status="pending")
    return RecordClaim(**item(), shop=SHOP, order_id=ID, claim=copy)


ERASED = Published(
    order_sequence=3, shipment_sequence=2, version=5, erased=Erased(shop=SHOP, at=NOON)
)


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (place(), Outcome.REJECTED),
        (upsert(order=fields()), Outcome.REJECTED),
        (attach("N1"), Outcome.REJECTED),
        (cancel(ref(ID, "uuid")), Outcome.REJECTED),
        (a_claim(), Outcome.NO_CHANGE),
    ],
    ids=["place", "upsert", "attach", "cancel-by-uuid", "claim-event"],
)
def test_item_about_an_erased_order_makes_no_order(command: Command, outcome: Outcome) -> None:
    world = replace(Desk().seen_by(command), published={ID: ERASED})

    decision = decide(world, command, NOON + HOUR)

    assert (decision.outcome, decision.reason) == (outcome, Reason.ORDER_ERASED)
    assert (decision.orders, decision.events) == ((), ())


def test_item_of_another_shop_about_an_erased_order_waits_as_for_an_unknown_one() -> None:
    command = cancel(ref(ID, "uuid", shop="other"))
    world = replace(Desk().seen_by(command), published={ID: ERASED})

    decision = decide(world, command, NOON)

    assert (decision.outcome, decision.reason) == (Outcome.WAITING, Reason.ORDER_NOT_FOUND)
