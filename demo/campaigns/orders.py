"""Orders of a made-up shop: customers of several segments, each with ways that led to the order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.campaigns.order_story import OrderStory
from demo.campaigns.said import OrderFacts, Referral

SEGMENTS = (
    *("newsletter", "newsletter", "vip", "first-order", "b2b", "b2b"),
    *("students", "students", "students", "Newsletter", "elsewhere", "regular", "frequent"),
)
NAMES: tuple[dict[str, str], ...] = (
    {"campaign_id": "spring-news"},
    {"campaign_id": "podcast"},
    {"campaign_id": "influencer"},
    {"campaign_id": "vip-gold"},
    {"campaign_code": "eASTER nEWS"},
    {"campaign_code": "INFLUENCER MÄRZ"},
    {"campaign_id": "no-such-campaign"},
)
CODES = (
    *("spring20", "SpRiNg20", "WILLKOMMEN-STRASSE", "vIP15", "studenta", "STUDENTB"),
    *("ORPHAN", "no-such-code", "Easter5", "easter-9", "again5"),
)
CUSTOMERS = 80
DAYS = 58


@dataclass(frozen=True, slots=True)
class Visit:
    """A session on the page of an order."""

    order: str
    session_id: str
    at: datetime
    consent: bool = True
    is_bot: bool = False


@dataclass(slots=True)
class Customers:
    """Makes the orders of a shop, and the visits to their pages that led to further orders."""

    shop: str
    rng: random.Random
    time: Callable[[float], datetime]
    stories: list[OrderStory] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)

    def order(self, count: int) -> None:
        """Let customers place so many orders, spread over the time."""
        days = sorted(self.rng.uniform(0, DAYS) for _ in range(count))
        for number, day in enumerate(days, start=1001):
            # Whole seconds: a time that is cut to them anywhere is still the same one.
            self._live(str(number), self.time(day).replace(microsecond=0))

    def _live(self, number: str, placed_at: datetime) -> None:
        rng = self.rng
        scattered = self._chance(0.3)
        facts = OrderFacts(
            shop=self.shop,
            number=number,
            placed_at=placed_at,
            customer=f"customer-{rng.randrange(CUSTOMERS)}" if self._chance(0.6) else None,
            currency="USD" if self._chance(0.2) else "EUR",
            total=None if self._chance(0.04) else self._money(),
            discount_price=Decimal(rng.randrange(0, 999)) / 100,
            codes=tuple(rng.sample(CODES, rng.randint(1, 2))) if self._chance(0.3) else (),
            segments=[(None, self._segments())],
        )
        story = OrderStory(facts, rng, placed_at, scattered)
        story.place(is_timed=self._chance(0.8), **self._ways(story))
        self._go_on(story)
        self.stories.append(story)

    def _go_on(self, story: OrderStory) -> None:
        """What comes after the placement, some of it late."""
        if self._chance(0.3):
            story.wait(5).segment(self._segments())
        if self._chance(0.2):
            story.wait(2).charge(self._money())
        if self._chance(0.8):
            story.wait(self.rng.randint(2, 90)).ship()
            self._after_parcel(story)
        if self._chance(0.15):
            story.wait(3).refer(self._referral(story, None), by_url=self._chance(0.5))
        if not story.scattered:
            self._correct(story)
        if self._chance(0.12):
            story.wait(1).cancel()

    def _after_parcel(self, story: OrderStory) -> None:
        """Later segments change nothing; an earlier parcel, or earlier segments, do."""
        if self._chance(0.2):
            story.wait(4).segment(self._segments())
        if self._chance(0.2):
            story.wait(2).ship(hours_before=self.rng.randint(1, 5))
        if self._chance(0.2) and not story.scattered:
            age = timedelta(hours=self.rng.randint(1, 30))
            story.wait(1).segment(self._segments(), age=age)

    def _correct(self, story: OrderStory) -> None:
        """What the shop learns of the way that led to the order, and corrects."""
        if self._chance(0.25):
            story.wait(6).analyse(dict(self.rng.choice(NAMES)))
        if self._chance(0.1):
            story.wait(6).analyse(dict(self.rng.choice(NAMES)), replaces=True)
        if self._chance(0.08):
            story.wait(6).analyse({"campaign_id": None, "campaign_code": None})

    def _ways(self, story: OrderStory) -> dict[str, Any]:
        """What led to the order, with the order."""
        session = self._session(story) if self._chance(0.3) else None
        if self._chance(0.25):
            named = dict(self.rng.choice(NAMES)) if self._chance(0.8) else {"source": "mail"}
            return story.with_analytics(named | ({"session_id": session} if session else {}))
        if session or self._chance(0.2):
            return story.with_referral(self._referral(story, session), by_url=self._chance(0.5))
        return {}

    def _referral(self, story: OrderStory, session: str | None) -> Referral:
        """A link that was clicked before the order, or after it, or at no known time."""
        hours = self.rng.choice([None, -30, -3, -1, 2])
        clicked_at = None
        if hours is not None:
            clicked_at = story.facts.placed_at + timedelta(
                hours=hours, seconds=self.rng.randrange(3000)
            )
        return Referral(
            **self.rng.choice(NAMES),
            clicked_at=clicked_at,
            session_id=session,
        )

    def _session(self, story: OrderStory) -> str | None:
        """A session on the page of an earlier order that led to this one."""
        if not self.stories:
            return None
        page = self.rng.choice(self.stories[-40:]).facts
        session = f"session-{page.number}-{story.facts.number}"
        self.visits.append(
            Visit(
                order=page.number,
                session_id=session,
                at=story.facts.placed_at - timedelta(minutes=20),
                consent=self._chance(0.8),
                is_bot=self._chance(0.1),
            )
        )
        return session

    def _segments(self) -> tuple[str, ...]:
        chosen = self.rng.choices(SEGMENTS, k=self.rng.randint(0, 3))
        return tuple(chosen)

    def _money(self) -> Decimal:
        return Decimal(self.rng.randrange(500, 25_000)) / 100

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share


def browse(stories: Sequence[OrderStory], rng: random.Random, count: int) -> list[Visit]:
    """Visits to pages that lead to no further order."""
    found = []
    for number in range(count):
        facts = rng.choice(stories).facts
        at = facts.placed_at + timedelta(hours=rng.randint(1, 90))
        consent, is_bot = rng.random() < 0.7, rng.random() < 0.15
        found.append(Visit(facts.number, f"browsing-{number:04}", at, consent, is_bot))
    return found
