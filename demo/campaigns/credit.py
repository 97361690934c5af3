"""The campaign that must be credited with an order, by the three ways of attribution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from demo.campaigns.book import Book, Held, is_running, rank
from demo.campaigns.choice import Choice
from demo.campaigns.said import Campaign, Discount, OrderFacts

PRECEDENCE = ("api", "discount", "referral")
CONFIDENCE = {"api": "high", "discount": "medium", "referral": "low"}
API_NAMES = ("campaign_id", "campaign_code", "campaign", "utm_campaign")


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact with a campaign that is known."""

    method: str
    campaign_id: str
    at: datetime | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """What a campaign is credited with; amounts in `currency`."""

    campaign_id: str
    method: str
    revenue: Decimal
    discount: Decimal
    currency: str
    session_id: str | None = None

    @property
    def confidence(self) -> str:
        """How sure the method is."""
        return CONFIDENCE[self.method]


def credit_of(order: OrderFacts, book: Book, choice: Choice) -> Credit | None:
    """The strongest contact gets the order; a cancelled order credits none."""
    contacts = [] if order.is_cancelled else list(_contacts(order, book, choice))
    if not contacts:
        return None
    best = min(contacts, key=_strength)
    return Credit(
        campaign_id=best.campaign_id,
        method=best.method,
        revenue=order.total or Decimal(0),
        discount=order.discount_price,
        currency=order.currency,
        session_id=best.session_id,
    )


def _strength(contact: Contact) -> tuple[int, float, str]:
    """The method first, then the newest, those without a time last, then the id."""
    age = -contact.at.timestamp() if contact.at else 0.0
    return PRECEDENCE.index(contact.method), age, contact.campaign_id


def _contacts(order: OrderFacts, book: Book, choice: Choice) -> Iterator[Contact]:
    """The contacts with known campaigns that may be credited."""
    analytics = order.analytics
    named = _resolve(analytics, book, order, choice)
    if named:
        at = analytics.get("clicked_at")
        when = datetime.fromisoformat(at) if at else None
        yield Contact("api", named, when, analytics.get("session_id"))
    for code in order.codes:
        by_code = _campaign_of_code(code, book, order, choice)
        if by_code:
            yield Contact("discount", by_code)
    for referral in order.referrals:
        names = {"campaign_id": referral.campaign_id, "campaign_code": referral.campaign_code}
        named = _resolve(names, book, order, choice)
        is_after = referral.clicked_at is not None and referral.clicked_at > order.placed_at
        if named and not is_after:
            yield Contact("referral", named, referral.clicked_at, referral.session_id)


def _resolve(names: Mapping[str, Any], book: Book, order: OrderFacts, choice: Choice) -> str | None:
    """The campaign that is meant: by its id, else by a discount's code or its name in any case."""
    for key in API_NAMES:
        name = names.get(key)
        if not name:
            continue
        if book.knows(name, Campaign):
            return str(name)
        found = _campaign_of_code(name, book, order, choice) or _campaign_by_name(name, book)
        if found:
            return found
    return None


def _campaign_by_name(name: str, book: Book) -> str | None:
    for id_ in book.ids(Campaign):
        if any(each.name.casefold() == name.casefold() for each in book.contents(id_, Campaign)):
            return id_
    return None


def _campaign_of_code(code: str, book: Book, order: OrderFacts, choice: Choice) -> str | None:
    """The campaign of a discount's code that is valid when the order is placed."""
    for held in book.running(Discount, order.placed_at):
        if isinstance(held.content, Discount) and held.content.code.casefold() == code.casefold():
            return _campaign_with(held, book, order, choice)
    return None


def _campaign_with(discount: Held, book: Book, order: OrderFacts, choice: Choice) -> str | None:
    """The one that the order shows, else one that held with it, else one that ever had it."""
    if choice.campaign_id and choice.discount_id == discount.id:
        return choice.campaign_id
    stood = [book.at(id_, order.placed_at) for id_ in book.ids(Campaign)]
    holding = [
        each
        for each in stood
        if each and is_running(each, order.placed_at) and _has(each.content, discount.id)
    ]
    if holding:
        return min(holding, key=rank).id
    ever = [
        id_
        for id_ in book.ids(Campaign)
        if any(_has(content, discount.id) for content in book.contents(id_, Campaign))
    ]
    return ever[0] if ever else None


def _has(content: object, discount_id: str) -> bool:
    return isinstance(content, Campaign) and content.discount_id == discount_id
