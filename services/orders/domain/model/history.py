"""History: what was reported of one shipment on a number, and when it was silent or had ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from services.orders.domain.model.window import FAR_FUTURE, Window
from services.orders.domain.tracking.fold import Fold
from services.orders.domain.tracking.replay import replay
from services.orders.domain.tracking.scan import Precision, Scan
from services.orders.domain.tracking.state import ScanStep, TrackingState

SILENT_AFTER = timedelta(days=60)
"""A shipment that was not scanned for so long counts as ended when the number is used again."""
UNUSED_AFTER = timedelta(days=180)
"""The same for a label that was never scanned before, where scans came before the other one."""
_DAY = timedelta(days=1)

Reached = tuple[datetime, TrackingState]
"""The state of a shipment after the scan of a time."""


@dataclass(slots=True)
class History:
    """What was reported of a shipment, as far as windows of later ones need it."""

    states: list[Reached]
    """Oldest first: after its folded scans, and after each other one."""
    ended: datetime | None
    """The earliest time at which it had ended."""
    times: list[datetime]
    """Its hand-over and the reports since, ascending."""
    silences: list[datetime]
    """Those of `times` that came after a silence: see `_is_silence`."""


def history_of(window: Window, scans: Sequence[Scan]) -> History:
    """What some scans of a number say of the shipment with this window."""
    fold, placed = window.owner.fold, window.owner.placed_at
    steps = replay(filter(window.has, scans), FAR_FUTURE, fold=fold).steps
    states = [(fold.until, fold.total.state)] if fold is not None else []
    states += [(step.scan.occurred_at, step.state) for step in steps]
    times = sorted([at for at, _ in states if placed is None or at > placed])
    if placed is not None:
        times.insert(0, placed)
    return History(
        states,
        min(_ends(fold, steps), default=None),
        times,
        [late for early, late in pairwise(times) if _is_silence(states, early, late)],
    )


def _ends(fold: Fold | None, steps: Sequence[ScanStep]) -> Iterator[datetime]:
    """The times at which the shipment had certainly ended: of a day, only at its end.

    See docs/scan-rules.md, rule 11.
    """
    if fold is not None and fold.total.state.has_ended:
        yield fold.until
    for step in steps:
        if step.state.has_ended:
            at, is_day = step.scan.occurred_at, step.scan.precision is Precision.DAY
            yield at + _DAY if is_day and FAR_FUTURE - at > _DAY else at


def _is_silence(states: Sequence[Reached], early: datetime, late: datetime) -> bool:
    """Whether what came at `late` may be of another parcel than what was reported until `early`.

    A label may be used late.
    """
    if late - early <= SILENT_AFTER:
        return False
    moved = any(at <= early and state.first_scan_at is not None for at, state in states)
    return moved or late - early > UNUSED_AFTER
