"""What campaigns must have earned: sums over orders and pages, as a report must show them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from demo.campaigns.choice import Choice
from demo.campaigns.credit import Credit
from demo.campaigns.said import OrderFacts, PageActivity

Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class OrderTruth:
    """What one order must come to. `choice` is the last one."""

    facts: OrderFacts
    placement: Choice
    choice: Choice
    credit: Credit | None


@dataclass(slots=True)
class Money:
    """Orders and what they brought, in one currency."""

    orders: int = 0
    revenue: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)

    def add(self, order: OrderFacts) -> None:
        """Count one order more."""
        self.orders += 1
        self.revenue += order.total or Decimal(0)
        self.discount += order.discount_price


@dataclass(slots=True)
class ArmTruth:
    """The visits of the orders' pages in an arm of a test, and how many of them bought."""

    sessions: int = 0
    bought: int = 0

    @property
    def share(self) -> float:
        """Which share of the visits bought."""
        return self.bought / self.sessions

    def wilson(self) -> tuple[float, float]:
        """Between what the share is, with a confidence of 95 % (Wilson's score interval)."""
        count, z = self.sessions, Z_95
        middle = self.share + z * z / (2 * count)
        width = z * math.sqrt(self.share * (1 - self.share) / count + z * z / (4 * count * count))
        whole = 1 + z * z / count
        return (middle - width) / whole, (middle + width) / whole

    def difference(self, other: ArmTruth) -> tuple[float, float]:
        """Between what this share less another one is (Newcombe's hybrid score interval)."""
        low, high = self.wilson()
        other_low, other_high = other.wilson()
        apart = self.share - other.share
        below = math.hypot(self.share - low, other_high - other.share)
        above = math.hypot(high - self.share, other.share - other_low)
        return apart - below, apart + above


@dataclass(slots=True)
class ShopTruth:
    """The sums of one shop: `money` by campaign (None: not attributed) and currency, pages and
    repurchases by campaign (None: another part of the page, or not attributed), arms by test and
    campaign (None: held out).
    """

    money: dict[tuple[str | None, str], Money] = field(default_factory=lambda: defaultdict(Money))
    impressions: Counter[str | None] = field(default_factory=Counter)
    clicks: Counter[str | None] = field(default_factory=Counter)
    repurchases: Counter[str | None] = field(default_factory=Counter)
    arms: dict[tuple[str, str | None], ArmTruth] = field(
        default_factory=lambda: defaultdict(ArmTruth)
    )


def shop_truth(orders: Iterable[OrderTruth], pages: Iterable[PageActivity]) -> ShopTruth:
    """Count everything of one shop from what each order and page came to."""
    known = {order.facts.number: order for order in orders}
    seen = {page.identity: page for page in pages if not page.is_bot}.values()
    found = ShopTruth()
    _count_money(known.values(), found)
    _count_pages(seen, found)
    opened = _opened(seen)
    for order in known.values():
        if _is_repurchase(order.facts, opened):
            found.repurchases[order.credit.campaign_id if order.credit else None] += 1
    _count_arms(known, opened, found)
    return found


def _count_money(orders: Iterable[OrderTruth], found: ShopTruth) -> None:
    for order in orders:
        if not order.facts.is_cancelled:
            campaign = order.credit.campaign_id if order.credit else None
            found.money[campaign, order.facts.currency].add(order.facts)


def _count_pages(pages: Iterable[PageActivity], found: ShopTruth) -> None:
    for page in pages:
        counter = found.impressions if page.kind == "impression" else found.clicks
        counter[page.campaign_id] += 1


def _opened(pages: Iterable[PageActivity]) -> Mapping[str, set[str]]:
    """The orders whose pages were opened in each session that may be recognised."""
    opened: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        if page.consent and page.session_id:
            opened[page.session_id].add(page.order)
    return opened


def _is_repurchase(order: OrderFacts, opened: Mapping[str, set[str]]) -> bool:
    """Whether the order stands, and came from a session that opened another order's page."""
    return not order.is_cancelled and any(
        opened.get(session, set()) - {order.number} for session in order.sessions
    )


def _count_arms(
    orders: Mapping[str, OrderTruth], opened: Mapping[str, set[str]], found: ShopTruth
) -> None:
    buyers: dict[str, set[str]] = defaultdict(set)
    for number, order in orders.items():
        for session in () if order.facts.is_cancelled else order.facts.sessions:
            buyers[session].add(number)
    for session, pages in opened.items():
        for number in pages & set(orders):
            choice = orders[number].choice
            if choice.test_id:
                arm = found.arms[choice.test_id, choice.campaign_id]
                arm.sessions += 1
                arm.bought += bool(buyers[session] - {number})
