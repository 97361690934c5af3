"""Choices, credits and events of campaigns after the database was put back to an earlier time.

What was published is read from the records themselves, as `orderflow recall` reads it. Then the
same commands are decided again, in any order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.decide import decide
from services.orders.domain.model.commands import ChangeCampaigns, Command
from services.orders.domain.model.decision import (
    CampaignSelectedData,
    Decision,
    Event,
    Outcome,
    World,
)
from services.orders.domain.model.order import Order
from services.orders.domain.model.published import Published, PublishedOfShop, raised
from services.orders.domain.value import replace
from services.orders.messages import encode, snapshot
from services.orders.messages.campaign_events import campaign_record
from services.orders.operations.recall import PublishedSince, ShopPublishedSince
from tests.contract.test_campaigns_page import ADD_UP
from tests.unit.orders.builders import DAY, NOON, SHOP, Desk
from tests.unit.orders.test_campaign_properties import only, plays, results, taken_in_both

EVENT_BYTES = 1_000_000


@dataclass
class Restored(Desk):
    """A desk that was put back, with what was published since."""

    published: dict[str, Published] = field(default_factory=dict)
    published_of_shops: dict[str, PublishedOfShop] = field(default_factory=dict)

    def send(self, command: Command) -> Decision:
        """Decide a command as the service does after `orderflow recall`, and apply it."""
        decision = decide(self.seen_by(command), command, self.now)
        self.apply(decision)
        return decision

    def seen_by(self, command: Command) -> World:
        """The same with what was published."""
        world = super().seen_by(command)
        return replace(
            world,
            orders=self.read(world.orders),
            published=self.published,
            published_of_shops=self.published_of_shops,
        )

    def read(self, orders: Mapping[str, Order]) -> dict[str, Order]:
        """Orders as the service reads their rows."""
        return {id_: raised(each, self.published.get(id_)) for id_, each in orders.items()}


def record_of(event: Event, desk: Desk) -> tuple[str, dict[str, Any]]:
    """Topic and body of an event, as it is published."""
    whole = snapshot.encode(desk.orders[event.order_id], EVENT_BYTES)
    record = encode.event_record(event, whole, None)
    return record.topic, json.loads(record.value or b"")


def put_back(backup: Desk, desk: Desk) -> Restored:
    """The desk of the backup, with what the other one published since."""
    restored = Restored(**vars(backup.copy()))
    since: dict[str, PublishedSince] = defaultdict(lambda: PublishedSince(SHOP))
    for event in desk.events[len(backup.events) :]:
        since[event.order_id].add(*record_of(event, desk))
    restored.published = {
        id_: msgspec.json.decode(each.as_json(), type=Published) for id_, each in since.items()
    }
    of_shop = ShopPublishedSince()
    for change in desk.campaign_events[len(backup.campaign_events) :]:
        of_shop.add(json.loads(campaign_record(change).value or b""))
    if of_shop.events:
        restored.published_of_shops[SHOP] = PublishedOfShop(
            sequence=of_shop.sequence, events=frozenset(of_shop.events)
        )
    return restored


def play(desk: Desk, commands: Sequence[Command]) -> list[Command]:
    """Send commands, those that wait again and again; returns those that wait in the end."""
    waiting = list(commands)
    while True:
        left = [each for each in waiting if desk.send(each).outcome is Outcome.WAITING]
        if len(left) == len(waiting):
            desk.review()
            return left
        waiting = left


@given(plays(), st.data())
def test_choices_and_credits_after_a_restore_are_those_before_it(play_of, data):
    """And subscribers that add and subtract have them, whatever they were published before."""
    sent, come = play_of
    come = only(come, taken_in_both(sent, come))
    cut = data.draw(st.integers(0, len(come)))
    middle = data.draw(st.integers(cut, len(come)))
    desk = Desk(now=NOON + DAY)
    left = play(desk, come[:cut])
    backup = desk.copy()
    rest = play(desk, [*left, *come[cut:middle]])
    play(desk, [*rest, *come[middle:]])

    restored = put_back(backup, desk)
    play(restored, by_shop([*left, *come[cut:]], data))
    restored.orders = restored.read(restored.orders)

    assert results(restored) == results(desk)
    again = restored.events[len(backup.events) :]
    published = [*desk.events, *again]
    assert len({event.event_id for event in published}) == len(published)
    check_sums(published, restored)
    check_choices(published, restored)
    check_numbers(desk, backup, restored)


def by_shop(commands: list[Command], data: Any) -> list[Command]:
    """The commands as they come again: those of campaigns keep their order."""
    mixed = data.draw(st.permutations(commands))
    changes = iter([each for each in commands if isinstance(each, ChangeCampaigns)])
    return [next(changes) if isinstance(each, ChangeCampaigns) else each for each in mixed]


def check_sums(published: Sequence[Event], desk: Desk) -> None:
    """The function of the page ends with the credits of the orders."""
    versions: dict[str, int] = {}
    sums: dict[tuple[str, str], Decimal] = {}
    for event in published:
        _, body = record_of(event, desk)
        if "attribution_version" in body["event_data"]:
            ADD_UP(body, versions, sums)
    expected: dict[tuple[str, str], Decimal] = {}
    for order in desk.orders.values():
        if order.attribution is not None and (credit := order.attribution.credit) is not None:
            key = credit.campaign_id, credit.currency
            expected[key] = expected.get(key, Decimal(0)) + credit.revenue
    assert {k: v for k, v in sums.items() if v} == {k: v for k, v in expected.items() if v}


def check_choices(published: Sequence[Event], desk: Desk) -> None:
    """Each event says the choice of the one before as the previous one; the last is the order's."""
    last: dict[str, Any] = {}
    for event in published:
        if isinstance(event.data, CampaignSelectedData):
            if event.order_id in last:
                assert campaign_in(event.data.previous_campaign) == last[event.order_id]
            last[event.order_id] = campaign_in(event.data.campaign)
    for order_id, chosen in last.items():
        assert campaign_in(desk.orders[order_id].campaign) == chosen


def campaign_in(choice: Any) -> Any:
    return choice and (choice.campaign_id, choice.campaign_version, choice.discount_id)


def check_numbers(desk: Desk, backup: Desk, restored: Restored) -> None:
    """The shop's events have the next numbers, and none is published again."""
    again = restored.campaign_events[len(backup.campaign_events) :]
    published = [*desk.campaign_events, *again]
    assert [each.sequence for each in published] == list(range(1, len(published) + 1))
    assert len({each.event_id for each in published}) == len(published)
