"""The campaign that an order must show, in small shops written by hand."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from demo.campaigns.book import book_of
from demo.campaigns.choice import assigned, bucket, final_choice, placement_choice, segments_at
from demo.campaigns.said import AbTest, Campaign, Discount, OrderFacts, Saying

START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number):
    return START + timedelta(days=number)


def upsert(id_, since, content, version=0):
    return Saying(id_, "upsert", day(since), content, version)


def campaign(id_, segment="news", **how):
    since = how.pop("since", 0)
    return upsert(id_, since, Campaign(id_, segment, **how))


def order(*segments, at=10, **facts):
    facts.setdefault("segments", [(day(at), segments)])
    return OrderFacts("shop", "1001", day(at), **facts)


def shown(order_facts, *sayings):
    choice = placement_choice(order_facts, book_of(sayings))
    return choice.rule, choice.campaign_id


@pytest.mark.parametrize(
    ("sayings", "expected"),
    [
        ([], ("no_match", None)),
        ([campaign("a", "other")], ("no_match", None)),
        ([campaign("a")], ("only_match", "a")),
        ([campaign("a", None)], ("default", "a")),
        ([campaign("a", None, priority=9), campaign("b")], ("only_match", "b")),
        ([campaign("a", "vip", priority=1), campaign("b", priority=2)], ("priority", "b")),
        (
            [campaign("a", "vip", start=day(2)), campaign("b", start=day(1))],
            ("earliest_start", "b"),
        ),
        ([campaign("b", "vip"), campaign("a")], ("id", "a")),
        ([campaign("a", enabled=False)], ("no_match", None)),
        ([campaign("a", start=day(10))], ("only_match", "a")),
        ([campaign("a", start=day(11))], ("no_match", None)),
        ([campaign("a", end=day(10))], ("no_match", None)),
        ([campaign("a", since=11)], ("no_match", None)),
        ([campaign("a"), Saying("a", "pause", day(9))], ("no_match", None)),
        ([campaign("a"), Saying("a", "pause", day(11))], ("only_match", "a")),
        ([campaign("a"), Saying("a", "remove", day(10))], ("no_match", None)),
        (
            [campaign("a"), Saying("a", "pause", day(3)), campaign("a", since=9)],
            ("only_match", "a"),
        ),
    ],
    ids=[
        *("nothing-said", "other-segment", "one", "default", "default-is-last", "priority"),
        *("start", "id", "disabled", "starts-now", "not-started", "ends-now", "said-later"),
        *("paused", "paused-later", "removed", "brought-back"),
    ],
)
def test_choice_is_made_by_the_first_rule_that_decides(sayings, expected):
    assert shown(order("news", "vip"), *sayings) == expected


def test_choice_names_version_segment_and_discount():
    sayings = [campaign("a", discount_id="d", since=3), campaign("a", discount_id="e", since=5)]

    choice = placement_choice(order("news"), book_of(sayings))

    assert (choice.since, choice.segment, choice.discount_id) == (day(5), "news", "e")


def test_choice_is_the_same_in_whatever_order_versions_were_said():
    sayings = [
        campaign("a", priority=1, since=1),
        campaign("a", priority=9, since=4),
        Saying("a", "pause", day(6)),
        campaign("a", priority=3, since=8),
        campaign("b", "vip", priority=5, since=2),
    ]
    for at, expected in [(1, "a"), (3, "b"), (5, "a"), (7, "b"), (9, "b")]:
        found = {shown(order("news", "vip", at=at), *each)[1] for each in permutations(sayings)}
        assert found == {expected}, at


def test_choice_of_a_segment_said_twice_has_one_candidate():
    assert shown(order("news", "news"), campaign("a")) == ("only_match", "a")


def test_final_choice_is_as_of_the_earliest_parcel():
    book = book_of([campaign("a", end=day(12)), campaign("b", start=day(12), end=day(13))])

    final = final_choice(order("news", parcels=[day(14), day(12)]), book)

    assert (final.stage, final.at, final.campaign_id) == ("fulfilment", day(12), "b")
    assert final_choice(order("news"), book).stage == "placement"


@pytest.mark.parametrize(
    ("at", "expected"), [(1, ("none",)), (2, ("two",)), (4, ("two",)), (5, ("five",))]
)
def test_segments_are_the_newest_of_the_time_else_those_without_time(at, expected):
    said = [(day(5), ("five",)), (None, ("none",)), (day(2), ("two",))]

    assert segments_at(order(segments=said), day(at)) == expected


def test_segments_before_all_that_were_said_are_the_earliest():
    said = [(day(5), ("five",)), (day(2), ("two",))]

    assert segments_at(order(segments=said), day(1)) == ("two",)


TEST = AbTest("t", "news", (("a", 40), ("b", 40)), start=day(5), end=day(20))
ARMS = (campaign("a", enabled=False, priority=5), campaign("b", enabled=False, priority=5))


def customer_of(arm):
    """A customer that the test gives an arm."""
    names = (f"customer-{number}" for number in range(1000))
    return next(name for name in names if assigned(order(customer=name), "t", TEST) == arm)


@pytest.mark.parametrize("arm", ["a", "b"])
def test_ab_test_shows_the_arm_of_the_customer_in_place_of_the_segments_campaigns(arm):
    facts = order("news", customer=customer_of(arm))

    assert shown(facts, *ARMS, campaign("c", priority=9), upsert("t", 1, TEST)) == ("ab_test", arm)


@pytest.mark.parametrize("at", [4, 20], ids=["before", "over"])
def test_ab_test_that_does_not_run_shows_nothing(at):
    facts = order("news", at=at, customer=customer_of("a"))

    assert shown(facts, *ARMS, campaign("c"), upsert("t", 1, TEST)) == ("only_match", "c")


def test_ab_test_shows_no_campaign_to_a_held_out_order_not_even_a_default():
    facts = order("news", customer=customer_of(None))
    book = book_of([*ARMS, campaign("c", None), upsert("t", 1, TEST)])

    choice = placement_choice(facts, book)

    assert (choice.rule, choice.campaign_id, choice.test_id) == ("hold_out", None, "t")
    assert choice.is_held_out


@pytest.mark.parametrize("arm", ["a", None], ids=["treated", "held-out"])
@pytest.mark.parametrize(("priority", "is_stronger"), [(4, False), (6, True)])
def test_ab_test_competes_with_other_segments_by_the_priority_of_its_campaigns(
    arm, priority, is_stronger
):
    facts = order("news", "vip", customer=customer_of(arm))
    rival = campaign("v", "vip", priority=priority)

    found = shown(facts, *ARMS, rival, upsert("t", 1, TEST))

    by_test = ("ab_test", "a") if arm else ("hold_out", None)
    assert found == (("priority", "v") if is_stronger else by_test)


def test_ab_test_does_not_show_a_paused_campaign():
    facts = order("news", customer=customer_of("a"))
    paused = Saying("a", "pause", day(7))

    found = shown(facts, *ARMS, paused, campaign("c", None), upsert("t", 1, TEST))

    assert found == ("default", "c")


def test_ab_test_assigns_by_share_and_the_same_for_a_customer():
    customers = [order(customer=f"customer-{number}") for number in range(10_000)]

    arms = Counter(assigned(each, "t", TEST) for each in customers)

    assert all(
        abs(arms[arm] - share) < 200 for arm, share in (("a", 4000), ("b", 4000), (None, 2000))
    )
    other = replace(customers[7], number="2002", placed_at=day(30))
    assert assigned(other, "t", TEST) == assigned(customers[7], "t", TEST)


def test_ab_test_bucket_is_the_first_eight_bytes_of_the_digest():
    """`printf shop/t/customer-0 | sha256sum` begins with 4aac70f7066abe85."""
    assert bucket(order(customer="customer-0"), "t") == 0x4AAC70F7066ABE85 % 10_000


def test_book_keeps_kinds_apart():
    book = book_of([campaign("x"), upsert("y", 0, Discount("CODE"))])

    assert list(book.ids(Campaign)) == ["x"]
    assert book.knows("y", Discount)
    assert not book.knows("y", Campaign)
