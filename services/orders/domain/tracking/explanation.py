"""Explanation: which scan set a parcel's phase, flag and ETA, and why others did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from services.orders.domain.tracking.catalogue import Phase
from services.orders.domain.tracking.fold import Fold
from services.orders.domain.tracking.notifications import (
    Notice,
    is_fresh_scan,
    is_true,
    notice_of,
    was_given,
)
from services.orders.domain.tracking.ordering import Cause, SetAside
from services.orders.domain.tracking.replay import ReplayedScans, replay, standing_of
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import Effect, Rule, ScanStep
from services.orders.domain.value import Value

SENTENCES: Mapping[Rule, str] = MappingProxyType(
    {
        Rule.MOVED: "It moved the parcel to {phase}.",
        Rule.REPEATED: "The end of the journey was reported before; it is kept as history.",
        Rule.DELIVERED_STANDS: "The parcel had arrived; a scan of the way there changes nothing.",
        Rule.CONTRADICTED: "Another delivery attempt more than 12 hours after a delivery: both "
        "cannot be true, so the parcel stays delivered with an error flag.",
        Rule.NEW_LEG: "The parcel set out again on the same number: leg {leg} begins.",
        Rule.PICKED_UP_LATE: "A pick-up at most 12 hours after the end of the journey is taken for "
        "one that was stamped late; a later scan of another journey makes it the begin of a leg.",
        Rule.RETRACTED: "The carrier took this scan back.",
        Rule.RETRACTION: "It takes an earlier scan back, and says nothing else.",
        Rule.DATA_ONLY: "It is a message about the parcel's data, which never moves the parcel.",
        Rule.UNMAPPED: "It has no event name of ours, so the parcel stays where it was.",
        Rule.IN_FUTURE: "It lies more than 24 hours in the future; it counts when its time comes.",
        Rule.GOING_BACK: "The parcel is on its way back; this scan is of that way.",
    }
)
"""The sentence for each rule, for operators; `{phase}` and `{leg}` are those after the scan."""

_ASIDE = {
    Cause.RETRACTED: Rule.RETRACTED,
    Cause.IN_FUTURE: Rule.IN_FUTURE,
}


class NotifyCause(StrEnum):
    """Whether a scan notified a customer, or why not."""

    NOTIFIED = "notified"
    NOT_COUNTED = "not_counted"
    NO_GROUP = "no_group"
    NOT_KNOWN = "not_known"
    NO_EFFECT = "no_effect"
    NOT_TRUE = "not_true"
    GIVEN_BEFORE = "given_before"
    TOO_OLD = "too_old"
    OVERTAKEN = "overtaken"


NOTIFY_RULES: Mapping[NotifyCause, str] = MappingProxyType(
    {
        NotifyCause.NO_EFFECT: "17b",
        NotifyCause.NOT_COUNTED: "17b",
        NotifyCause.NOT_TRUE: "17b",
        NotifyCause.GIVEN_BEFORE: "17",
        NotifyCause.TOO_OLD: "16",
    }
)
"""The rule by which a scan did not notify; no group, and one that is overtaken, have no number."""
NOTIFY_SENTENCES: Mapping[NotifyCause, str] = MappingProxyType(
    {
        NotifyCause.NOTIFIED: "It notified the customer of {group}.",
        NotifyCause.NOT_COUNTED: "It does not count, so it does not notify.",
        NotifyCause.NO_GROUP: "Its event has no notification group.",
        NotifyCause.NOT_KNOWN: "What was notified is not known: an earlier version wrote the "
        "shipment.",
        NotifyCause.NO_EFFECT: "It changed nothing, so it does not notify.",
        NotifyCause.NOT_TRUE: "The state of the shipment did not agree with {group}.",
        NotifyCause.GIVEN_BEFORE: "Another event notified of {group} on this leg and attempt.",
        NotifyCause.TOO_OLD: "It was too old when it was received.",
        NotifyCause.OVERTAKEN: "It was overtaken, named by a later code map, or too old when its "
        "number was attached.",
    }
)


class Verdict(Value, frozen=True):
    """The explanation of one scan."""

    scan: Scan
    effects: tuple[Effect, ...]
    """What the scan changed when it was added."""
    decides: tuple[Effect, ...]
    """Parts of the present state that this scan was the last to change."""
    rule: Rule
    sentence: str
    notification: str
    """A sentence: whether it notified a customer, or why not."""
    notify_cause: NotifyCause
    phase: Phase | None = None
    """The phase after the scan; None of one that does not count."""


def explain(
    scans: Iterable[Scan],
    as_of: datetime,
    notices: Sequence[Notice] | None = (),
    fold: Fold | None = None,
) -> tuple[Verdict, ...]:
    """A verdict on every scan: those that count in order of occurrence, then those set aside.

    `notices` are those of the shipment, None where a version before wrote it. `fold` has its scans
    that are not kept; there is no verdict on these.
    """
    replayed = replay(scans, as_of, fold=fold)
    deciding = _deciding(replayed)
    counted = [
        _verdict(step, tuple(effect for effect, index in deciding.items() if index == at), notices)
        for at, step in enumerate(replayed.steps)
    ]
    left_out = [
        _left_out(aside)
        for aside in sorted(replayed.aside, key=lambda each: (each.scan.occurred_at, each.scan.key))
    ]
    return (*counted, *left_out)


def _verdict(
    step: ScanStep, decides: tuple[Effect, ...], notices: Sequence[Notice] | None
) -> Verdict:
    cause = notify_cause_of(step, notices)
    said = NOTIFY_SENTENCES[cause].format(group=standing_of(step).group)
    sentence = SENTENCES[step.rule].format(phase=step.state.phase, leg=step.state.leg)
    return Verdict(
        step.scan, step.effects, decides, step.rule, sentence, said, cause, step.state.phase
    )


def _left_out(aside: SetAside) -> Verdict:
    rule, cause = _ASIDE[aside.cause], NotifyCause.NOT_COUNTED
    return Verdict(aside.scan, (), (), rule, SENTENCES[rule], NOTIFY_SENTENCES[cause], cause)


def _deciding(replayed: ReplayedScans) -> dict[Effect, int]:
    """The index of the last step with each effect."""
    return {effect: at for at, step in enumerate(replayed.steps) for effect in step.effects}


def notify_cause_of(step: ScanStep, notices: Sequence[Notice] | None) -> NotifyCause:
    """Whether a scan that counts notified a customer, or why not."""
    scan, standing = step.scan, standing_of(step)
    notice = notice_of(scan, standing)
    if standing.group is None:
        return NotifyCause.NO_GROUP
    if notices is None:
        return NotifyCause.NOT_KNOWN
    if any(each.by == notice.by for each in notices):
        return NotifyCause.NOTIFIED
    if not step.is_effective:
        return NotifyCause.NO_EFFECT
    if not is_true(scan, standing, step.state):
        return NotifyCause.NOT_TRUE
    if was_given(notices, notice):
        return NotifyCause.GIVEN_BEFORE
    if not is_fresh_scan(scan, scan.recorded_at):
        return NotifyCause.TOO_OLD
    return NotifyCause.OVERTAKEN
