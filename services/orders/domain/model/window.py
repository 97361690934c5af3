"""Window: which scans of a number one shipment sees (docs/decisions/0151)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.orders.domain.model.parcel import Owner, PrivateSpan, may_be_of
from services.orders.domain.tracking.scan import Scan

BEGINNING = datetime.min.replace(tzinfo=UTC)
FAR_FUTURE = datetime.max.replace(tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


@dataclass(slots=True)
class Window:
    """What one shipment sees of its number: scans of its carrier that occurred in [since, until).

    None leaves that end open. The members after `is_reported` are for numbers of several shops: see
    `privacy.divide_places`.
    """

    owner: Owner
    since: datetime | None
    until: datetime | None
    private: tuple[PrivateSpan, ...] = ()
    """Those of the number."""
    is_reported: bool = False
    """Whether its shop names no carrier, and one reports it that no shipment names."""
    moved_at: datetime | None = None
    """Its first physical scan."""
    hidden_before: datetime | None = None
    """Places of earlier scans are not shown to it."""
    is_back: bool = False
    """Whether its shop has taken the number again that it left when the parcel was under way."""

    @property
    def hides(self) -> bool:
        """Whether places of another shop, which left the number, are not shown to the shipment."""
        if not self.private:
            return False
        return any(span.shop != self.owner.shop for span in self.private)

    def has(self, scan: Scan) -> bool:
        """Whether a scan lies in the window and may be of the shipment's carrier."""
        at, carrier = scan.occurred_at, self.owner.carrier
        is_after = self.since is None or at >= self.since
        is_before = self.until is None or at < self.until
        return is_after and is_before and may_be_of(scan, carrier)

    def overlaps(self, other: Window) -> bool:
        """Whether there is a time that both windows have."""
        first = self.until is None or other.since is None or other.since < self.until
        second = other.until is None or self.since is None or self.since < other.until
        return first and second


def just_after(instant: datetime) -> datetime:
    """The next instant, as far as the calendar has one."""
    return instant + _INSTANT if instant < FAR_FUTURE else instant
