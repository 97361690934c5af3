"""Commands that come again, or older than what is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.order import Address
from services.orders.domain.model.reasons import Reason
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


def test_repeat_is_known_after_63_others_and_by_its_version_after_that():
    desk = Desk()
    desk.send(place())
    old = upsert(ref(), fields(email_id="old@example.org"), source_version=1)
    desk.send(old)
    for number in range(63):
        desk.send(update(address=Address(zip_code=str(number)), source_version=2 + number))

    assert desk.send(old).reason is Reason.DUPLICATE

    desk.send(update(address=Address(zip_code="last"), source_version=99))

    assert desk.send(old).reason is Reason.STALE
    assert len(desk.order().applied) == 64


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
        assert desk.order() == before


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
