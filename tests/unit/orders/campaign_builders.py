"""Short ways to write commands of campaigns, discounts and tests."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from services.orders.domain.model.campaigns import (
    AbTestContent,
    Act,
    CampaignContent,
    DiscountContent,
    Kind,
    Variant,
)
from services.orders.domain.model.commands import ChangeCampaigns
from services.orders.domain.model.decision import Outcome
from tests.unit.orders.builders import NOON, SHOP, Desk, item


def say(kind: str, entry_id: str, act: str = "upsert", **given: Any) -> ChangeCampaigns:
    """A command of a campaign, discount or test that holds since NOON unless said otherwise."""
    said: dict[str, Any] = {"shop": SHOP, "effective_at": NOON}
    return ChangeCampaigns(
        **(item() | said | given), kind=Kind(kind), entry_id=entry_id, act=Act(act)
    )


def campaign(entry_id: str = "spring", at: datetime = NOON, **given: Any) -> ChangeCampaigns:
    """`campaign.upsert`: enabled, of the segment `news`, from the time it holds."""
    sent = {key: given.pop(key) for key in _OF_COMMAND & given.keys()}
    said: dict[str, Any] = {"name": entry_id, "segment": "news", "enabled": True}
    content = CampaignContent(**({"promotion_type": "basic"} | said | given))
    return say("campaign", entry_id, effective_at=at, content=content, **sent)


def discount(entry_id: str = "ten", at: datetime = NOON, **given: Any) -> ChangeCampaigns:
    """`discount.upsert`: ten per cent off the order with the code of its id in capitals."""
    sent = {key: given.pop(key) for key in _OF_COMMAND & given.keys()}
    said: dict[str, Any] = {
        "code": entry_id.upper(),
        "type": "order",
        "value_type": "percentage",
        "value": Decimal(10),
        "target_type": "line_item",
        "target_selection": "all",
    }
    content = DiscountContent(**(said | given))
    return say("discount", entry_id, effective_at=at, content=content, **sent)


def ab_test(
    entry_id: str = "split", at: datetime = NOON, shares: dict[str, int] | None = None, **given: Any
) -> ChangeCampaigns:
    """`ab_test.upsert`: on the segment `news`, its shares by campaign; the rest is held out."""
    sent = {key: given.pop(key) for key in _OF_COMMAND & given.keys()}
    shares = {"a": 50, "b": 50} if shares is None else shares
    rest = 100 - sum(shares.values())
    said: dict[str, Any] = {
        "name": entry_id,
        "segment": "news",
        "variants": tuple(Variant(campaign_id=c, allocation=n) for c, n in shares.items()),
        "has_holdout": rest > 0,
        "holdout_percentage": max(rest, 0),
    }
    content = AbTestContent(**(said | given))
    return say("ab_test", entry_id, effective_at=at, content=content, **sent)


_OF_COMMAND = {"shop", "properties", "reason", "item_id", "causation_id", "source_version"}


def desk_of(*commands: ChangeCampaigns, now: Any = NOON) -> Desk:
    """A desk after these commands, each of which is applied."""
    desk = Desk(now=now)
    for command in commands:
        assert desk.send(command).outcome is Outcome.APPLIED
    return desk
