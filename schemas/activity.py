"""What visitors of tracking pages see and click: the messages on `portal.activity`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .campaigns import CampaignId
from .commands import NamesOrder
from .enums import OpenWord
from .model import ContractModel, about
from .repair import FACT
from .values import Line, LongLine, Reference, ShopSlug, Timestamp

SESSION_MAX_CHARACTERS = 64


class ActivityKind(StrEnum):
    """What happened on the page. A word that is not known is refused."""

    IMPRESSION = "impression"
    CLICK = "click"


class Widget(OpenWord):
    """The part of the page; unknown words become `other`."""

    OTHER = "other"
    PRODUCT = "product"
    BASIC = "basic"
    BANNER = "banner"
    STATUS = "status"
    ORDER_SUMMARY = "order_summary"
    CARRIER_LINK = "carrier_link"


class PageActivity(NamesOrder):
    """What a visitor of an order's page saw or clicked; the address says the shop."""

    shop_slug: Annotated[ShopSlug | None, FACT, about("The shop", "demo-shop")] = None
    activity_id: Annotated[
        Reference | None,
        FACT,
        about("Id of the activity, made by the page; sent twice, it counts once", "act-7f3a"),
    ] = None
    kind: Annotated[ActivityKind, FACT, about("impression or click", "click")]
    widget: Annotated[Widget, about("Part of the page", "banner")] = Widget.OTHER
    campaign_id: Annotated[
        CampaignId | None, FACT, about("The campaign that was shown; none: another part", "spring")
    ] = None
    product_sku: Annotated[Line | None, about("The product that was clicked", "MUG-BLUE")] = None
    session_id: Annotated[
        Annotated[str, Field(min_length=8, max_length=SESSION_MAX_CHARACTERS)] | None,
        about("Random id of the visit; dropped without consent", "s-3f9c1a77b2"),
    ] = None
    consent: Annotated[
        bool, FACT, about("Whether the visitor agreed to be recognised", example=True)
    ] = False
    occurred_at: Annotated[
        Timestamp | None,
        about(
            "When; the time of the message if absent, more than 30 days before it or more than one "
            "day after it",
            "2026-03-03T19:02:11Z",
        ),
    ] = None
    user_agent: Annotated[
        LongLine | None, about("Browser; used to leave out bots, not stored", "Mozilla/5.0")
    ] = None


class Activity(PageActivity):
    """`portal.activity`: a visitor of an order's page saw or clicked something."""

    shop_slug: Annotated[ShopSlug, about("The shop", "demo-shop")]


AGE_MAX = timedelta(days=30)
"""How long before its message an activity may have happened."""
AHEAD_MAX = timedelta(days=1)
"""How long after its message it may have happened, by the clock of a visitor."""


def doubt_of_time(occurred_at: datetime | None, sent_at: datetime) -> str | None:
    """Why the `occurred_at` of an activity is left out, for its warning; None: it is taken.

    A page chooses it, and each day has its own counters. `sent_at` is the time of the message.
    """
    if occurred_at is None or -AHEAD_MAX <= sent_at - occurred_at <= AGE_MAX:
        return None
    return (
        f"a time is left out: it must be at most {AGE_MAX.days} days before and at most "
        f"{AHEAD_MAX.days} day after the time of the message"
    )


PORTAL_ACTIVITY_TYPE = "portal.activity"

MODELS: Mapping[str, type[ContractModel]] = {PORTAL_ACTIVITY_TYPE: Activity}
