"""The campaign that an order's page must show, and the rule that decides it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from demo.campaigns.book import Book, Held, Rank, rank
from demo.campaigns.said import AbTest, Campaign, OrderFacts

PLACEMENT = "placement"
FULFILMENT = "fulfilment"
BUCKETS = 10_000
BUCKETS_A_PERCENT = 100
HASH_BYTES = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """What an order's page shows, as of `at`. `since` is when the campaign's content came to hold;
    `segment` and `test_id` are those that led to it.
    """

    stage: str
    at: datetime
    rule: str
    campaign_id: str | None = None
    since: datetime | None = None
    segment: str | None = None
    test_id: str | None = None
    is_held_out: bool = False
    discount_id: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A campaign that an order may show; of a held-out order the one that it would have shown."""

    campaign: Held
    segment: str | None
    test_id: str | None = None
    is_held_out: bool = False

    @property
    def rank(self) -> Rank:
        """Its place among the candidates."""
        return rank(self.campaign)


def final_choice(order: OrderFacts, book: Book) -> Choice:
    """As of the first parcel if there is one: later segments and campaigns change nothing."""
    if order.fulfilled_at is None:
        return choose(order, book, PLACEMENT, order.placed_at)
    return choose(order, book, FULFILMENT, order.fulfilled_at)


def placement_choice(order: OrderFacts, book: Book) -> Choice:
    """As of when the order was placed."""
    return choose(order, book, PLACEMENT, order.placed_at)


def choose(order: OrderFacts, book: Book, stage: str, at: datetime) -> Choice:
    """Choose among the campaigns and tests that held at a time."""
    segments = dict.fromkeys(segments_at(order, at))
    found = [each for segment in segments for each in _candidates(order, book, segment, at)]
    if found:
        found.sort(key=lambda each: each.rank)
        return _chosen(found[0], _rule(found), stage, at)
    found = sorted(_candidates(order, book, None, at), key=lambda each: each.rank)
    if found:
        by_test = found[0].test_id is not None
        return _chosen(found[0], _rule(found) if by_test else "default", stage, at)
    return Choice(stage, at, "no_match")


def segments_at(order: OrderFacts, at: datetime) -> tuple[str, ...]:
    """The newest segments that were said for a time up to `at`.

    Else those without a time, else the earliest.
    """
    timed = sorted((when, segments) for when, segments in order.segments if when is not None)
    past = [segments for when, segments in timed if when <= at]
    untimed = [segments for when, segments in order.segments if when is None]
    if past:
        return past[-1]
    return [*untimed, *(segments for _, segments in timed), ()][0]


def bucket(order: OrderFacts, test_id: str) -> int:
    """The order's place in a test: the same for all orders of a customer."""
    who = order.customer or str(order.uuid)
    digest = hashlib.sha256(f"{order.shop}/{test_id}/{who}".encode()).digest()
    return int.from_bytes(digest[:HASH_BYTES], "big") % BUCKETS


def assigned(order: OrderFacts, test_id: str, test: AbTest) -> str | None:
    """The campaign of a test that an order is given; None: held out."""
    place, reached = bucket(order, test_id), 0
    for campaign_id, share in sorted(test.shares):
        reached += share * BUCKETS_A_PERCENT
        if place < reached:
            return campaign_id
    return None


def _candidates(
    order: OrderFacts, book: Book, segment: str | None, at: datetime
) -> Iterator[Candidate]:
    """What an order may show by a segment: a test goes in the place of the campaigns."""
    tests = [each for each in book.running(AbTest, at) if each.content.segment == segment]  # type: ignore[union-attr]
    if tests:
        yield from _by_test(order, book, tests[0], segment, at)
        return
    for campaign in book.running(Campaign, at):
        if campaign.content.segment == segment:  # type: ignore[union-attr]
            yield Candidate(campaign, segment)


def _by_test(
    order: OrderFacts, book: Book, held: Held, segment: str | None, at: datetime
) -> Iterator[Candidate]:
    test = cast("AbTest", held.content)
    stood = {id_: book.at(id_, at) for id_, _ in test.shares}
    shown = {id_: each for id_, each in stood.items() if each and each.is_shown}
    given = assigned(order, held.id, test)
    if given is None and shown:
        yield Candidate(min(shown.values(), key=rank), segment, held.id, is_held_out=True)
    elif given in shown:
        yield Candidate(shown[given], segment, held.id)


def _rule(found: list[Candidate]) -> str:
    """What made the first one the first."""
    first = found[0]
    if first.test_id:
        return "hold_out" if first.is_held_out else "ab_test"
    if len(found) == 1:
        return "only_match"
    by = zip(("priority", "earliest_start", "id"), first.rank, found[1].rank, strict=True)
    return next(name for name, mine, other in by if mine != other)


def _chosen(chosen: Candidate, rule: str, stage: str, at: datetime) -> Choice:
    if chosen.is_held_out:
        return Choice(
            stage, at, rule, segment=chosen.segment, test_id=chosen.test_id, is_held_out=True
        )
    campaign = cast("Campaign", chosen.campaign.content)
    return Choice(
        stage=stage,
        at=at,
        rule=rule,
        campaign_id=chosen.campaign.id,
        since=chosen.campaign.since,
        segment=chosen.segment,
        test_id=chosen.test_id,
        discount_id=campaign.discount_id,
    )
