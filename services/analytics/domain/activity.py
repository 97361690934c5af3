"""What visitors of orders' pages see and click: which activities count, and as what.

An activity counts once, however often it is sent. Bots do not count. A visitor who did not agree
to be recognised counts as an impression or a click, and not as a visit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from uuid import UUID

from msgspec import Struct

from services.analytics.domain.facts import Uuid
from services.analytics.domain.sales import Session

BOT_WORDS = (
    "bot",
    "crawl",
    "spider",
    "slurp",
    "preview",
    "headless",
    "monitor",
    "curl",
    "wget",
    "python-requests",
    "facebookexternalhit",
)
"""A browser whose name has one of these words is a bot; one without a name is none."""

IMPRESSION, CLICK = "impression", "click"
_BOT = re.compile("|".join(map(re.escape, BOT_WORDS)), re.IGNORECASE)
_DIGEST_BYTES = 8


class Mark(Struct, frozen=True, gc=False):
    """What is remembered of something that counts once: two parts of a hash of its name."""

    owner: Uuid
    digest: int
    """A signed 64-bit integer."""


class Activity(Struct, frozen=True, kw_only=True):
    """One impression or click of a page."""

    identity: str
    """The same for each copy of the activity."""
    shop: str
    order_id: Uuid | None
    """The order of the page; None if the activity names it by another kind of id than ours."""
    kind: str
    widget: str
    campaign_id: str | None
    """The campaign that was shown or clicked; None: another part of the page."""
    seen_on: date
    """The day, in UTC."""
    session: Session | None
    """The visit; None without consent."""


class Countable(Struct, frozen=True, kw_only=True):
    """What is counted once: an impression, a click, or a visit on one day in one counter."""

    mark: Mark
    shop: str
    campaign_id: str | None
    widget: str
    seen_on: date
    impressions: int = 0
    clicks: int = 0
    sessions: int = 0


class Visit(Struct, frozen=True, gc=False):
    """A visit in which the page of an order was opened, and the first day of it."""

    session: Session
    order_id: Uuid
    shop: str
    seen_on: date


def is_bot(user_agent: str | None) -> bool:
    """Whether a browser says by its name that it is a program."""
    return user_agent is not None and _BOT.search(user_agent) is not None


def mark_of(name: str) -> Mark:
    """What is remembered of a name."""
    digest = sha256(name.encode()).digest()
    owner, rest = digest[:16], digest[16 : 16 + _DIGEST_BYTES]
    return Mark(str(UUID(bytes=owner)), int.from_bytes(rest, "big", signed=True))


def countables(activities: Iterable[Activity]) -> dict[Mark, Countable]:
    """All that the activities count as, each once, by mark."""
    found: dict[Mark, Countable] = {}
    for activity in activities:
        for each in _countables_of(activity):
            found[each.mark] = each
    return found


def _countables_of(activity: Activity) -> Iterable[Countable]:
    is_click = activity.kind == CLICK
    yield _countable(activity, activity.identity, impressions=1 - is_click, clicks=int(is_click))
    if activity.session:
        where = f"{activity.campaign_id or ''}/{activity.widget}/{activity.seen_on}"
        yield _countable(activity, f"session/{activity.session}/{where}", sessions=1)


def _countable(activity: Activity, name: str, **counts: int) -> Countable:
    return Countable(
        mark=mark_of(name),
        shop=activity.shop,
        campaign_id=activity.campaign_id,
        widget=activity.widget,
        seen_on=activity.seen_on,
        **counts,
    )


def visits(activities: Iterable[Activity]) -> list[Visit]:
    """The visits of the activities, one for each session and order, in the order of these."""
    found: dict[tuple[Session, Uuid], Visit] = {}
    for each in activities:
        if each.session is None or each.order_id is None:
            continue
        key = (each.session, each.order_id)
        known = found.get(key)
        if known is None or each.seen_on < known.seen_on:
            found[key] = Visit(each.session, each.order_id, each.shop, each.seen_on)
    return [found[key] for key in sorted(found)]
