"""From the order in an event to what it counts for in the figures of campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from schemas.context import Order
from services.analytics.domain.sales import Sale, sessions_of
from services.analytics.messages.bounds import amount_of

_ORDER = "/context/order"


def sale_of(shop: str, order: Order) -> Sale:
    """What the order counts for after the event.

    Revenue and discount are the order's own, for orders with and without a credited campaign; the
    credit in the event has the same.

    Raises:
        Malformed: an amount is too large to be kept.
    """
    credit = order.attribution.credit if order.attribution else None
    choice = order.campaign
    return Sale(
        campaign_id=credit.campaign_id if credit else None,
        revenue=_amount("total_order_price", order.total_order_price),
        discount=_amount("discount_price", order.discount_price),
        shown_campaign_id=choice.campaign_id if choice else None,
        test_id=choice.test_id if choice else None,
        is_held_out=choice.is_held_out if choice else False,
        sessions=sessions_of(shop, _session_ids(order)),
    )


def _amount(member: str, amount: Decimal | None) -> Decimal:
    return amount_of(f"{_ORDER}/{member}", amount, "an amount") or Decimal()


def _session_ids(order: Order) -> Iterator[str | None]:
    """The visits that led to the order: of the credit, of other touches, and what the shop says."""
    if order.attribution:
        if order.attribution.credit:
            yield order.attribution.credit.session_id
        yield from (touch.session_id for touch in order.attribution.touches)
    said = (order.order_analytics or {}).get("session_id")
    yield said if isinstance(said, str) else None
