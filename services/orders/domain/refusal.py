"""Refusal: how a rule deep inside a decision ends it. Never leaves the domain: `decide` turns it
into a `Decision`, and whatever was changed on the way is dropped with the ledger.
"""

from __future__ import annotations

from services.orders.domain.reasons import Reason


class Refused(Exception):
    """A rule says no. `detail` states the fact; `pointer` the member of the body it is about."""

    def __init__(self, reason: Reason, detail: str, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.pointer = pointer


class NotYet(Exception):
    """What the command names is not there yet."""

    def __init__(self, reason: Reason, waits_for: str) -> None:
        super().__init__(waits_for)
        self.reason = reason
        self.waits_for = waits_for


class Unchanged(Exception):
    """There is nothing to do."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
