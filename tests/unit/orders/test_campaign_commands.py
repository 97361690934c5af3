"""Commands of campaigns, discounts and tests: versions, states and events."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.orders.domain.campaigns.book import VERSIONS_MAX, as_of, next_change_at, state_of
from services.orders.domain.model.campaigns import BEGINNING, EntryName, Kind
from services.orders.domain.model.commands import AdvanceCampaign, ChangeCampaigns
from services.orders.domain.model.decision import Outcome
from services.orders.domain.model.reasons import Reason
from services.orders.domain.value import replace
from tests.unit.orders.builders import DAY, HOUR, NOON, SHOP, Desk, item
from tests.unit.orders.campaign_builders import ab_test, campaign, desk_of, discount, say

SPRING = EntryName(SHOP, Kind.CAMPAIGN, "spring")
LATER = NOON + DAY
STATES: dict[str, tuple[ChangeCampaigns, ...]] = {
    "none": (),
    "scheduled": (campaign(start_date=LATER),),
    "active": (campaign(),),
    "paused": (campaign(), say("campaign", "spring", "pause", effective_at=NOON + HOUR)),
    "inactive": (campaign(enabled=False),),
    "removed": (campaign(), say("campaign", "spring", "remove", effective_at=NOON + HOUR)),
}
ACTS = {
    "upsert": campaign(at=NOON + 2 * HOUR, name="renewed"),
    "pause": say("campaign", "spring", "pause", effective_at=NOON + 2 * HOUR),
    "remove": say("campaign", "spring", "remove", effective_at=NOON + 2 * HOUR),
}
AFTER = {
    ("none", "upsert"): "active",
    ("none", "pause"): Reason.CAMPAIGN_NOT_FOUND,
    ("none", "remove"): Reason.CAMPAIGN_NOT_FOUND,
    ("scheduled", "upsert"): "active",
    ("scheduled", "pause"): "paused",
    ("scheduled", "remove"): "removed",
    ("active", "upsert"): "active",
    ("active", "pause"): "paused",
    ("active", "remove"): "removed",
    ("paused", "upsert"): "active",
    ("paused", "pause"): Reason.NO_DIFFERENCE,
    ("paused", "remove"): "removed",
    ("inactive", "upsert"): "active",
    ("inactive", "pause"): "paused",
    ("inactive", "remove"): "removed",
    ("removed", "upsert"): "active",
    ("removed", "pause"): Reason.CAMPAIGN_NOT_FOUND,
    ("removed", "remove"): Reason.CAMPAIGN_NOT_FOUND,
}
EVENTS = {
    "upsert": "campaign.updated",
    "pause": "campaign.paused",
    "remove": "campaign.removed",
}


def test_campaign_states_and_commands_are_all_in_the_table():
    assert set(AFTER) == {(state, act) for state in STATES for act in ACTS}


@pytest.mark.parametrize(("state", "act"), AFTER)
def test_campaign_command_in_every_state(state, act):
    desk = desk_of(*STATES[state], now=NOON + 3 * HOUR)
    before = desk.books.get(SHOP)
    expected = AFTER[state, act]
    was = before.entries[0].state if before else None
    assert was == (None if state == "none" else state)

    decision = desk.send(ACTS[act])

    if isinstance(expected, Reason):
        assert decision.reason is expected
        assert not decision.campaign_events
        return
    (event,) = decision.campaign_events
    assert (event.type, event.state, event.previous_state) == (EVENTS[act], expected, was)
    assert (event.version.effective_at, event.is_newest) == (NOON + 2 * HOUR, True)
    assert event.content is not None
    assert desk.books[SHOP].entries[0].state == expected


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, "active"),
        ({"start_date": NOON + HOUR}, "active"),
        ({"start_date": NOON + 3 * HOUR}, "scheduled"),
        ({"end_date": NOON + 2 * HOUR}, "inactive"),
        ({"end_date": NOON + 3 * HOUR}, "active"),
        ({"enabled": False, "start_date": NOON + 3 * HOUR}, "inactive"),
        ({"at": NOON + 3 * HOUR}, "scheduled"),
    ],
)
def test_campaign_state_by_time(said, state):
    desk = desk_of(campaign(**said), now=NOON + 2 * HOUR)

    assert desk.books[SHOP].entries[0].state == state


def test_campaign_version_holds_since_its_own_time_in_any_order():
    said = (
        campaign(name="one"),
        campaign(name="two", at=LATER),
        say("campaign", "spring", "pause", effective_at=LATER + HOUR),
    )

    orders = (said, said[:1] + said[:0:-1], (said[1], said[0], said[2]))
    books = [desk_of(*order, now=LATER + DAY).books[SHOP].entries for order in orders]

    assert books[0] == books[1] == books[2]


def test_campaign_version_that_comes_late_is_not_the_newest():
    desk = desk_of(campaign(at=LATER, name="two"), now=LATER)

    (event,) = desk.send(campaign(name="one", properties={"title": "old"})).campaign_events

    assert not event.is_newest
    assert event.content.name == "one"
    assert event.properties == {"title": "old"}
    assert desk.entries[SPRING].properties == {}
    assert state_of(desk.entries[SPRING], NOON).value == "active"


def test_campaign_version_of_the_same_time_with_the_higher_source_version_holds():
    said = (campaign(name="two", source_version=2), campaign(name="one", source_version=1))

    desk, turned = desk_of(said[0]), desk_of(*said[::-1])

    older = desk.send(said[1])

    assert older.reason is Reason.NO_DIFFERENCE

    assert desk.entries == turned.entries
    assert desk.entries[SPRING].versions[-1].content.name == "two"


def test_campaign_item_that_comes_again_is_a_duplicate():
    said = campaign()
    desk = desk_of(said)

    decision = desk.send(said)

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, Reason.DUPLICATE)
    assert not decision.entries


def test_campaign_content_that_comes_again_is_no_difference_and_remembered():
    desk = desk_of(campaign(properties={"title": "Mugs"}))
    again = campaign(at=LATER, start_date=NOON, properties={"title": "Mugs"})

    first, second = desk.send(again), desk.send(again)

    assert (first.outcome, first.reason) == (Outcome.NO_CHANGE, Reason.NO_DIFFERENCE)
    assert not first.reviews
    assert second.reason is Reason.DUPLICATE


@pytest.mark.parametrize("made", [campaign, discount, ab_test], ids=lambda made: made.__name__)
def test_campaign_content_that_comes_again_without_a_start_is_no_difference(made):
    desk = desk_of(made(), now=LATER)

    decisions = [desk.send(made(at=NOON + hour * HOUR)) for hour in (1, 2, 3)]

    assert {each.reason for each in decisions} == {Reason.NO_DIFFERENCE}
    assert not any(each.campaign_events or each.reviews for each in decisions)


PAUSED = say("campaign", "spring", "pause", effective_at=NOON + 2 * HOUR)
REMOVED = say("campaign", "spring", "remove", effective_at=NOON + 2 * HOUR)
STARTS: dict[str, tuple[tuple[ChangeCampaigns, ...], int]] = {
    "first": ((), 6),
    "after one with a start": ((campaign(start_date=NOON - HOUR),), -1),
    "after one without a start": ((campaign(),), 0),
    "after others without a start": ((campaign(), campaign(at=NOON + HOUR, name="other")), 0),
    "after one that says another start": (
        (campaign(), campaign(at=NOON + HOUR, start_date=NOON + 3 * HOUR)),
        3,
    ),
    "after one with its own time as the start": ((campaign(start_date=NOON + 6 * HOUR),), 6),
    "after one with a later start": ((campaign(start_date=NOON + 7 * HOUR),), 6),
    "after a pause": ((campaign(), PAUSED), 0),
    "after a removal": ((campaign(), REMOVED), 6),
    "after a removal and another one": ((campaign(), REMOVED, campaign(at=NOON + 3 * HOUR)), 3),
    "before another one": ((campaign(at=NOON + 7 * HOUR, name="other"),), 6),
    "of a disabled one": ((campaign(enabled=False),), 0),
}


@pytest.mark.parametrize("name", STARTS)
def test_campaign_start_that_is_not_said_follows_from_what_was_said_before(name):
    before, hours = STARTS[name]
    said = campaign(at=NOON + 6 * HOUR, name="new")
    desk = desk_of(*before, now=LATER)

    (event,) = desk.send(said).campaign_events

    held = as_of(desk.entries[SPRING], said.effective_at)
    assert held.start == held.content.start_date == NOON + hours * HOUR
    assert event.content == held.content
    turned = Desk(now=LATER)
    for command in (said, *before[::-1]):
        turned.send(command)
    assert turned.entries[SPRING].versions == desk.entries[SPRING].versions


def test_campaign_start_that_is_not_said_is_kept_when_older_versions_are_folded_away():
    desk = Desk(now=NOON + 200 * DAY)
    for n in range(VERSIONS_MAX + 5):
        desk.send(campaign(at=NOON + n * DAY, name=f"{n}"))
        assert as_of(desk.entries[SPRING], None).start == NOON

    for n in range(VERSIONS_MAX + 5, 2 * VERSIONS_MAX + 5):
        desk.send(say("campaign", "spring", "pause", effective_at=NOON + n * DAY))
        desk.send(campaign(at=NOON + n * DAY + HOUR, name=f"{n}"))
        assert as_of(desk.entries[SPRING], None).start == NOON


def test_campaign_version_id_of_a_start_that_is_not_said_is_the_same_whatever_came_before():
    said = campaign(at=LATER, name="new")
    alone, after = desk_of(said), desk_of(campaign(), said)

    ids = [each.entries[SPRING].versions[-1].version_id for each in (alone, after)]
    assert ids[0] == ids[1]


def test_campaign_version_that_said_the_same_counts_once_another_comes_between():
    desk = desk_of(campaign(name="one"), now=LATER)
    desk.send(campaign(name="one", at=LATER, start_date=NOON))

    desk.send(campaign(name="two", at=NOON + HOUR, start_date=NOON))

    (entry,) = desk.books[SHOP].entries
    assert [each.content.name for each in entry.versions] == ["one", "two", "one"]


def test_campaign_properties_alone_are_a_difference():
    desk = desk_of(campaign(properties={"title": "Mugs"}))

    decision = desk.send(campaign(at=LATER, start_date=NOON, properties={"title": "Cups"}))

    assert decision.outcome is Outcome.APPLIED
    assert desk.entries[SPRING].properties == {"title": "Cups"}
    assert desk.books[SHOP].entries[0].properties == {}


def test_campaign_version_id_depends_on_nothing_but_what_is_said():
    berlin = NOON.astimezone(tz=None)

    one = desk_of(discount(value=Decimal(10))).entries
    two = desk_of(discount(at=berlin, value=Decimal("10.00"))).entries

    ids = [next(iter(each.values())).versions[0].version_id for each in (one, two)]
    assert ids[0] == ids[1]


def test_campaign_versions_beyond_the_most_are_folded_away_and_their_items_remembered():
    desk = Desk(now=NOON + 200 * DAY)
    said = [campaign(at=NOON + n * DAY, name=f"{n}") for n in range(VERSIONS_MAX + 5)]
    for command in said:
        desk.send(command)

    (entry,) = desk.books[SHOP].entries

    assert [each.content.name for each in entry.versions] == [f"{n}" for n in range(5, 105)]
    assert len(desk.older_items) == 5
    assert desk.send(said[0]).reason is Reason.DUPLICATE


def test_campaign_versions_that_make_no_difference_are_left_out_before_others():
    desk = desk_of(campaign(name="one"), now=NOON + 20 * DAY)
    desk.send(campaign(at=NOON + HOUR, start_date=NOON, name="two"))
    again = [
        campaign(at=NOON + n * HOUR, start_date=NOON, name="two")
        for n in range(2, VERSIONS_MAX + 9)
    ]
    for command in again:
        assert desk.send(command).reason is Reason.NO_DIFFERENCE

    (entry,) = desk.books[SHOP].entries

    assert [each.content.name for each in entry.versions[:2]] == ["one", "two"]
    assert (len(entry.versions), entry.known_since) == (VERSIONS_MAX, None)
    assert {desk.send(command).reason for command in again} == {Reason.DUPLICATE}


def test_campaign_versions_keep_the_upsert_that_the_first_pause_is_about():
    desk = desk_of(campaign(), now=NOON + 200 * DAY)
    for day in range(1, VERSIONS_MAX + 1):
        act = "pause" if day % 2 else "upsert"
        at = NOON + day * DAY
        again = say("campaign", "spring", "pause", effective_at=at)
        desk.send(again if act == "pause" else campaign(at=at))

    (entry,) = desk.books[SHOP].entries

    assert len(entry.versions) == VERSIONS_MAX + 1
    assert state_of(entry, NOON + DAY).value == "paused"


def test_campaign_begins_and_ends_by_time_with_an_event_each():
    desk = desk_of(campaign(start_date=LATER, end_date=LATER + DAY))
    moments, kinds = [], []

    while (moment := next_change_at(desk.entries[SPRING], desk.now)) is not None:
        moments.append(moment)
        desk.now = moment
        decision = desk.send(AdvanceCampaign(**item(), shop=SHOP, entry_id="spring"))
        kinds += [(event.type, event.state) for event in decision.campaign_events]

    assert moments == [LATER, LATER + DAY]
    assert kinds == [("campaign.activated", "active"), ("campaign.ended", "inactive")]


def test_campaign_event_of_time_has_the_same_id_whenever_it_is_found():
    early, late = (desk_of(campaign(start_date=LATER)) for _ in range(2))
    early.now, late.now = LATER, LATER + DAY
    ids = [
        desk.send(AdvanceCampaign(**item(), shop=SHOP, entry_id="spring"))
        .campaign_events[0]
        .event_id
        for desk in (early, late)
    ]

    assert ids[0] == ids[1]


def test_campaign_that_nothing_happened_to_is_written_and_not_published():
    desk = desk_of(campaign())

    decision = desk.send(AdvanceCampaign(**item(), shop=SHOP, entry_id="spring"))

    assert decision.outcome is Outcome.NO_CHANGE
    assert decision.entries == (desk.entries[SPRING],)


def test_campaign_that_is_new_asks_for_reviews_since_its_time_and_of_all_contacts():
    reviews = [(each.since, each.only_contacts) for each in Desk().send(campaign()).reviews]

    assert reviews == [(NOON, False), (BEGINNING, True)]


def test_discount_asks_for_a_review_of_contacts_only():
    decision = desk_of(campaign()).send(discount())

    assert [(each.since, each.only_contacts) for each in decision.reviews] == [(NOON, True)]


@pytest.mark.parametrize(
    ("said", "is_of_contacts"),
    [
        ({"priority": 1}, False),
        ({"name": "Spring", "priority": 1}, False),
        ({"name": "summer"}, True),
        ({"discount_id": "ten"}, True),
    ],
)
def test_campaign_that_changes_asks_for_a_review_of_contacts_only_with_a_new_name(
    said, is_of_contacts
):
    desk = desk_of(campaign())

    reviews = desk.send(campaign(at=LATER, **said)).reviews

    assert [each.since for each in reviews if not each.only_contacts] == [LATER]
    assert any(each.only_contacts for each in reviews) is is_of_contacts


@pytest.mark.parametrize("names", [("first", "second"), ("second", "first")], ids="-".join)
@pytest.mark.parametrize("is_late", [False, True], ids=["in order", "the later one first"])
def test_of_two_versions_since_one_time_the_one_said_later_counts(names, is_late):
    former, latter = (
        replace(campaign(name=name), said_at=NOON + hours * HOUR)
        for hours, name in enumerate(names)
    )
    desk = Desk(now=LATER)
    for command in (latter, former) if is_late else (former, latter):
        desk.send(command)

    held = as_of(desk.entries[SPRING], LATER)
    assert held is not None
    assert held.content.name == names[1]


def test_pause_since_the_time_of_its_campaign_counts_where_it_was_said_later():
    made = replace(campaign(), said_at=NOON)
    paused = say("campaign", "spring", "pause", effective_at=NOON, said_at=NOON + HOUR)

    desk = desk_of(made, paused, now=LATER)

    assert state_of(desk.entries[SPRING], LATER).value == "paused"
