"""Choice: the campaign that an order's page shows, as of the order's own times.

A function of what was said of the order and of the campaigns, never of when it came
(docs/decisions/0191).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from services.orders.domain.campaigns.book import Held, as_of
from services.orders.domain.campaigns.index import Index, index_of
from services.orders.domain.model.campaigns import (
    AbTestContent,
    Act,
    Book,
    CampaignChoice,
    CampaignContent,
    Considered,
    Entry,
    Kind,
)
from services.orders.domain.model.ids import Uuid
from services.orders.domain.model.order import Order
from services.orders.domain.value import Value

CONSIDERED_MAX = 20
BUCKETS = 10_000
"""Into how many parts a test divides its orders; a per cent is a hundred of them."""

_Rank: TypeAlias = tuple[int, datetime, str]
"""The stronger is the lesser: priority with its sign turned, start, id."""
_OUTCOMES = (
    "lower_priority",
    "later_start",
    "greater_id",
    "in_test",
    "paused",
    "disabled",
    "not_started",
    "ended",
    "removed",
)
"""What comes of a campaign that is not chosen, in the order in which they are listed."""


class _Candidate(Value, frozen=True, kw_only=True):
    """A campaign that the order may show, or a test that holds the order out."""

    rank: _Rank
    segment: str | None
    held: Held | None = None
    campaign_id: str | None = None
    test_id: str | None = None

    @property
    def named(self) -> str:
        """The campaign; of a test that holds the order out, the test."""
        return self.campaign_id or self.test_id or ""


class _Test(NamedTuple):
    """A test that runs."""

    start: datetime
    test_id: str
    content: AbTestContent


@dataclass(slots=True)
class _Look:
    """What was found for an order."""

    index: Index
    at: datetime
    subject: str
    """Whom tests divide by, with the shop before it."""
    shop: str
    candidates: list[_Candidate] = field(default_factory=list)
    considered: dict[str, str] = field(default_factory=dict)


def choose(order: Order, book: Book) -> CampaignChoice | None:
    """The campaign of an order; None where its shop had no campaign and no test at its time."""
    fulfilled_at = fulfilled_at_of(order)
    at = order.placed_at if fulfilled_at is None else fulfilled_at
    index = index_of(book)
    if (held := _forgotten(order, at, index)) is not None:
        return held
    if index.began is None or index.began > at:
        return None
    subject = order.placement.external_customer_id or order.order_id
    look = _Look(index, at, subject, order.shop)
    for segment in dict.fromkeys(segments_at(order, at)):
        _look_at(look, segment)
    is_default = not look.candidates
    if is_default:
        _look_at(look, None)
    stage = "placement" if fulfilled_at is None else "fulfilment"
    return _chosen(look, stage, is_default=is_default)


def _forgotten(order: Order, at: datetime, index: Index) -> CampaignChoice | None:
    """The choice that an order has, where versions of its campaign or test that decided are gone.

    Such a choice cannot be made again.
    """
    held = order.campaign
    if held is None or held.at != at:
        return None
    is_forgotten = any(
        entry_id is not None and at < index.known_since.get((kind, entry_id), at)
        for kind, entry_id in ((Kind.CAMPAIGN, held.campaign_id), (Kind.AB_TEST, held.test_id))
    )
    return held if is_forgotten else None


def fulfilled_at_of(order: Order) -> datetime | None:
    """When the first parcel that has a number was handed over; None: none has one."""
    times = [
        each.tracking_placed_at
        for each in order.shipments
        if each.number is not None and each.tracking_placed_at is not None
    ]
    return min(times, default=None)


def segments_at(order: Order, at: datetime) -> tuple[str, ...]:
    """The customer's segments at a time: the newest said until then, else the first that are."""
    if not order.said_segments:
        return order.placement.segments
    held, *later = order.said_segments
    for said in later:
        if said.at is not None and said.at <= at:
            held = said
    return held.segments


def bucket_of(shop: str, test_id: str, subject: str) -> int:
    """The part of a test's orders that one is in: always the same for a customer."""
    digest = sha256(f"{shop}/{test_id}/{subject}".encode()).digest()
    return int.from_bytes(digest[:8]) % BUCKETS


def _look_at(look: _Look, segment: str | None) -> None:
    """Find the candidates for a segment; None: those for every order."""
    running = _running_tests(look, segment)
    campaigns = look.index.campaigns.get(segment, ())
    for entry in campaigns:
        held = as_of(entry, look.at)
        content = _campaign(held)
        if held is None or content is None or content.segment != segment:
            continue
        outcome = _outcome_of(held, look.at)
        if outcome is not None or running:
            look.considered[entry.entry_id] = outcome or "in_test"
        else:
            look.candidates.append(_candidate(entry, held, content, segment))
    if running:
        first, *others = running
        _look_at_test(look, segment, first)
        for test in others:
            outcome = "later_start" if test.start > first.start else "greater_id"
            look.considered[test.test_id] = outcome


def _running_tests(look: _Look, segment: str | None) -> list[_Test]:
    """The tests of a segment that run, the one that counts first; others are considered."""
    running: list[_Test] = []
    for entry in look.index.tests.get(segment, ()):
        held = as_of(entry, look.at)
        content = held.content if held is not None else None
        if held is None or not isinstance(content, AbTestContent) or content.segment != segment:
            continue
        outcome = _outcome_by_time(held, content, look.at)
        if outcome is None:
            running.append(_Test(held.start, entry.entry_id, content))
        else:
            look.considered[entry.entry_id] = outcome
    return sorted(running, key=lambda test: test[:2])


def _look_at_test(look: _Look, segment: str | None, test: _Test) -> None:
    """Find what a test shows the order: one of its campaigns, or none at all."""
    shown: dict[str, _Candidate] = {}
    for variant in test.content.variants:
        entry = look.index.by_id.get(variant.campaign_id)
        held = as_of(entry, look.at) if entry is not None else None
        campaign = _campaign(held)
        if entry is None or held is None or campaign is None:
            continue
        look.considered[entry.entry_id] = _WORDS.get(held.act, "in_test")
        if held.act is Act.UPSERT:
            shown[entry.entry_id] = _candidate(entry, held, campaign, segment, test.test_id)
    assigned = _assigned(look, test.test_id, test.content)
    if assigned is None and shown:
        rank = min(each.rank for each in shown.values())
        look.candidates.append(_Candidate(rank=rank, segment=segment, test_id=test.test_id))
    elif assigned in shown:
        look.considered.pop(assigned)
        look.candidates.append(shown[assigned])


def _assigned(look: _Look, test_id: str, content: AbTestContent) -> str | None:
    """The campaign that a test assigns to the order; None: the order is held out."""
    bucket, bound = bucket_of(look.shop, test_id, look.subject), 0
    for variant in sorted(content.variants, key=lambda each: each.campaign_id):
        bound += variant.allocation * BUCKETS // 100
        if bucket < bound:
            return variant.campaign_id
    return None


def _candidate(
    entry: Entry,
    held: Held,
    content: CampaignContent,
    segment: str | None,
    test_id: str | None = None,
) -> _Candidate:
    return _Candidate(
        rank=(-content.priority, held.start, entry.entry_id),
        segment=segment,
        held=held,
        campaign_id=entry.entry_id,
        test_id=test_id,
    )


def _campaign(held: Held | None) -> CampaignContent | None:
    content = held.content if held is not None else None
    return content if isinstance(content, CampaignContent) else None


_WORDS = {Act.PAUSE: "paused", Act.REMOVE: "removed"}


def _outcome_of(held: Held, at: datetime) -> str | None:
    """Why a campaign does not hold at a time; None: it does."""
    content = _campaign(held)
    if content is None or held.act in _WORDS:
        return _WORDS.get(held.act)
    return _outcome_by_time(held, content, at)


def _outcome_by_time(
    held: Held, content: CampaignContent | AbTestContent, at: datetime
) -> str | None:
    if not content.enabled:
        return "disabled"
    if held.start > at:
        return "not_started"
    if content.end_date is not None and content.end_date <= at:
        return "ended"
    return None


def _chosen(look: _Look, stage: str, *, is_default: bool) -> CampaignChoice:
    ordered = sorted(look.candidates, key=lambda each: each.rank)
    if not ordered:
        return CampaignChoice(
            stage=stage, at=look.at, rule="no_match", considered=_considered(look, ())
        )
    winner, *others = ordered
    content, version_id = _shown_by(winner)
    return CampaignChoice(
        stage=stage,
        at=look.at,
        rule=_rule(winner, others, is_default=is_default),
        campaign_id=winner.campaign_id,
        campaign_version=version_id,
        segment=winner.segment,
        test_id=winner.test_id,
        is_held_out=winner.held is None,
        discount_id=content.discount_id if content is not None else None,
        considered=_considered(look, [(each, _lost(each, winner)) for each in others], winner),
    )


def _shown_by(candidate: _Candidate) -> tuple[CampaignContent | None, Uuid | None]:
    held = candidate.held
    return _campaign(held), held.version_id if held is not None else None


def _rule(winner: _Candidate, others: Sequence[_Candidate], *, is_default: bool) -> str:
    if winner.held is None:
        return "hold_out"
    if winner.test_id is not None:
        return "ab_test"
    if is_default:
        return "default"
    if not others:
        return "only_match"
    return _RULES[_lost(others[0], winner)]


_RULES = {"lower_priority": "priority", "later_start": "earliest_start", "greater_id": "id"}


def _lost(loser: _Candidate, winner: _Candidate) -> str:
    """By what a candidate lost to the one that is chosen."""
    if loser.rank[0] != winner.rank[0]:
        return "lower_priority"
    return "later_start" if loser.rank[1] != winner.rank[1] else "greater_id"


def _considered(
    look: _Look,
    losers: Sequence[tuple[_Candidate, str]],
    winner: _Candidate | None = None,
) -> tuple[Considered, ...]:
    """What matched and was not chosen, the nearest first."""
    found = {**look.considered, **{each.named: outcome for each, outcome in losers}}
    if winner is not None:
        found.pop(winner.named, None)
    ordered = sorted(found.items(), key=lambda each: (_OUTCOMES.index(each[1]), each[0]))
    return tuple([Considered(campaign_id=name, outcome=outcome) for name, outcome in ordered])[
        :CONSIDERED_MAX
    ]
