"""A seeded synthetic shop: a few hundred orders of all kinds, and what they must come to."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from demo.claims import COMPLAINTS
from demo.expectation import Expectation
from demo.invalid_orders import MISTAKES, Mistakes, for_unknown_order, unreadable
from demo.messages import command, tracking
from demo.number_stories import NUMBER_STORIES
from demo.sample_data import PLACES
from demo.script import Script, ScriptMessage, for_ever, in_time
from demo.stories import HOME, LIVES, Life
from demo.story import Story
from schemas.topics import CARRIER_TRACKING

SHOP = "demo-shop"
OPENS_AT = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
PLACED_WITHIN_HOURS = 240
BULK_SIZE = 8
LOST_PARCELS = 3


@dataclass(slots=True)
class Shop:
    """The shop as it is made up: its stories so far."""

    slug: str
    rng: random.Random
    stories: list[Story] = field(default_factory=list)
    mistakes: Mistakes = field(default_factory=Mistakes)
    loose: list[ScriptMessage] = field(default_factory=list)

    def open_story(self, *, at: datetime | None = None, is_other_shop: bool = False) -> Story:
        """A new order, at some moment unless `at` says when, not lived yet."""
        at = at or OPENS_AT + timedelta(minutes=self.rng.randint(0, PLACED_WITHIN_HOURS * 60))
        story = Story(
            shop=f"other-{self.slug}" if is_other_shop else self.slug,
            number=f"{1000 + len(self.stories)}",
            now=at,
            place=self.rng.choice(PLACES),
            rng=self.rng,
        )
        self.stories.append(story)
        return story


def synthetic_script(seed: int = 1, *, scale: float = 1.0, shop: str = SHOP) -> Script:
    """The script of `seed`. `scale` 1 is about 320 orders; each life comes at least once."""
    made = Shop(shop, random.Random(f"{seed}/{shop}"))
    for count, life in LIVES:
        _live(made, life, max(1, round(count * scale)))
    for complaint in COMPLAINTS:
        for _ in range(max(1, round(2 * scale))):
            complaint(made.open_story())
    for mistake in MISTAKES:
        mistake(made.open_story(), made.mistakes)
    _fulfil_in_bulk(made)
    _go_astray(made)
    for count, number_story in NUMBER_STORIES:
        for _ in range(max(1, round(count * scale))):
            number_story(made.open_story)
    return _finished(made, seed)


def _live(shop: Shop, life: Life, count: int) -> None:
    for _ in range(count):
        life(shop.open_story())


def _fulfil_in_bulk(shop: Shop) -> None:
    """One message ships many orders; one of its items is invalid and stops no other."""
    stories = [shop.open_story() for _ in range(BULK_SIZE)]
    for story in stories:
        story.order()
    at = max(story.now for story in stories) + timedelta(hours=3)
    items = []
    for story in stories:
        story.now = at
        items.append({**story.reference, "trackings": [story.label(story.pack())]})
    broken = {"id": stories[0].number, "id_type": "order_number", "trackings": [{"products": []}]}
    items.insert(3, broken)
    key = f"{shop.slug}/bulk"
    message = command(key, "orders.fulfill_bulk", {"items": items}, at, id_=f"{key}-1")
    shop.loose.append(message)
    shop.mistakes.expect(message, "invalid_fields", index=3)
    for story in stories:
        story.scan(story.parcels[0], *HOME)


def _go_astray(shop: Shop) -> None:
    """What belongs to no order: unreadable commands, an unknown order, parcels without an order."""
    story = Story(shop.slug, "none", OPENS_AT + timedelta(days=2), PLACES[0], shop.rng)
    shop.loose += unreadable(shop.slug, story, shop.mistakes)
    shop.loose.append(for_unknown_order(shop.slug, story, shop.mistakes))
    for _ in range(LOST_PARCELS):
        parcel = story.pack()
        scan = story.scanned(parcel, "PICKED_UP_BY_CARRIER")
        name = f"{parcel.number}/1"
        message = tracking(parcel.carrier, parcel.number, [scan], story.now, id_=name)
        shop.loose.append(for_ever(message))


def _finished(shop: Shop, seed: int) -> Script:
    lived = [message for story in shop.stories for message in story.messages]
    messages = in_time([*lived, *shop.loose])
    expectation = Expectation(
        orders={story.key: story.answer() for story in shop.stories},
        claims=tuple(claim for story in shop.stories for claim in story.claims),
        refusals=tuple(shop.mistakes.found),
        scans=len(set(_scans(messages))),
    )
    return Script(f"synthetic shop, seed {seed}", messages, expectation)


def _scans(messages: Sequence[ScriptMessage]) -> Iterator[tuple[str, str]]:
    """Each scan once, however often it was reported; what has no time is none."""
    for message in messages:
        if message.topic == CARRIER_TRACKING:
            body = json.loads(message.value or b"")
            for scan in body["scans"]:
                if "occurred_at" in scan:
                    yield body["tracking_number"], scan["scan_id"]
