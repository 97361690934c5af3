"""A shop's book: the versions of its campaigns, discounts and tests, and what held at a time.

What held at a time is the fold of the versions up to it. So it is a function of the set of what was
said, not of the order in which it came (docs/decisions/0190).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from operator import attrgetter
from typing import Any

from msgspec import json

from services.orders.domain.model.campaigns import (
    BEGINNING,
    AbTestContent,
    Act,
    Book,
    CampaignContent,
    Content,
    DiscountContent,
    Entry,
    Kind,
    Version,
)
from services.orders.domain.model.commands import ChangeCampaigns
from services.orders.domain.model.ids import Uuid, entry_id_of, short_digest, version_id_of
from services.orders.domain.value import Value, replace

VERSIONS_MAX = 100
"""Most versions kept of an entry; where they do not begin with an upsert, one more before them."""


class CampaignState(StrEnum):
    """Where a campaign is, at a time."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    PAUSED = "paused"
    INACTIVE = "inactive"
    REMOVED = "removed"


class Held(Value, frozen=True, kw_only=True):
    """What an entry is at a time."""

    act: Act
    """The newest thing said: it was upserted, paused or removed."""
    content: Content
    """Of the newest upsert, with the start where it did not say one."""
    start: datetime
    """The start of the content: as said, else by `after_version`."""
    shown: str | None = None
    version_id: Uuid
    """The version that said the content first; the same said again is no other version."""
    since: datetime
    """Since when this holds."""


def version_of(command: ChangeCampaigns) -> Version:
    """The version that a command makes of its entry."""
    effective_at = command.effective_at.astimezone(UTC)
    content = _normalised(command.content) if command.content is not None else None
    shown = short_digest(_canonical(command.properties)) if command.properties else None
    said = f"{effective_at.isoformat()}/{command.act}/{shown}/".encode() + _canonical(content)
    entry = entry_id_of(command.shop, command.kind, command.entry_id)
    return Version(
        effective_at=effective_at,
        version_id=version_id_of(entry, short_digest(said)),
        act=command.act,
        content=content,
        shown=shown,
        source_version=command.source_version,
        said_at=_utc(command.said_at),
        item=command.item_digest,
    )


def _canonical(said: Any) -> bytes:
    return json.encode(said, order="sorted")


def _normalised(content: Content) -> Content:
    """The content with times in UTC and amounts without closing zeros: equal ones look the same."""
    match content:
        case CampaignContent():
            return replace(
                content, start_date=_utc(content.start_date), end_date=_utc(content.end_date)
            )
        case DiscountContent():
            return replace(
                content,
                value=Decimal(f"{content.value.normalize():f}"),
                starts_at=_utc(content.starts_at),
                ends_at=_utc(content.ends_at),
            )
        case AbTestContent():
            return replace(
                content,
                variants=tuple(sorted(content.variants, key=attrgetter("campaign_id"))),
                start_date=_utc(content.start_date),
                end_date=_utc(content.end_date),
            )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)


def with_version(entry: Entry, version: Version) -> Entry:
    """The entry with one more version.

    Of too many those that made no difference are left out, then the oldest are folded away.
    """
    ordered = _differing(sorted((*entry.versions, version), key=_place))
    kept = _kept(ordered)
    if len(ordered) <= VERSIONS_MAX:
        return replace(entry, versions=kept)
    return replace(entry, versions=kept, known_since=ordered[-VERSIONS_MAX].effective_at)


def _place(version: Version) -> tuple[datetime, int, datetime, Uuid, int]:
    return (
        version.effective_at,
        version.source_version or 0,
        version.said_at or BEGINNING,
        version.version_id,
        version.item,
    )


def _differing(ordered: list[Version]) -> list[Version]:
    """The versions without the oldest that made no difference, as far as there are too many."""
    excess = len(ordered) - VERSIONS_MAX
    if excess <= 0:
        return ordered
    kept: list[Version] = []
    held: Held | None = None
    for version in ordered:
        before, held = held, after_version(held, version)
        if excess > 0 and held == before:
            excess -= 1
        else:
            kept.append(version)
    return kept


def _kept(ordered: list[Version]) -> tuple[Version, ...]:
    """The newest versions, and the upsert that those before the first upsert are about.

    The first upsert gets the start that it has by the older ones, as these are not kept.
    """
    if len(ordered) <= VERSIONS_MAX:
        return tuple(ordered)
    older, kept = ordered[:-VERSIONS_MAX], ordered[-VERSIONS_MAX:]
    held = _fold(older)
    if kept[0].act is Act.UPSERT:
        return _with_start(kept[0], after_version(held, kept[0])), *kept[1:]
    upserts = [version for version in older if version.act is Act.UPSERT][-1:]
    return *(_with_start(version, held) for version in upserts), *kept


def _with_start(version: Version, held: Held | None) -> Version:
    """An upsert with the start that the entry has after it."""
    return version if held is None else replace(version, content=held.content)


def is_newest(entry: Entry, version: Version) -> bool:
    """Whether nothing said of the entry holds since a later time."""
    return bool(entry.versions) and entry.versions[-1] == version


def changes(entry: Entry, version: Version) -> bool:
    """Whether the entry is anything else at any time once the version is said as well."""
    said = sorted((*entry.versions, version), key=_place)
    return _timeline(said) != _timeline(entry.versions)


def _timeline(versions: Iterable[Version]) -> list[Held | None]:
    """What holds, one after the other; of what is said for one time only the last counts."""
    found: dict[datetime, Held | None] = {}
    held: Held | None = None
    for version in versions:
        held = found[version.effective_at] = after_version(held, version)
    return [later for earlier, later in pairwise((None, *found.values())) if later != earlier]


def as_of(entry: Entry, at: datetime | None) -> Held | None:
    """What an entry is at a time, None before its first upsert; `at` None: after all was said."""
    if at is None:
        return _fold(entry.versions)
    return _fold(each for each in entry.versions if each.effective_at <= at)


def _fold(versions: Iterable[Version]) -> Held | None:
    held: Held | None = None
    for version in versions:
        held = after_version(held, version)
    return held


def steps(entry: Entry) -> Iterator[tuple[Version, Held | None]]:
    """Each version of an entry, with what holds after it."""
    held: Held | None = None
    for version in entry.versions:
        held = after_version(held, version)
        yield version, held


def held_by(entry: Entry, version: Version) -> Held | None:
    """What an entry is after a version that is said of it, by all that comes before it."""
    place = _place(version)
    return after_version(_fold(each for each in entry.versions if _place(each) < place), version)


def after_version(held: Held | None, version: Version) -> Held | None:
    """What holds after a version. What was never upserted, or is removed, cannot be paused.

    A start that the version does not say is the one that the entry has, if it is there, also
    paused, and has started; else the time of the version.
    """
    if version.content is None:
        if held is None or held.act in (version.act, Act.REMOVE):
            return held
        return replace(held, act=version.act, since=version.effective_at)
    content, start = _started(version.content, held, version.effective_at)
    if (
        held is not None
        and held.act is Act.UPSERT
        and (held.content, held.shown) == (content, version.shown)
    ):
        return held
    return Held(
        act=Act.UPSERT,
        content=content,
        start=start,
        shown=version.shown,
        version_id=version.version_id,
        since=version.effective_at,
    )


def _started(content: Content, held: Held | None, at: datetime) -> tuple[Content, datetime]:
    """A content that is said for a time, and its start; `held` is what the entry was before."""
    said = content.starts_at if isinstance(content, DiscountContent) else content.start_date
    if said is not None:
        return content, said
    start = at
    if held is not None and held.act is not Act.REMOVE and held.start <= at:
        start = held.start
    if isinstance(content, DiscountContent):
        return replace(content, starts_at=start), start
    return replace(content, start_date=start), start


def state_of(entry: Entry, at: datetime) -> CampaignState:
    """The state of a campaign at a time."""
    held = as_of(entry, at)
    if held is None:
        return CampaignState.SCHEDULED
    content = campaign_in(held)
    if held.act is Act.REMOVE:
        return CampaignState.REMOVED
    if held.act is Act.PAUSE:
        return CampaignState.PAUSED
    if not content.enabled:
        return CampaignState.INACTIVE
    if held.start > at:
        return CampaignState.SCHEDULED
    if content.end_date is not None and content.end_date <= at:
        return CampaignState.INACTIVE
    return CampaignState.ACTIVE


def campaign_in(held: Held) -> CampaignContent:
    """What a campaign is.

    Raises:
        TypeError: it is no campaign.
    """
    if not isinstance(held.content, CampaignContent):
        raise TypeError(f"version {held.version_id} is no campaign")
    return held.content


def next_change_at(entry: Entry, now: datetime) -> datetime | None:
    """When the state of a campaign may change next without a command; None for all else."""
    if entry.kind is not Kind.CAMPAIGN:
        return None
    moments = [version.effective_at for version in entry.versions]
    held = as_of(entry, now)
    if held is not None and held.act is Act.UPSERT and campaign_in(held).enabled:
        content = campaign_in(held)
        moments += [held.start, *([content.end_date] if content.end_date else ())]
    return min((moment for moment in moments if moment > now), default=None)


def entry_in(book: Book, kind: Kind, entry_id: str) -> Entry | None:
    """An entry of a book, without what is shown of it."""
    entries = book.discounts if kind is Kind.DISCOUNT else book.entries
    for entry in entries:
        if entry.entry_id == entry_id and entry.kind is kind:
            return entry
    return None


def with_entry(book: Book, changed: Entry) -> Book:
    """The book with an entry added or replaced."""
    is_discount = changed.kind is Kind.DISCOUNT
    entries = book.discounts if is_discount else book.entries
    others = [each for each in entries if each.name != changed.name]
    kept = tuple(sorted((*others, replace(changed, properties={})), key=attrgetter("name")))
    return replace(book, discounts=kept) if is_discount else replace(book, entries=kept)
