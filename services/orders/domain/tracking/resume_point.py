"""Resume point: what the next scan needs beside the stored state (docs/decisions/0099)."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from services.orders.domain.tracking.catalogue import CHECKSUM
from services.orders.domain.tracking.naming import CodeMaps
from services.orders.domain.value import Value

RULES = f"8/{CHECKSUM}"
"""The rules that a resume point was made by: one of other rules is not continued.

Raise the number with any change to what scans add up to:
`tests/unit/orders/tracking/test_rules_number.py` fails until it is raised. The catalogue's
checksum changes by itself. Members of `ResumePoint` are only added, with a default: replicas of the
version before read the resume points of this one and ignore them.
"""


def rules_with(maps: CodeMaps) -> str:
    """The rules of a resume point where code maps named a scan: others may name it otherwise."""
    return f"{RULES}/{maps.checksum}"


Moment: TypeAlias = tuple[datetime, int]
"""When a scan occurred, and its event's line in the catalogue."""


class ResumePoint(Value, frozen=True, kw_only=True):
    """Stored with a parcel, so that a scan later than all others is added to the stored state.

    Exists only for a parcel with one owner whose shipment has the state, and without a scan in the
    future.
    """

    rules: str
    scans: int
    """How many scans the parcel has; with another number the resume point is out of date."""
    trouble: str | None = None
    """A `Trouble`; as text, since the version after may know others."""
    attempt_at: datetime | None = None
    settled_at: datetime | None = None
    carriers: tuple[str, ...] = ()
    """Of the owner's scans, in alphabetical order."""
    picked_up_at: datetime | None = None
    """The first pick-up after the end that opened no leg (docs/scan-rules.md, rule 6b)."""
    last: Moment | None = None
    """The last scan whose time is an instant."""
    last_day: Moment | None = None
    """The last scan that has a day for its time."""
    day_line: int = -1
    """The highest line in the catalogue of a scan that has a day for its time."""
    taken_back: tuple[tuple[str | None, str], ...] = ()
    """Carrier and id of each scan that another takes back, always in the same order."""

    def continues(self, scans: int, maps: CodeMaps) -> bool:
        """Whether it fits a parcel with that many scans, the present rules and these maps."""
        return self.scans == scans and (self.rules == RULES or self.rules == rules_with(maps))
