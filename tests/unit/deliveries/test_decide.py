"""Commands of destinations: each state and each command, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
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
    Secret,
    State,
    Target,
)
from services.deliveries.domain.reasons import NoChangeReason, RejectionReason

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
TARGET = Target("webhook", "https://hooks.shop.example/")
OTHER = Target("webhook", "https://other.shop.example/")
NAMED = {"item_id": "new", "shop": "demo", "name": "erp"}
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


@pytest.mark.parametrize(
    ("state", "command", "expected"),
    [
        (None, "upsert", ACTIVE),
        (None, "upsert of another target", ACTIVE),
        (None, "pause", NOT_FOUND),
        (None, "resume", NOT_FOUND),
        (None, "rotate", NOT_FOUND),
        (None, "remove", NOT_FOUND),
        (ACTIVE, "upsert", NO_CHANGE),
        (ACTIVE, "upsert of another target", ACTIVE),
        (ACTIVE, "pause", PAUSED),
        (ACTIVE, "resume", NO_CHANGE),
        (ACTIVE, "rotate", ACTIVE),
        (ACTIVE, "remove", REMOVED),
        (PAUSED, "upsert", NO_CHANGE),
        (PAUSED, "upsert of another target", PAUSED),
        (PAUSED, "pause", NO_CHANGE),
        (PAUSED, "resume", ACTIVE),
        (PAUSED, "rotate", PAUSED),
        (PAUSED, "remove", REMOVED),
        (DISABLED, "upsert", NO_CHANGE),
        (DISABLED, "upsert of another target", DISABLED),
        (DISABLED, "pause", PAUSED),
        (DISABLED, "resume", ACTIVE),
        (DISABLED, "rotate", DISABLED),
        (DISABLED, "remove", REMOVED),
        (REMOVED, "upsert", ACTIVE),
        (REMOVED, "upsert of another target", ACTIVE),
        (REMOVED, "pause", NOT_FOUND),
        (REMOVED, "resume", NOT_FOUND),
        (REMOVED, "rotate", NOT_FOUND),
        (REMOVED, "remove", NOT_FOUND),
    ],
)
def test_command_in_a_state_leads_to(state, command, expected):
    decision = decide(stored(state) if state else None, COMMANDS[command], 1, NOW)

    if isinstance(expected, State):
        assert decision.outcome is Outcome.APPLIED
        assert decision.destination.state is expected
    else:
        assert decision.outcome is not Outcome.APPLIED
        assert decision.reason == expected
        assert decision.destination is None


@pytest.mark.parametrize(
    ("state", "command", "happened"),
    [
        (ACTIVE, "remove", Happened.REMOVED),
        (PAUSED, "remove", Happened.REMOVED),
        (DISABLED, "resume", Happened.ENABLED),
        (PAUSED, "resume", None),
        (ACTIVE, "pause", None),
        (ACTIVE, "rotate", None),
        (ACTIVE, "upsert of another target", None),
    ],
)
def test_event_of_a_command_says(state, command, happened):
    assert decide(stored(state), COMMANDS[command], 1, NOW).happened is happened


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


def test_destination_of_a_full_shop_may_still_change():
    decision = decide(stored(), upsert(OTHER), DESTINATIONS_MAX, NOW)

    assert decision.outcome is Outcome.APPLIED
