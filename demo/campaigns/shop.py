"""Shops with campaigns as a script, and the truth of it: `campaign_play(seed)`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from demo.campaigns.book import Book, book_of
from demo.campaigns.choice import final_choice, placement_choice
from demo.campaigns.commands import BookMaker
from demo.campaigns.credit import credit_of
from demo.campaigns.lumen import say_everything
from demo.campaigns.order_story import OrderStory
from demo.campaigns.orders import Customers, browse
from demo.campaigns.pages import Pages
from demo.campaigns.performance import OrderTruth, ShopTruth, shop_truth
from demo.campaigns.said import Campaign, Discount, OrderFacts
from demo.expectation import Expectation
from demo.script import Script, ScriptMessage, in_time

OPENS_AT = datetime(2026, 3, 1, tzinfo=UTC)
LUMEN, UMBRA, PLAIN = "lumen", "umbra", "plain"


@dataclass(frozen=True, slots=True)
class CampaignTruth:
    """What must come of a script. `refusals` have the reason by `ce_id`."""

    orders: Mapping[str, OrderTruth]
    shops: Mapping[str, ShopTruth]
    refusals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CampaignPlay:
    """A script, what must come of it, and what before any parcel is attached."""

    script: Script
    truth: CampaignTruth
    truth_before_parcels: CampaignTruth

    def parts(self) -> tuple[Script, Script]:
        """The script without the commands that attach parcels, and these."""
        attaching = [each for each in self.script.messages if _attaches(each)]
        others = [each for each in self.script.messages if not _attaches(each)]
        name = self.script.name
        return (
            replace(self.script, name=f"{name} without parcels", messages=tuple(others)),
            replace(self.script, name=f"{name}, the parcels", messages=tuple(attaching)),
        )

    def again(self, script: Script) -> Script:
        """A part of it, then all of the part again that was not refused, byte for byte."""
        again = (*script.messages, *self.accepted(script))
        return replace(script, name=f"{script.name} twice", messages=again)

    def accepted(self, script: Script) -> tuple[ScriptMessage, ...]:
        """The messages of a part of it that are not refused."""
        refused = self.truth.refusals.keys()
        return tuple(each for each in script.messages if _id_of(each) not in refused)


@dataclass(frozen=True, slots=True)
class Shop:
    """All that one shop said, and what its pages reported."""

    name: str
    book: BookMaker
    orders: Sequence[OrderStory]
    pages: Pages

    @property
    def messages(self) -> list[ScriptMessage]:
        """All that it sent."""
        of_orders = [message for story in self.orders for message in story.messages]
        return [*self.book.messages, *self.pages.messages, *of_orders]

    def truths(self, *, parcels: bool) -> list[OrderTruth]:
        """What its orders must come to, with their parcels or without."""
        return order_truths(self.orders, self.book, parcels=parcels)


def campaign_play(seed: int, orders: int = 300) -> CampaignPlay:
    """A shop with all kinds of campaigns; beside it one with few of the same names, and one
    without any.
    """
    shops = [
        open_shop(seed, LUMEN, say_everything, orders, visits=orders // 2),
        open_shop(seed, UMBRA, _say_little, orders // 8, visits=orders // 20),
        open_shop(seed, PLAIN, lambda _: None, orders // 10, visits=orders // 20),
    ]
    messages = in_time(message for shop in shops for message in shop.messages)
    return CampaignPlay(
        Script(f"campaigns, seed {seed}", messages, Expectation({})),
        _truth(shops, parcels=True),
        _truth(shops, parcels=False),
    )


def open_shop(
    seed: int, name: str, say: Callable[[BookMaker], None], orders: int, *, visits: int
) -> Shop:
    """Let one shop say its campaigns, and its customers order and look at pages."""
    rng = random.Random(f"{seed} {name}")
    book = BookMaker(name, time_of)
    say(book)
    customers = Customers(name, rng, time_of)
    customers.order(orders)
    truths = order_truths(customers.stories, book, parcels=True)
    pages = Pages(name, rng, {each.facts.number: each.choice.campaign_id for each in truths})
    pages.open([*customers.visits, *browse(customers.stories, rng, visits)])
    return Shop(name, book, customers.stories, pages)


def order_truths(
    stories: Iterable[OrderStory], book: BookMaker, *, parcels: bool
) -> list[OrderTruth]:
    """What orders must come to, with their parcels or without.

    A link that led to an order of a shop without campaigns is not published: it is no contact yet.
    """
    known = book_of(book.sayings)
    facts = [story.facts if parcels else replace(story.facts, parcels=[]) for story in stories]
    if not known.sayings:
        facts = [replace(each, referrals=[]) for each in facts]
    return [truth_of(each, known) for each in facts]


def truth_of(facts: OrderFacts, book: Book) -> OrderTruth:
    """What one order must come to."""
    choice = final_choice(facts, book)
    credit = credit_of(facts, book, choice)
    return OrderTruth(facts, placement_choice(facts, book), choice, credit)


def _truth(shops: Sequence[Shop], *, parcels: bool) -> CampaignTruth:
    truths = {shop.name: shop.truths(parcels=parcels) for shop in shops}
    return CampaignTruth(
        orders={each.facts.key: each for of_shop in truths.values() for each in of_shop},
        shops={shop.name: shop_truth(truths[shop.name], shop.pages.activities) for shop in shops},
        refusals={id_: reason for shop in shops for id_, reason in shop.book.refusals.items()},
    )


def time_of(day: float) -> datetime:
    """The moment of a day, counted from the first."""
    return OPENS_AT + timedelta(days=day)


def _say_little(book: BookMaker) -> None:
    """Campaigns named as those of the other shop: each shop's own."""
    book.upsert(0, "spring-news", Campaign("Other spring", "newsletter", discount_id="spring-20"))
    book.upsert(0, "spring-20", Discount("spring20"))
    book.upsert(20, "everyone", Campaign("Everyone here"), since=0)


def _attaches(message: ScriptMessage) -> bool:
    return bool(json.loads(message.value or b"").get("trackings"))


def _id_of(message: ScriptMessage) -> str:
    return dict(message.headers)["ce_id"].decode()
