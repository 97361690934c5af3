"""Explanation: which scan set a parcel's phase, flag and ETA, and why others did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from services.orders.domain.tracking.fold import Fold
from services.orders.domain.tracking.notifications import (
    Notice,
    is_fresh_scan,
    is_true,
    notice_of,
    was_given,
)
from services.orders.domain.tracking.ordering import Cause
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


_DOES_NOT_COUNT = "It does not count, so it does not notify."


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
        Verdict(
            step.scan,
            step.effects,
            tuple(effect for effect, index in deciding.items() if index == at),
            step.rule,
            _sentence(step),
            notification_of(step, notices),
        )
        for at, step in enumerate(replayed.steps)
    ]
    left_out = [
        Verdict(aside.scan, (), (), rule := _ASIDE[aside.cause], SENTENCES[rule], _DOES_NOT_COUNT)
        for aside in sorted(replayed.aside, key=lambda each: (each.scan.occurred_at, each.scan.key))
    ]
    return (*counted, *left_out)


def _deciding(replayed: ReplayedScans) -> dict[Effect, int]:
    """The index of the last step with each effect."""
    return {effect: at for at, step in enumerate(replayed.steps) for effect in step.effects}


def _sentence(step: ScanStep) -> str:
    return SENTENCES[step.rule].format(phase=step.state.phase, leg=step.state.leg)


def notification_of(step: ScanStep, notices: Sequence[Notice] | None) -> str:
    """A sentence: whether a scan that counts notified a customer, or why not."""
    scan, standing = step.scan, standing_of(step)
    notice = notice_of(scan, standing)
    if standing.group is None:
        return "Its event has no notification group."
    if notices is None:
        return "What was notified is not known: an earlier version wrote the shipment."
    if any(each.by == notice.by for each in notices):
        return f"It notified the customer of {standing.group}."
    if not step.is_effective:
        return "It changed nothing, so it does not notify."
    if not is_true(scan, standing, step.state):
        return f"The state of the shipment did not agree with {standing.group}."
    if was_given(notices, notice):
        return f"Another event notified of {standing.group} on this leg and attempt."
    if not is_fresh_scan(scan, scan.recorded_at):
        return "It was too old when it was received."
    return "It was overtaken by another scan, or too old when its number was attached."
