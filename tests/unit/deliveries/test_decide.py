"""Commands of destinations: each state and each command, and what is refused."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.deliveries.domain.commands import Pause, Remove, Resume, RotateSecret, Upsert
from services.deliveries.domain.decide import (
    DESTINATIONS_MAX,
    FORMER_VALID,
    Happened,
    Outcome,
    decide,
)
from services.deliveries.domain.destination import (
    APPLIED_MAX,
    Destination,
    Form,
    Kind,
    Secret,
    State,
    Target,
    WhenExhausted,
)
from services.deliveries.domain.reasons import NoChangeReason, RejectionReason

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
TARGET = Target("webhook", "https://hooks.shop.example/")
OTHER = Target("webhook", "https://other.shop.example/")
NAMED = {"item_id": "new", "shop": "demo", "name": "erp"}
FEED = Target(Kind.FEED)
OLD, NEW = Secret(b"old"), Secret(b"new")


def stored(state=State.ACTIVE, **changes):
    """A stored destination."""
    found = Destination(
        shop="demo", name="erp", target=TARGET, state=state, secret=OLD, id=7, applied=("first",)
    )
    return replace(found, **changes)


def upsert(target=TARGET, secret=NEW, **changes):
    """An upsert of the destination."""
    return Upsert(**{**NAMED, **changes}, target=target, secret=secret)


COMMANDS = {
    "upsert": upsert(),
    "upsert of another target": upsert(OTHER),
    "pause": Pause(**NAMED),
    "resume": Resume(**NAMED),
    "rotate": RotateSecret(**NAMED, secret=NEW),
    "remove": Remove(**NAMED),
}
NO_CHANGE, NOT_FOUND = NoChangeReason.NO_DIFFERENCE, RejectionReason.DESTINATION_NOT_FOUND
ACTIVE, PAUSED, DISABLED, REMOVED = State


ENABLED_, REMOVED_ = Happened.ENABLED, Happened.REMOVED
AFTER = {
    None: (ACTIVE, ACTIVE, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND),
    ACTIVE: (NO_CHANGE, ACTIVE, PAUSED, NO_CHANGE, ACTIVE, (REMOVED, REMOVED_)),
    PAUSED: (NO_CHANGE, PAUSED, NO_CHANGE, ACTIVE, PAUSED, (REMOVED, REMOVED_)),
    DISABLED: (
        NO_CHANGE, DISABLED, NO_CHANGE, (ACTIVE, ENABLED_), DISABLED, (REMOVED, REMOVED_)
    ),
    REMOVED: (ACTIVE, ACTIVE, NOT_FOUND, NOT_FOUND, NOT_FOUND, NOT_FOUND),
}  # fmt: skip
"""By state: what each of COMMANDS leads to, a state (and an event) or a reason."""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("state", AFTER)
def test_command_in_a_state_leads_to(state, command):
    expected = AFTER[state][list(COMMANDS).index(command)]
    decision = decide(stored(state) if state else None, COMMANDS[command], 1, NOW)

    after, happened = expected if isinstance(expected, tuple) else (expected, None)
    assert decision.happened is happened
    if isinstance(after, State):
        assert decision.outcome is Outcome.APPLIED
        assert decision.destination.state is after
        assert decision.destination.applied[-1] == "new"
    else:
        refused = after is NOT_FOUND
        assert decision.outcome is (Outcome.REJECTED if refused else Outcome.NO_CHANGE)
        assert (decision.reason, decision.destination) == (after, None)
        assert decision.detail


@given(st.lists(st.sampled_from([*COMMANDS, "disable"]), max_size=30))
def test_each_disabled_is_followed_by_one_enabled_or_removed(steps):
    """`disable` is what the sender does to an active destination that receives nothing."""
    found, events = None, []
    for number, step in enumerate(steps):
        if step == "disable":
            if found and found.state is ACTIVE:
                found = replace(found, state=DISABLED)
                events.append(Happened.DISABLED)
            continue
        decision = decide(found, replace(COMMANDS[step], item_id=str(number)), 0, NOW)
        found = decision.destination or found
        events += [decision.happened] if decision.happened else []

    disabled, enabled, removed = Happened
    assert events[:1] != [enabled]
    for before, after in pairwise(events):
        assert before is not disabled or after in {enabled, removed}
        assert after is not enabled or before is disabled
    is_disabled = bool(found and found.state is DISABLED)
    assert (events[-1:] == [disabled]) is is_disabled


def test_command_that_is_repeated_changes_nothing():
    decision = decide(stored(), upsert(OTHER, item_id="first"), 1, NOW)

    assert (decision.outcome, decision.reason) == (Outcome.NO_CHANGE, NoChangeReason.DUPLICATE)


def test_destination_names_its_newest_commands():
    before = stored(applied=tuple(map(str, range(APPLIED_MAX))))

    after = decide(before, COMMANDS["pause"], 1, NOW).destination

    assert after.applied == (*map(str, range(1, APPLIED_MAX)), "new")


def test_secret_that_is_rotated_stays_valid_for_a_day():
    after = decide(stored(), COMMANDS["rotate"], 1, NOW).destination

    assert after.secret == Secret(b"new", b"old", NOW + FORMER_VALID)
    assert timedelta(days=1) == FORMER_VALID


def test_secret_that_is_rotated_twice_ends_at_once():
    once = decide(stored(), COMMANDS["rotate"], 1, NOW).destination
    again = RotateSecret(item_id="again", shop=once.shop, name=once.name, secret=Secret(b"newer"))

    twice = decide(once, again, 1, NOW).destination

    assert twice.secret == Secret(b"newer", b"new", NOW + FORMER_VALID)


@pytest.mark.parametrize(
    ("state", "command", "retries_now"),
    [
        (PAUSED, "resume", True),
        (DISABLED, "resume", True),
        (ACTIVE, "upsert of another target", True),
        (ACTIVE, "pause", False),
        (ACTIVE, "rotate", False),
        (ACTIVE, "remove", False),
    ],
)
def test_command_lets_what_waits_be_tried_at_once(state, command, retries_now):
    decision = decide(stored(state), COMMANDS[command], 1, NOW)

    assert decision.destination.retries_now is retries_now


def test_filters_that_change_leave_the_times_of_retries():
    decision = decide(stored(), upsert(replace(TARGET, filters=("claims",))), 1, NOW)

    assert decision.destination.retries_now is False


def test_removed_destination_that_is_made_again_is_another_one():
    decision = decide(stored(REMOVED), COMMANDS["upsert"], 0, NOW)

    assert decision.destination.id is None


def test_target_that_changes_keeps_the_secret():
    assert decide(stored(), COMMANDS["upsert of another target"], 1, NOW).destination.secret == OLD


def test_destination_that_is_made_again_has_a_new_secret():
    assert decide(stored(REMOVED), COMMANDS["upsert"], 0, NOW).destination.secret == NEW


@pytest.mark.parametrize(
    ("found", "command", "count", "reason", "pointer"),
    [
        (None, upsert(), DESTINATIONS_MAX, RejectionReason.TOO_MANY_DESTINATIONS, ""),
        (
            None,
            upsert(Target("webhook", "https://x.example", ("orders", "parcels/lost"))),
            0,
            RejectionReason.UNKNOWN_FILTER,
            "/filters/1",
        ),
        (
            None,
            Upsert(**NAMED, target=TARGET, secret=NEW, fault=("url_not_allowed", "no https")),
            0,
            RejectionReason.URL_NOT_ALLOWED,
            "/url",
        ),
        (None, upsert(secret=None), 0, RejectionReason.WEBHOOKS_NOT_SET_UP, ""),
        (
            stored(),
            RotateSecret(**NAMED, secret=None),
            1,
            RejectionReason.WEBHOOKS_NOT_SET_UP,
            "",
        ),
    ],
)
def test_command_is_rejected_with_a_reason(found, command, count, reason, pointer):
    decision = decide(found, command, count, NOW)

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, reason)
    assert decision.pointer == pointer
    assert decision.detail


A_FEED = stored(target=FEED, secret=None)


@pytest.mark.parametrize(
    ("found", "command", "feed", "reason", "pointer"),
    [
        (None, upsert(Target(Kind.WEBHOOK)), None, "url_missing", "/url"),
        (None, upsert(replace(FEED, url="https://x.example")), None, "not_for_feeds", "/url"),
        (None, upsert(replace(FEED, form=Form.THIN)), None, "not_for_feeds", "/body"),
        (None, upsert(replace(FEED, gzip=True)), None, "not_for_feeds", "/gzip"),
        (None, upsert(replace(FEED, order_url="https://x")), None, "not_for_feeds", "/order_url"),
        (
            None,
            upsert(replace(FEED, when_exhausted=WhenExhausted.SKIP)),
            None,
            "not_for_feeds",
            "/when_exhausted",
        ),
        (None, upsert(replace(FEED, filters=("parcels",))), None, "unknown_filter", "/filters/0"),
        (None, upsert(FEED), "erp-topic", "feed_exists", "/kind"),
        (stored(REMOVED), upsert(FEED), "erp-topic", "feed_exists", "/kind"),
        (stored(), upsert(FEED), None, "kind_differs", "/kind"),
        (A_FEED, upsert(), "erp", "kind_differs", "/kind"),
        (A_FEED, COMMANDS["rotate"], "erp", "not_for_feeds", "/destination_id"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_feed_is_refused_with_a_reason(found, command, feed, reason, pointer):
    decision = decide(found, command, 1, NOW, feed)

    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, reason)
    assert decision.pointer == pointer
    assert decision.detail


@pytest.mark.parametrize("found", [None, stored(REMOVED)], ids=["new", "made of a removed webhook"])
@pytest.mark.parametrize("secret", [NEW, None], ids=["with a key", "without a key"])
def test_feed_is_made_without_a_secret(found, secret):
    decision = decide(found, upsert(FEED, secret), 1, NOW)

    assert decision.outcome is Outcome.APPLIED
    assert (decision.destination.secret, decision.destination.id) == (None, None)


def test_feed_that_the_shop_has_may_change():
    changed = upsert(replace(FEED, filters=("orders",)))

    decision = decide(A_FEED, changed, 1, NOW, "erp")

    assert decision.destination.target.filters == ("orders",)
    assert decision.destination.id == A_FEED.id


@pytest.mark.parametrize(
    ("state", "command", "expected"),
    [
        (ACTIVE, "pause", PAUSED),
        (PAUSED, "resume", ACTIVE),
        (DISABLED, "resume", ACTIVE),
        (ACTIVE, "remove", REMOVED),
    ],
)
def test_feed_is_paused_resumed_and_removed_as_a_webhook(state, command, expected):
    decision = decide(replace(A_FEED, state=state), COMMANDS[command], 1, NOW, "erp")

    assert decision.destination.state is expected


def test_destination_of_a_full_shop_may_still_change():
    decision = decide(stored(), upsert(OTHER), DESTINATIONS_MAX, NOW)

    assert decision.outcome is Outcome.APPLIED
