"""Shops with campaigns as a script, and the truth of it: `campaign_script(seed)`."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from demo.campaigns.book import Book, book_of
from demo.campaigns.choice import final_choice, placement_choice
from demo.campaigns.commands import BookMaker
from demo.campaigns.credit import credit_of
from demo.campaigns.lumen import say_everything
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


@dataclass(slots=True)
class Shops:
    """What all shops of a script send and must come to, while it is made."""

    seed: int
    messages: list[ScriptMessage] = field(default_factory=list)
    orders: dict[str, OrderTruth] = field(default_factory=dict)
    shops: dict[str, ShopTruth] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    def open(self, shop: str, say: Callable[[BookMaker], None], orders: int, visits: int) -> None:
        """Let one shop say its campaigns, and its customers order and look at pages."""
        rng = random.Random(f"{self.seed} {shop}")
        book = BookMaker(shop, time_of)
        say(book)
        customers = Customers(shop, rng, time_of)
        customers.order(orders)
        truths = [truth_of(story.facts, book_of(book.sayings)) for story in customers.stories]
        shown = {truth.facts.number: truth.choice.campaign_id for truth in truths}
        pages = Pages(shop, rng, shown)
        pages.open([*customers.visits, *browse(customers.stories, rng, visits)])
        self.messages += [*book.messages, *pages.messages]
        self.messages += [each for story in customers.stories for each in story.messages]
        self.orders |= {truth.facts.key: truth for truth in truths}
        self.shops[shop] = shop_truth(truths, pages.activities)
        self.refusals |= book.refusals


def campaign_script(seed: int, orders: int = 300) -> tuple[Script, CampaignTruth]:
    """A shop with all kinds of campaigns; beside it one with few of the same names, and one
    without any.
    """
    made = Shops(seed)
    made.open(LUMEN, say_everything, orders, visits=orders // 2)
    made.open(UMBRA, _say_little, orders // 8, visits=orders // 20)
    made.open(PLAIN, lambda _: None, orders // 10, visits=orders // 20)
    script = Script(f"campaigns, seed {seed}", in_time(made.messages), Expectation({}))
    return script, CampaignTruth(made.orders, made.shops, made.refusals)


def replayed(script: Script, truth: CampaignTruth) -> Script:
    """Everything, then everything again that was not refused, byte for byte."""
    accepted = [each for each in script.messages if _id_of(each) not in truth.refusals]
    again = (*script.messages, *accepted)
    return replace(script, name=f"{script.name} twice", messages=again)


def truth_of(facts: OrderFacts, book: Book) -> OrderTruth:
    """What one order must come to."""
    choice = final_choice(facts, book)
    credit = credit_of(facts, book, choice)
    return OrderTruth(facts, placement_choice(facts, book), choice, credit)


def time_of(day: float) -> datetime:
    """The moment of a day, counted from the first."""
    return OPENS_AT + timedelta(days=day)


def _say_little(book: BookMaker) -> None:
    """Campaigns named as those of the other shop: each shop's own."""
    book.upsert(0, "spring-news", Campaign("Other spring", "newsletter", discount_id="spring-20"))
    book.upsert(0, "spring-20", Discount("spring20"))
    book.upsert(20, "everyone", Campaign("Everyone here"), since=0)


def _id_of(message: ScriptMessage) -> str:
    return dict(message.headers)["ce_id"].decode()
