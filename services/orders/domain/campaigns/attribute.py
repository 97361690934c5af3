"""Credit: the campaign that led to an order, of all contacts that name one.

A function of what was said of the order and of the campaigns, never of when it came
(docs/decisions/0192).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.orders.domain.campaigns.book import CampaignState, as_of, campaign_in, state_of
from services.orders.domain.campaigns.index import Index, index_of
from services.orders.domain.model.campaigns import (
    BEGINNING,
    Act,
    Attribution,
    Book,
    Credit,
    DiscountContent,
    Entry,
    Referral,
    Touch,
    code_of,
)
from services.orders.domain.model.commands import (
    Command,
    PlaceOrder,
    UpsertAnalytics,
    UpsertOrder,
)
from services.orders.domain.model.order import Analytics, Discount, Order, OrderStatus
from services.orders.domain.value import replace

TOUCHES_MAX = 100
_PRECEDENCE = ("api", "discount", "referral")
_CONFIDENCE = {"api": "high", "discount": "medium", "referral": "low"}
_EXTRAS = ("campaign", "utm_campaign")
"""Further keys in which shops name the campaign."""


class _Facts(NamedTuple):
    """What contacts are judged by."""

    order: Order
    book: Book
    names: Index


def attribute(order: Order, book: Book) -> Attribution | None:
    """Which campaign led to an order; the version steps where the credit differs from what is held.

    None where no contact is known and none was credited before.
    """
    touches = _judged(order, _touches_of(_Facts(order, book, index_of(book))))
    first = touches[0] if touches else None
    credit = _credit_of(order, first) if first and first.outcome == "credited" else None
    held = order.attribution
    version = held.version if held is not None else 0
    if credit != (held.credit if held is not None else None):
        version += 1
    if not touches and not version:
        return None
    return Attribution(version=version, credit=credit, touches=touches)


def has_contact(order: Order) -> bool:
    """Whether an order names a campaign or a discount code, known or not."""
    return bool(
        order.attribution is not None
        or order.referrals
        or order.placement.discounts
        or (order.order_analytics is not None and _texts_of(order.order_analytics))
    )


def codes_of(said: Order | Command) -> set[str]:
    """Texts, without regard to case, that may be codes of discounts: to be read into the book."""
    found: list[str] = []
    if isinstance(said, Order):
        found += _codes(said.placement.discounts, said.order_analytics, said.referrals)
    elif isinstance(said, PlaceOrder | UpsertOrder):
        if (order := said.order) is not None:
            links = () if order.referral is None else (order.referral,)
            found += _codes(order.discounts or (), order.order_analytics, links)
        if isinstance(said, UpsertOrder):
            found += _codes((), said.order_analytics, ())
    elif isinstance(said, UpsertAnalytics):
        found += _codes((), said.order_analytics, ())
    return {code_of(text) for text in found} - {""}


def _codes(
    discounts: Iterable[Discount], analytics: Analytics | None, links: Iterable[Referral]
) -> Iterator[str]:
    yield from (each.code for each in discounts)
    if analytics is not None:
        yield from _texts_of(analytics)
    for link in links:
        yield from _texts_of(link)


def _texts_of(said: Analytics | Referral) -> list[str]:
    """What a contact names a campaign by, the surest first."""
    texts: list[object] = [said.campaign_id, said.campaign_code]
    if isinstance(said, Analytics):
        texts += [said.extras.get(key) for key in _EXTRAS]
    return [text for text in texts if isinstance(text, str) and text]


def _touches_of(facts: _Facts) -> Iterator[Touch]:
    """Every contact of the order, with its campaign as far as it is known."""
    analytics = facts.order.order_analytics
    if analytics is not None and _texts_of(analytics):
        yield _touch(facts, "api", analytics)
    for used in facts.order.placement.discounts:
        yield from _touches_of_discount(facts, used)
    for link in facts.order.referrals:
        yield _touch(facts, "referral", link)


def _touch(facts: _Facts, method: str, said: Analytics | Referral) -> Touch:
    texts = _texts_of(said)
    found = (_named_by(facts, text) for text in texts)
    return Touch(
        method=method,
        confidence=_CONFIDENCE[method],
        outcome="",
        campaign_id=next((each for each in found if each is not None), None),
        campaign=texts[0] if texts else None,
        at=said.clicked_at,
        source=said.source,
        medium=said.medium,
        content=said.content,
        term=said.term,
        channel=said.channel,
        product_sku=said.product_sku,
        session_id=said.session_id,
    )


def _touches_of_discount(facts: _Facts, used: Discount) -> Iterator[Touch]:
    """A contact for each discount that has the code and was valid when the order was placed."""
    for discount in _discounts_with(facts, used.code):
        yield Touch(
            method="discount",
            confidence=_CONFIDENCE["discount"],
            outcome="",
            campaign_id=_campaign_with(facts, discount),
            at=facts.order.placed_at,
            discount_id=discount.entry_id,
            discount_code=used.code,
        )


def _discounts_with(facts: _Facts, text: str) -> list[Entry]:
    """The discounts with a code that were valid when the order was placed."""
    code, at = code_of(text), facts.order.placed_at
    having = [each for each in facts.book.discounts if each.code == code]
    return [each for each in having if _is_valid(each, at) or _is_held(facts, each)]


def _is_held(facts: _Facts, entry: Entry) -> bool:
    """Whether the order has a contact of an entry that is not kept for its time any more."""
    held = facts.order.attribution
    if held is None or not entry.is_forgotten(facts.order.placed_at):
        return False
    return any(entry.entry_id in (each.campaign_id, each.discount_id) for each in held.touches)


def _is_valid(discount: Entry, at: datetime) -> bool:
    held = as_of(discount, at)
    if held is None or held.act is not Act.UPSERT:
        return False
    content = held.content
    if not isinstance(content, DiscountContent) or not content.enabled or held.start > at:
        return False
    return content.ends_at is None or at < content.ends_at


def _named_by(facts: _Facts, text: str) -> str | None:
    """The campaign that a text names: by its id, a discount's valid code, or its name."""
    if text in facts.names.by_id:
        return text
    for discount in _discounts_with(facts, text):
        campaign_id = _campaign_with(facts, discount)
        if campaign_id is not None:
            return campaign_id
    return _strongest(facts, facts.names.by_name.get(text.casefold(), ()))


def _campaign_with(facts: _Facts, discount: Entry) -> str | None:
    """The campaign that a discount belongs to: the order's own, if it has it."""
    choice = facts.order.campaign
    if choice is not None and choice.discount_id == discount.entry_id:
        return choice.campaign_id
    having = facts.names.by_discount.get(discount.entry_id, ())
    return _strongest(facts, having, discount.entry_id)


def _strongest(
    facts: _Facts, campaigns: Sequence[Entry], discount_id: str | None = None
) -> str | None:
    """The campaign that holds when the order is placed: by priority, start and id.

    Where none holds then, the first by id: what is said later of one of them changes nothing.
    """
    kept = next((each.entry_id for each in campaigns if _is_held(facts, each)), None)
    if kept is not None:
        return kept
    at = facts.order.placed_at
    holding: list[tuple[int, datetime, str]] = []
    for entry in campaigns:
        held = as_of(entry, at)
        if held is None or state_of(entry, at) is not CampaignState.ACTIVE:
            continue
        content = campaign_in(held)
        if discount_id is None or content.discount_id == discount_id:
            holding.append((-content.priority, held.start, entry.entry_id))
    if holding:
        return min(holding)[2]
    return min((entry.entry_id for entry in campaigns), default=None)


def _judged(order: Order, touches: Iterable[Touch]) -> tuple[Touch, ...]:
    """The contacts with what comes of each, the strongest first."""
    found = [replace(touch, outcome=_outcome(order, touch)) for touch in touches]
    ordered = sorted(found, key=_strength)[:TOUCHES_MAX]
    if ordered and ordered[0].outcome == "outranked":
        ordered[0] = replace(ordered[0], outcome="credited")
    return tuple(ordered)


def _outcome(order: Order, touch: Touch) -> str:
    if touch.campaign_id is None:
        return "unknown_campaign"
    if touch.method != "api" and touch.at is not None and touch.at > order.placed_at:
        return "after_order"
    return "order_cancelled" if order.status is OrderStatus.CANCELLED else "outranked"


def _strength(touch: Touch) -> tuple[bool, int, timedelta, str, str]:
    """Key to sort contacts by. What is left of equal ones makes no difference to the credit."""
    at = touch.at if touch.at is not None else BEGINNING
    return (
        touch.outcome in ("unknown_campaign", "after_order"),
        _PRECEDENCE.index(touch.method),
        BEGINNING - at,
        touch.campaign_id or "",
        f"{touch.session_id or ''}/{touch.discount_code or ''}/{touch.campaign or ''}",
    )


def _credit_of(order: Order, touch: Touch) -> Credit | None:
    if touch.campaign_id is None:
        return None
    placement = order.placement
    return Credit(
        campaign_id=touch.campaign_id,
        method=touch.method,
        confidence=touch.confidence,
        revenue=placement.total_order_price or Decimal(0),
        discount=placement.discount_price or Decimal(0),
        currency=placement.currency,
        session_id=touch.session_id,
    )
