"""The scans of tracking numbers, and which parcels see them, by decision 0151 alone.

Times are minutes. All scans are of one carrier, and no parcel is delivered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

FOUND, LOST = "OUT_FOR_DELIVERY", "LOST"
DAY = 24 * 60
SEEN_BEFORE, BEFORE_REUSE, SILENT_AFTER, UNUSED_AFTER = 400 * DAY, 3 * DAY, 60 * DAY, 180 * DAY
INSTANT = 0.001
BEGINNING, END = float("-inf"), float("inf")


@dataclass(frozen=True)
class Stay:
    """A parcel that has a number, since a time; `placed` is when its order came."""

    order: str
    shipment: str
    came: int
    placed: int


@dataclass
class Number:
    """Scans by time, and the parcels in the order in which they took the number."""

    scans: dict[int, str] = field(default_factory=dict)
    stays: list[Stay] = field(default_factory=list)

    def seen(self):
        """By order, the times of the scans that its parcel sees."""
        ranked = sorted(self.stays, key=lambda each: (each.came, each.shipment))
        windows = {each: [min(each.came, each.placed) - SEEN_BEFORE, END] for each in ranked}
        for place, former in enumerate(ranked):
            seen = self._within(windows[former])
            for later in ranked[place + 1 :]:
                border = self._border(former, later, [at for at in seen if at <= later.came])
                if border is not None:
                    windows[former][1] = min(windows[former][1], border)
                    windows[later][0] = max(windows[later][0], border)
        return {each.order: self._within(windows[each]) for each in self.stays}

    def seen_by_any(self):
        """The times of the scans that at least one parcel sees."""
        return {at for seen in self.seen().values() for at in seen}

    def state_of(self, seen):
        """What tells the states of two sets of scans apart: first found, and last."""
        return next((at for at in seen if self.scans[at] == FOUND), None), max(seen, default=None)

    def _within(self, window):
        return sorted(at for at in self.scans if window[0] <= at < window[1])

    def _border(self, former, later, seen):
        """Where the later parcel begins, if the former one had ended or was silent."""
        if LOST in map(self.scans.get, seen):
            border = self._after_end(former, later, seen)
            if border is not None:
                return border
        times = sorted([former.came, *(at for at in seen if at > former.came)])
        if later.came - times[-1] > SILENT_AFTER:
            return later.came - BEFORE_REUSE
        found = min((at for at in seen if self.scans[at] == FOUND), default=END)
        silences = [
            late
            for early, late in pairwise(times)
            if late - early > (SILENT_AFTER if found <= early else UNUSED_AFTER)
        ]
        if not silences:
            return None
        return later.came - BEFORE_REUSE if silences[-1] == later.came else silences[-1]

    def _after_end(self, former, later, seen):
        last = max(at for at in seen if self.scans[at] == LOST)
        until_end, following = [at for at in seen if at <= last], [at for at in seen if at > last]
        found = [at for at in until_end if self.scans[at] == FOUND]
        end = min(at for at in until_end if at > max(found, default=BEGINNING))
        reported = max(at for at in until_end if at - end <= BEFORE_REUSE)
        begins = min(following, default=later.came)
        if former.came - end > BEFORE_REUSE >= begins - former.came:
            return None
        border = max(reported + INSTANT, begins - BEFORE_REUSE)
        return min(border, *following) if following else border
