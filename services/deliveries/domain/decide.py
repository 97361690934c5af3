"""Decides commands of destinations: a destination and a command in, a decision out."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from services.deliveries.domain.commands import (
    Command,
    Pause,
    Remove,
    Replay,
    Resume,
    RotateSecret,
    Upsert,
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
from services.deliveries.domain.filters import fault_of
from services.deliveries.domain.reasons import NoChangeReason, RejectionReason
from services.deliveries.domain.replay import Selection

DESTINATIONS_MAX = 10_000
"""Most destinations of one shop that are not removed."""
FORMER_VALID = timedelta(hours=24)
REPLAYS_MAX = 10
"""Most replays of one destination that have not ended."""

AnyCommand = Upsert | Remove | Pause | Resume | RotateSecret | Replay


class Outcome(StrEnum):
    """Result of a decision; all are final."""

    APPLIED = "applied"
    NO_CHANGE = "no_change"
    REJECTED = "rejected"


class Happened(StrEnum):
    """What an event says of a destination; the last part of its type."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    REMOVED = "removed"


class Decision(Struct, frozen=True):
    """The result of a command, as data: nothing is written yet."""

    outcome: Outcome
    reason: str | None = None
    detail: str | None = None
    pointer: str = ""
    destination: Destination | None = None
    """The destination to store; None when nothing changes."""
    happened: Happened | None = None
    replay: Selection | None = None
    """What is to be sent again; the id of the replay is that of the command's item."""


def decide(
    found: Destination | None,
    command: AnyCommand,
    count: int,
    now: datetime,
    feed: str | None = None,
) -> Decision:
    """Decide a command on the stored destination.

    `count` is how many destinations the shop has, `feed` the name of the one that is a feed.
    """
    if found and command.item_id in found.applied:
        return _no_change(NoChangeReason.DUPLICATE, "the same command was applied before")
    if isinstance(command, Upsert):
        return _upsert(found, command, count, feed)
    if found is None or found.state is State.REMOVED:
        return _refused(
            RejectionReason.DESTINATION_NOT_FOUND,
            f"shop {command.shop} has no destination {command.name}; send destination.upsert first",
            "/destination_id",
        )
    match command:
        case Remove():
            return _changed(found, command, State.REMOVED, Happened.REMOVED, command.reason)
        case Pause():
            return _paused(found, command)
        case Resume():
            return _resumed(found, command)
        case RotateSecret():
            return _rotated(found, command, now)
        case Replay():
            return _replayed(found, command)
        case _:
            assert_never(command)


def _upsert(found: Destination | None, command: Upsert, count: int, feed: str | None) -> Decision:
    fault = _fault_of(command)
    if fault:
        return fault
    if found is None or found.state is State.REMOVED:
        return _made(found, command, count, feed)
    if found.target.kind != command.target.kind:
        return _refused(
            RejectionReason.KIND_DIFFERS,
            f"{command.name} is a {found.target.kind}, and its kind never changes: remove it "
            "first, or take another name",
            "/kind",
        )
    if found.target == command.target:
        return _no_change(NoChangeReason.NO_DIFFERENCE, "the destination is as the command says")
    is_elsewhere = found.target.url != command.target.url
    changed = replace(found, target=command.target, retries_now=found.retries_now or is_elsewhere)
    return Decision(Outcome.APPLIED, destination=_with_applied(changed, command))


def _made(found: Destination | None, command: Upsert, count: int, feed: str | None) -> Decision:
    if count >= DESTINATIONS_MAX:
        return _refused(
            RejectionReason.TOO_MANY_DESTINATIONS,
            f"shop {command.shop} has {count} destinations, the most that it may have; "
            "remove one first",
        )
    is_feed = command.target.kind is Kind.FEED
    if is_feed and feed is not None:
        return _refused(
            RejectionReason.FEED_EXISTS,
            f"shop {command.shop} has a feed, {feed}: a shop has one topic; change that feed, or "
            "remove it first",
            "/kind",
        )
    if not is_feed and command.secret is None:
        return _NOT_SET_UP
    made = Destination(
        shop=command.shop,
        name=command.name,
        target=command.target,
        state=State.ACTIVE,
        secret=None if is_feed else command.secret,
        applied=found.applied if found else (),
    )
    return Decision(Outcome.APPLIED, destination=_with_applied(made, command))


def _fault_of(command: Upsert) -> Decision | None:
    if command.target.kind is Kind.FEED:
        fault = _fault_of_feed(command.target)
        if fault:
            return fault
    elif command.target.url is None:
        return _refused(
            RejectionReason.URL_MISSING, "a webhook needs a URL: say where to send", "/url"
        )
    if command.fault:
        code, fact = command.fault
        return _refused(RejectionReason(code), fact, "/url")
    return _fault_of_filters(command)


def _fault_of_feed(target: Target) -> Decision | None:
    """What is said of a feed and would change its records, or has no meaning for a topic."""
    faults = (
        (target.url is not None, "/url", "a feed is a Kafka topic and has no URL"),
        (target.form is not Form.FULL, "/body", "the records of a feed are the events as they are"),
        (target.order_url is not None, "/order_url", "a feed has no page of an order in it"),
        (target.gzip, "/gzip", "the values of a feed are the events as they are"),
        (
            target.when_exhausted is not WhenExhausted.HOLD,
            "/when_exhausted",
            "a feed leaves no event out: what cannot be written is held",
        ),
    )
    for is_fault, pointer, fact in faults:
        if is_fault:
            detail = f"{fact}: leave {pointer[1:]} out, or make a webhook"
            return _refused(RejectionReason.NOT_FOR_FEEDS, detail, pointer)
    return None


def _fault_of_filters(command: Upsert) -> Decision | None:
    for place, each in enumerate(command.target.filters):
        if fact := fault_of(each):
            detail = f"{each!r} matches no event: {fact}"
            return _refused(RejectionReason.UNKNOWN_FILTER, detail, f"/filters/{place}")
    return None


def _paused(found: Destination, command: Pause) -> Decision:
    if found.state is State.PAUSED:
        return _no_change(NoChangeReason.NO_DIFFERENCE, "the destination is paused")
    if found.state is State.DISABLED:  # As a paused one its resume would publish no event.
        return _no_change(
            NoChangeReason.NO_DIFFERENCE,
            "the destination is disabled: nothing is sent until destination.resume",
        )
    return _changed(found, command, State.PAUSED, None, command.reason)


def _resumed(found: Destination, command: Resume) -> Decision:
    if found.state is State.ACTIVE:
        return _no_change(NoChangeReason.NO_DIFFERENCE, "the destination is active")
    was_disabled = found.state is State.DISABLED
    return _changed(found, command, State.ACTIVE, Happened.ENABLED if was_disabled else None, None)


def _rotated(found: Destination, command: RotateSecret, now: datetime) -> Decision:
    if found.secret is None:
        return _refused(
            RejectionReason.NOT_FOR_FEEDS,
            f"{found.name} is a feed, which signs nothing and has no secret; who may read its "
            "topic is in Kafka's rules (ACLs)",
            "/destination_id",
        )
    if command.secret is None:
        return _NOT_SET_UP
    secret = Secret(command.secret.current, found.secret.current, now + FORMER_VALID)
    return Decision(
        Outcome.APPLIED, destination=_with_applied(replace(found, secret=secret), command)
    )


def _replayed(found: Destination, command: Replay) -> Decision:
    selection = command.selection
    if selection.is_empty:
        return _refused(
            RejectionReason.NOTHING_SELECTED,
            "nothing is selected: give order_id, order_number, from, until or only_failed",
        )
    if fault := selection.fault:
        return _refused(RejectionReason.SELECTION_NOT_POSSIBLE, fault[1], fault[0])
    if found.replays >= REPLAYS_MAX:
        return _refused(
            RejectionReason.TOO_MANY_REPLAYS,
            f"{found.replays} replays of this destination have not ended, the most that may wait; "
            "send the command again when destination.replayed says that one has",
        )
    return Decision(
        Outcome.APPLIED,
        detail=f"replay {command.item_id} begins; destination.replayed says how many events it had",
        destination=_with_applied(replace(found, replays=found.replays + 1), command),
        replay=selection,
    )


def _changed(
    found: Destination,
    command: Command,
    state: State,
    happened: Happened | None,
    reason: str | None,
) -> Decision:
    retries_now = found.retries_now or command.__class__ is Resume
    changed = replace(found, state=state, reason=reason, retries_now=retries_now)
    return Decision(Outcome.APPLIED, destination=_with_applied(changed, command), happened=happened)


def _with_applied(destination: Destination, command: Command) -> Destination:
    applied = (*destination.applied, command.item_id)[-APPLIED_MAX:]
    return replace(destination, applied=applied)


def _no_change(reason: NoChangeReason, detail: str) -> Decision:
    return Decision(Outcome.NO_CHANGE, reason, detail)


def _refused(reason: RejectionReason, detail: str, pointer: str = "") -> Decision:
    return Decision(Outcome.REJECTED, reason, detail, pointer)


_NOT_SET_UP = _refused(
    RejectionReason.WEBHOOKS_NOT_SET_UP,
    "this installation has no key for secrets: its operators set ORDERFLOW_DELIVERIES_KEY_FILE",
)
