"""Lines that say which campaign an order shows, which is credited, and why."""

from collections.abc import Iterator

from services.orders.domain.model.campaigns import Attribution, CampaignChoice, Touch
from services.orders.domain.model.order import Order


def campaign_lines(order: Order) -> Iterator[str]:
    """The choice with what was considered, and the credit with every contact; none without."""
    if order.campaign is not None:
        yield from _choice_lines(order.campaign)
    if order.attribution is not None:
        yield from _credit_lines(order.attribution)


def _choice_lines(choice: CampaignChoice) -> Iterator[str]:
    of_test = f" of test {choice.test_id}" if choice.test_id else ""
    segment = f" for segment {choice.segment!r}" if choice.segment is not None else ""
    discount = f", discount {choice.discount_id}" if choice.discount_id else ""
    yield (
        f"campaign {choice.campaign_id or 'none'} by {choice.rule}{of_test}{segment}{discount}; "
        f"{choice.stage}, as of {choice.at:%Y-%m-%d %H:%M:%SZ}"
    )
    for each in choice.considered:
        yield f"campaign {each.campaign_id} not chosen: {each.outcome}"


def _credit_lines(attribution: Attribution) -> Iterator[str]:
    credit = attribution.credit
    if credit is None:
        yield f"credited: no campaign (version {attribution.version})"
    else:
        yield (
            f"credited: campaign {credit.campaign_id} by {credit.method} with "
            f"{credit.revenue} {credit.currency} (version {attribution.version})"
        )
    for touch in attribution.touches:
        yield _touch_line(touch)


def _touch_line(touch: Touch) -> str:
    named = touch.campaign_id or touch.campaign or touch.discount_code or "names no campaign"
    code = f" with code {touch.discount_code}" if touch.discount_code else ""
    at = f" at {touch.at:%Y-%m-%d %H:%M:%SZ}" if touch.at else ""
    return f"contact {touch.method}: {named}{code}{at}: {touch.outcome}"
