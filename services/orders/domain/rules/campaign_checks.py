"""Which commands of campaigns, discounts and tests are refused, and what they are warned of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from typing import NamedTuple

from services.orders.domain.campaigns.book import (
    CampaignState,
    Held,
    after_version,
    as_of,
    entry_in,
    held_by,
    state_of,
    steps,
)
from services.orders.domain.events.recorder import Recorder
from services.orders.domain.model.campaigns import (
    AbTestContent,
    Act,
    Book,
    CampaignContent,
    Content,
    DiscountContent,
    Entry,
    EntryName,
    Kind,
    Version,
    code_of,
)
from services.orders.domain.model.reasons import CommandRefused, Reason
from services.orders.domain.model.warnings import WarningCode

CAMPAIGNS_MAX = 1_000
"""Most campaigns of a shop that are not removed."""
TESTS_MAX = 200
"""Most tests of a shop that are not over."""
END = datetime.max.replace(tzinfo=UTC)
"""Later than any time of the contract."""
ALL = 100
"""What the shares and the hold-out of a test are together, in per cent."""


def check_allowed(book: Book, before: Entry, after: Entry, version: Version) -> None:
    """Refuse a version that breaks a rule.

    Raises:
        CommandRefused: see `Reason`.
    """
    content = version.content
    held = held_by(before, version)
    if content is None or held is None:
        _check_found(before)
        return
    _check_end(held)
    match content:
        case CampaignContent():
            _check_room(book, before, version)
            _check_alone(book, after, version, content)
        case DiscountContent():
            _check_takes_off(content)
            _check_code(before, content)
        case AbTestContent():
            _check_shares(content)
            _check_room(book, before, version)
            _check_unchanged(before, version)


def warn_of_doubts(recorder: Recorder, book: Book | None, before: Entry, version: Version) -> None:
    """Warn of what is named and unknown, and of a campaign that is removed while it runs."""
    content = version.content
    if version.act is Act.REMOVE:
        if state_of(before, version.effective_at) is CampaignState.ACTIVE:
            recorder.warn(
                WarningCode.CAMPAIGN_WAS_ACTIVE,
                "/campaign_id",
                f"Campaign {before.entry_id!r} was active; choices of times before "
                f"{version.effective_at.isoformat()} keep it.",
            )
    elif isinstance(content, CampaignContent) and content.discount_id is not None:
        _warn_if_unknown(recorder, book, Kind.DISCOUNT, content.discount_id, "/discount_id")
    elif isinstance(content, AbTestContent):
        for place, variant in enumerate(content.variants):
            pointer = f"/campaigns/{place}/campaign_id"
            _warn_if_unknown(recorder, book, Kind.CAMPAIGN, variant.campaign_id, pointer)


def _warn_if_unknown(
    recorder: Recorder, book: Book | None, kind: Kind, entry_id: str, pointer: str
) -> None:
    shop = getattr(recorder.item, "shop", "")
    if EntryName(shop, kind, entry_id) in recorder.world.entries:
        return
    if book is None or entry_in(book, kind, entry_id) is None:
        recorder.warn(
            WarningCode.REFERENCE_UNKNOWN,
            pointer,
            f"The shop has sent no {kind} {entry_id!r} yet; once sent, it counts since its own "
            "time.",
        )


def _check_found(before: Entry) -> None:
    held = as_of(before, None)
    if held is None or held.act is Act.REMOVE:
        raise CommandRefused(
            Reason.CAMPAIGN_NOT_FOUND,
            f"There is no campaign {before.entry_id!r}; send campaign.upsert first.",
            "/campaign_id",
        )


def _check_end(held: Held) -> None:
    content, start = held.content, held.start
    end = end_of(content)
    if end is not None and end <= start:
        raise CommandRefused(
            Reason.ENDS_BEFORE_START,
            f"The end {end.isoformat()} is not after the start {start.isoformat()}; correct one of "
            "them.",
            "/ends_at" if isinstance(content, DiscountContent) else "/end_date",
        )


def end_of(content: Content) -> datetime | None:
    """The first moment at which a content no longer holds; None: open."""
    return content.ends_at if isinstance(content, DiscountContent) else content.end_date


def _check_room(book: Book, before: Entry, version: Version) -> None:
    """Refuse one more campaign or test than a shop can have."""
    kind = before.kind
    others = [each for each in book.entries if each.kind is kind and each.name != before.name]
    most = CAMPAIGNS_MAX if kind is Kind.CAMPAIGN else TESTS_MAX
    if len(others) < most:
        return
    if kind is Kind.CAMPAIGN:
        count = sum(not _is_removed(each) for each in others)
    else:
        count = sum(is_test_open(each, version.effective_at) for each in others)
    if count >= most:
        raise CommandRefused(
            Reason.TOO_MANY_CAMPAIGNS,
            f"The shop has {count} of kind {kind} already, the most that it can have; remove or "
            "end some first.",
            "/campaign_id" if kind is Kind.CAMPAIGN else "/test_id",
        )


def _is_removed(entry: Entry) -> bool:
    held = as_of(entry, None)
    return held is not None and held.act is Act.REMOVE


def is_test_open(entry: Entry, at: datetime) -> bool:
    """Whether a test, by the newest that was said of it, runs or will run at a time."""
    held = as_of(entry, None)
    if held is None or not isinstance(held.content, AbTestContent) or not held.content.enabled:
        return False
    return held.content.end_date is None or held.content.end_date > at


def _check_alone(book: Book, after: Entry, version: Version, content: CampaignContent) -> None:
    """Refuse two enabled campaigns of a segment at a time, unless a test has one of them."""
    if not content.enabled:
        return
    exempt = _in_tests(book, version.effective_at)
    if after.entry_id in exempt:
        return
    mine = [each for each in _windows(after, content.segment) if each.item == version.item]
    for other in book.entries:
        if other.kind is not Kind.CAMPAIGN or other.name == after.name:
            continue
        theirs = _windows(other, content.segment) if other.entry_id not in exempt else ()
        if any(_overlap(one, two) for one in mine for two in theirs):
            raise CommandRefused(
                Reason.CAMPAIGN_OVERLAPS,
                f"Campaign {other.entry_id!r} is enabled for {_of(content)} at the same time; end "
                "or pause it first, or put both into a test.",
                "/segment",
            )


def _in_tests(book: Book, at: datetime) -> set[str]:
    """The campaigns of tests that are not over."""
    return {
        variant.campaign_id
        for entry in book.entries
        if entry.kind is Kind.AB_TEST and is_test_open(entry, at)
        if (held := as_of(entry, None)) and isinstance(held.content, AbTestContent)
        for variant in held.content.variants
    }


class _Window(NamedTuple):
    """A time in which a campaign runs by one version: from the start, before the end."""

    item: int
    """Digest of the item that said the version."""
    start: datetime
    end: datetime


def _windows(entry: Entry, segment: str | None) -> Iterator[_Window]:
    """When a campaign runs for a segment: by each version until the next one."""
    for (version, held), later in zip_longest(steps(entry), entry.versions[1:]):
        content = version.content
        if held is None or not isinstance(content, CampaignContent) or not content.enabled:
            continue
        until = later.effective_at if later is not None else END
        start = max(version.effective_at, held.start)
        end = min(until, content.end_date or END)
        if content.segment == segment and start < end:
            yield _Window(version.item, start, end)


def _overlap(one: _Window, two: _Window) -> bool:
    return one.start < two.end and two.start < one.end


def _of(content: CampaignContent) -> str:
    return "all segments" if content.segment is None else f"segment {content.segment!r}"


def _check_shares(content: AbTestContent) -> None:
    way_out = "correct the shares."
    named = Counter(each.campaign_id for each in content.variants)
    twice = [campaign_id for campaign_id, count in named.items() if count > 1]
    if twice:
        raise CommandRefused(
            Reason.ALLOCATIONS_DO_NOT_SUM,
            f"Campaign {twice[0]!r} is named twice; {way_out}",
            "/campaigns",
        )
    if content.holdout_percentage and not content.has_holdout:
        raise CommandRefused(
            Reason.ALLOCATIONS_DO_NOT_SUM,
            f"holdout_percentage is {content.holdout_percentage} and has_holdout is false; "
            f"{way_out}",
            "/holdout_percentage",
        )
    shares = sum(each.allocation for each in content.variants)
    if shares + content.holdout_percentage != ALL:
        raise CommandRefused(
            Reason.ALLOCATIONS_DO_NOT_SUM,
            f"The shares are {shares} and the hold-out is {content.holdout_percentage} per cent, "
            f"together not 100; {way_out}",
            "/campaigns",
        )


def _check_unchanged(before: Entry, version: Version) -> None:
    """Refuse to change a test that runs; to end it at another time, or to disable it, is none."""
    held = as_of(before, version.effective_at)
    if held is None or not isinstance(held.content, AbTestContent):
        return
    theirs, at = held.content, version.effective_at
    is_over = not theirs.enabled or (theirs.end_date is not None and theirs.end_date <= at)
    changed = after_version(held, version)
    if held.start > at or is_over or changed is None:
        return
    for member, field in _FIXED.items():
        if getattr(theirs, member) != getattr(changed.content, member):
            raise CommandRefused(
                Reason.AB_TEST_RUNNING,
                f"Test {before.entry_id!r} runs since {held.start.isoformat()} and keeps "
                f"its {field}; end it and make a new test.",
                f"/{field}",
            )


_FIXED = {
    "variants": "campaigns",
    "holdout_percentage": "holdout_percentage",
    "segment": "segment",
    "start_date": "start_date",
}
"""Members that a running test keeps, and their names in the contract."""


def _check_takes_off(content: DiscountContent) -> None:
    way_out = "correct its code, value, currency or targets."
    if not code_of(content.code):
        raise _on_nothing(f"The code is blank; {way_out}", "/code")
    if content.value <= 0:
        raise _on_nothing(f"The value is {content.value}; {way_out}", "/value")
    if content.value_type == "percentage" and content.value > ALL:
        raise _on_nothing(f"The value is {content.value} per cent; {way_out}", "/value")
    if content.value_type == "fixed_amount" and content.currency is None:
        raise _on_nothing(f"A fixed amount has no currency; {way_out}", "/currency")
    if content.target_selection != "all" and not any(map(str.strip, content.targets)):
        raise _on_nothing(
            f"The selection is {content.target_selection} and no target is named; {way_out}",
            "/targets",
        )


def _on_nothing(detail: str, pointer: str) -> CommandRefused:
    return CommandRefused(Reason.DISCOUNT_ON_NOTHING, detail, pointer)


def _check_code(before: Entry, content: DiscountContent) -> None:
    if before.code is not None and before.code != code_of(content.code):
        raise CommandRefused(
            Reason.DISCOUNT_CODE_FIXED,
            f"Discount {before.entry_id!r} has the code {before.code!r}; make a new discount with "
            "the new code.",
            "/code",
        )
