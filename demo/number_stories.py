"""Stories of tracking numbers: on two orders, taken off, corrected, used again, another shop's.

Each answer is certain in any order of messages: a number that is used again had ended, or was
silent, long before; one that is taken off without force is never delivered, as a delivered
parcel keeps its number. Played in time, what comes before something else is hours before it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from demo.messages import Body
from demo.parcels import Parcel
from demo.script import answered_in_time, for_ever
from demo.stories import HOME, SCANS_BEFORE_DELIVERY
from demo.story import Story

ONCE_EACH = (
    "shipment_pre_transit",
    "shipment_in_transit",
    "shipment_out_for_delivery",
    "shipment_delivered",
)
A_YEAR = timedelta(days=365)
SILENCE = timedelta(days=90)
"""Longer than the 60 days after which a number that nothing is reported of may be used again."""


class OpenStory(Protocol):
    """Makes a new order, at a time or at some moment, of the shop or of another one."""

    def __call__(self, *, at: datetime | None = None, is_other_shop: bool = False) -> Story:
        """A new order, not lived yet."""


def two_orders_in_one_box(open_story: OpenStory) -> None:
    """One number on two orders, repeated by the shop's sync: each customer is notified once."""
    first = open_story()
    second = open_story(at=first.now)
    first.order()
    second.order()
    first.wait(4)
    second.now = first.now
    box = first.pack()
    shared = second.hold(Parcel(box.number, box.carrier))
    labels = first.label(box), second.label(shared)
    _sync(first, second, labels)
    for event in HOME:
        first.scan(box, event)
        _follow(second, shared, first, event)
        _sync(first, second, labels)
    shared.scans = box.scans
    box.notified = shared.notified = dict.fromkeys(ONCE_EACH, 1)
    box.shows_places = shared.shows_places = True


def voided_label(open_story: OpenStory) -> None:
    """A label is voided and goes on travelling; the order's parcel gets another one."""
    story = open_story()
    story.order().wait(4)
    wrong = story.ship()
    story.scan(wrong, "LABEL_CREATED", "PICKED_UP_BY_CARRIER")
    _in_time_only(story, 2)
    story.wait(5)
    _void(story, wrong, reason="label voided")
    lost = Parcel(wrong.number, wrong.carrier, scan_count=wrong.scan_count)
    for event in ("ARRIVAL_AT_TRANSPORT_HUB", "OUT_FOR_DELIVERY"):
        story.wait(5)
        story.report(lost, story.scanned(lost, event))
        story.messages[-1] = for_ever(story.messages[-1])
    story.scan(story.ship(), *HOME)


def corrected_number(open_story: OpenStory) -> None:
    """A mistyped number is corrected under the same id of the shipment: it stays one parcel."""
    story = open_story()
    story.order().wait(4)
    wrong = story.pack()
    wrong.external_id = f"ful-{story.number}"
    story.attach(wrong)
    story.wait(5)
    _correct(story, wrong)


def number_of_another_shop(open_story: OpenStory) -> None:
    """Another shop mistypes a number of this shop, sees no place of it, and takes it off."""
    story = open_story()
    story.order().wait(4)
    parcel = story.ship()
    story.scan(parcel, "PICKED_UP_BY_CARRIER")
    other = open_story(at=story.now, is_other_shop=True)
    other.order().wait(4)
    wrong = Parcel(parcel.number, parcel.carrier, shows_places=False)
    other.attach(other.hold(wrong))
    story.now = other.now
    story.scan(parcel, "ARRIVAL_AT_TRANSPORT_HUB")
    _follow(other, wrong, story, "ARRIVAL_AT_TRANSPORT_HUB")
    wrong.scans = set(parcel.scans)
    other.wait(5)
    _void(other, wrong, reason="mistyped", force=True)
    story.now = other.now
    other.scan(other.ship(), *HOME)
    story.scan(parcel, "OUT_FOR_DELIVERY", "SUCCESSFULLY_DELIVERED")
    parcel.shows_places = True


def used_again_a_year_later(open_story: OpenStory) -> None:
    """The number of a delivered parcel comes again: the former order stays delivered."""
    _use_again(open_story, HOME, A_YEAR)


def used_again_after_silence(open_story: OpenStory) -> None:
    """The same of a parcel last seen out for delivery, by another shop: it stays as it was."""
    _use_again(open_story, SCANS_BEFORE_DELIVERY, SILENCE, is_other_shop=True)


def _use_again(
    open_story: OpenStory, scans: tuple[str, ...], later: timedelta, *, is_other_shop: bool = False
) -> None:
    new = open_story(is_other_shop=is_other_shop)
    old = open_story(at=new.now - later)
    old.order().wait(6)
    former = old.ship()
    old.scan(former, *scans)
    new.order().wait(6)
    again = Parcel(former.number, former.carrier, scan_count=former.scan_count)
    new.scan(new.attach(new.hold(again)), *HOME)
    former.shows_places = again.shows_places = True
    again.notified = dict.fromkeys(ONCE_EACH, 1)


def _sync(first: Story, second: Story, labels: tuple[Body, Body]) -> None:
    for story, label in zip((first, second), labels, strict=True):
        story.send("order.upsert", {"trackings": [label]})


def _follow(other: Story, parcel: Parcel, story: Story, event: str) -> None:
    """What a scan that `story` reported does to the other order that has its number."""
    other.now = story.now
    other.move(parcel, event)


def _correct(story: Story, wrong: Parcel) -> None:
    """Replace a number under its `external_shipment_id`; what is left of it is the new parcel."""
    story.release(wrong, "replace")
    right = story.pack()
    right.external_id = wrong.external_id
    story.scan(story.attach(right), *HOME)


def _void(story: Story, parcel: Parcel, **said: Any) -> None:
    story.send("shipment.void", {"tracking_number": parcel.number, **said})
    story.release(parcel, "void")


def _in_time_only(story: Story, count: int) -> None:
    story.messages[-count:] = map(answered_in_time, story.messages[-count:])


NumberStory = Callable[[OpenStory], None]

NUMBER_STORIES: tuple[tuple[int, NumberStory], ...] = (
    (4, two_orders_in_one_box),
    (4, voided_label),
    (4, corrected_number),
    (3, number_of_another_shop),
    (3, used_again_a_year_later),
    (3, used_again_after_silence),
)
"""How many of each there are in a shop of scale 1."""
