"""Commands that come again, or older than what is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import Address
from services.orders.domain.model.reasons import Reason
from services.orders.domain.value import replace
from tests.unit.orders.builders import (
    DAY,
    NOON,
    Desk,
    fields,
    item,
    place,
    ref,
    update,
    upsert,
)


def test_item_sent_again_changes_nothing():
    desk = Desk()
    command = place()
    desk.send(command)
    before = desk.order()

    decision = desk.send(command)

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.DUPLICATE)
    assert decision.order_id == before.order_id
    assert desk.order() == before


def test_repeat_of_a_stale_item_stays_without_effect_when_the_order_takes_on_a_version():
    desk = Desk()
    desk.send(place(sent=item(updated_at=NOON)))
    old = update(address=Address(zip_code="old"), source_version=5, updated_at=NOON - DAY)
    assert desk.send(old).reason is Reason.STALE
    desk.send(update(address=Address(zip_code="new"), source_version=3, updated_at=NOON))

    assert desk.send(old).reason is Reason.DUPLICATE
    assert desk.order().placement.address.zip_code == "new"


def test_repeat_of_a_refused_item_is_decided_again():
    desk = Desk()
    desk.send(place())
    other = place(email_id="ada@example.org")
    assert desk.send(other).reason is Reason.ORDER_EXISTS

    desk.send(upsert(ref(), fields(email_id="ada@example.org")))

    assert desk.send(other).reason is Reason.NO_DIFFERENCE


@pytest.mark.parametrize(
    ("held", "sent", "reason"),
    [
        ({"source_version": 5}, {"source_version": 4}, Reason.STALE),
        ({"source_version": 5}, {"source_version": 5}, None),
        ({"source_version": 5}, {"source_version": 6}, None),
        ({"updated_at": NOON}, {"updated_at": NOON - timedelta(seconds=1)}, Reason.STALE),
        ({"updated_at": NOON}, {"updated_at": NOON}, None),
        ({"source_version": 5}, {"updated_at": NOON - DAY}, None),
        ({"source_version": 5}, {}, None),
        ({}, {"source_version": 0}, None),
        # The version decides when both have one, whatever the clocks say.
        (
            {"source_version": 5, "updated_at": NOON},
            {"source_version": 6, "updated_at": NOON - DAY},
            None,
        ),
        (
            {"source_version": 5, "updated_at": NOON},
            {"source_version": 4, "updated_at": NOON + DAY},
            Reason.STALE,
        ),
    ],
)
def test_older_news_of_an_order_is_stale(held, sent, reason):
    desk = Desk()
    desk.send(place(sent=item(**held)))
    before = desk.order()

    decision = desk.send(update(address=Address(zip_code="9"), **sent))

    assert decision.reason is reason
    assert decision.outcome is (Outcome.NO_CHANGE if reason else Outcome.APPLIED)
    if reason:
        assert replace(desk.order(), applied=before.applied) == before


def test_guards_never_go_back():
    desk = Desk()
    desk.send(place(sent=item(source_version=5, updated_at=NOON)))

    desk.send(update(address=Address(zip_code="9"), source_version=6, updated_at=NOON - DAY))

    assert desk.order().source_version == 6
    assert desk.order().updated_at == NOON


def test_item_without_a_difference_is_remembered_with_its_version_and_without_a_step():
    desk = Desk()
    desk.send(place(sent=item(source_version=1)))
    before = desk.order()

    decision = desk.send(upsert(ref(), fields(), source_version=7))

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.NO_DIFFERENCE)
    assert desk.order().source_version == 7
    assert desk.order().version == before.version
    assert len(desk.order().applied) == 2
