"""What held at a time, by all that was said of a shop's campaigns, in whatever order it came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import TypeVar, cast

from demo.campaigns.said import AbTest, Campaign, Content, Discount, Saying

REMOVE = "remove"
Kind = TypeVar("Kind", Campaign, Discount, AbTest)
Rank = tuple[int, datetime, str]


@dataclass(frozen=True, slots=True)
class Held:
    """How an entry stood at a time.

    `since` is the time of the upsert that made its content; the same content again makes none.
    """

    id: str
    content: Content
    since: datetime
    is_shown: bool
    """Neither paused nor removed."""
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """All sayings of one shop, by the id of what they are about."""

    sayings: Mapping[str, Sequence[Saying]]

    def ids(self, kind: type[Content]) -> Iterator[str]:
        """The entries of a kind that were ever upserted."""
        return (id_ for id_ in sorted(self.sayings) if self._is(id_, kind))

    def knows(self, id_: str, kind: type[Content]) -> bool:
        """Whether an entry of a kind was ever upserted."""
        return id_ in self.sayings and self._is(id_, kind)

    def contents(self, id_: str, kind: type[Kind]) -> list[Kind]:
        """Every content that an entry ever had, the oldest first."""
        found = [each.content for each in self.sayings[id_] if each.content]
        return [content for content in found if isinstance(content, kind)]

    def at(self, id_: str, time: datetime) -> Held | None:
        """How an entry stood; None before anything was upserted of it."""
        past = [each for each in self.sayings.get(id_, ()) if each.effective_at <= time]
        return reduce(_after, past, None)

    def running(self, kind: type[Content], time: datetime) -> list[Held]:
        """Entries that held at a time: enabled, shown, begun and not ended."""
        stood = [self.at(id_, time) for id_ in self.ids(kind)]
        return [each for each in stood if each and is_running(each, time)]

    def _is(self, id_: str, kind: type[Content]) -> bool:
        return any(isinstance(each.content, kind) for each in self.sayings[id_])


def _after(held: Held | None, saying: Saying) -> Held | None:
    """How an entry stands after one more saying."""
    if saying.content is None:
        is_removed = saying.act == REMOVE
        return held and replace(held, is_shown=False, is_removed=held.is_removed or is_removed)
    content = saying.content
    if content.start is None:
        content = replace(content, start=_start(held, saying.effective_at))
    if held and held.is_shown and held.content == content:
        return held
    return Held(saying.id, content, saying.effective_at, is_shown=True)


def _start(held: Held | None, time: datetime) -> datetime:
    """A start that is not said: that of before, if it was not removed and had started."""
    before = held.content.start if held and not held.is_removed else None
    return before if before and before <= time else time


def is_running(held: Held, time: datetime) -> bool:
    """Whether an entry is enabled, shown, begun and not ended at a time."""
    return held.is_shown and held.content.enabled and is_within(held.content, time)


def is_within(content: Content, time: datetime) -> bool:
    """Whether a time is in [start, end)."""
    begun = content.start is None or content.start <= time
    return begun and (content.end is None or time < content.end)


def rank(held: Held) -> Rank:
    """The order of campaigns, the first is chosen: by priority, then start, then id."""
    campaign = cast("Campaign", held.content)
    return -campaign.priority, campaign.start or held.since, held.id


def book_of(sayings: Iterable[Saying]) -> Book:
    """Sort what was said by the time since when it holds."""
    found: dict[str, list[Saying]] = defaultdict(list)
    for saying in sorted(sayings, key=lambda each: (each.effective_at, each.source_version)):
        found[saying.id].append(saying)
    return Book(found)
