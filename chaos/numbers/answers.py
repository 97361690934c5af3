"""The right answers of a case: what each shipment on its numbers must have come to by now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from demo.facts import Fact
from demo.parcels import DELIVERED, PHASES
from schemas.identity import order_id, shipment_id


@dataclass(frozen=True, slots=True)
class ScanAnswer:
    """How many events of a scan a shipment must have, and whether they say where and in what words.

    `least` and `most` differ where a scan and a command race on two topics, and both orders of
    them are right.
    """

    number: str
    """Normalised."""
    name: str
    occurred_at: datetime
    words: str
    """What its place, text, pick-up point and signer contain."""
    least: int = 1
    most: int = 1
    is_shown: bool | None = True
    """Whether the shop sees the words; None where both are right."""

    @property
    def fact(self) -> Fact:
        """Number, name and time, as events have them."""
        return self.number, self.name, self.occurred_at


@dataclass(slots=True)
class ShipmentAnswer:
    """One shipment. It must have no events of scans beside `scans`, and no other notices."""

    shop: str
    order_number: str
    ordinal: int = 1
    number: str | None = None
    """Normalised; None for a draft."""
    phase: str = "order_created"
    is_delivered: bool = False
    fulfilled: int = 0
    """How many events `shipment.fulfilled` it has."""
    released: list[tuple[str, str]] = field(default_factory=list)
    """The number and `released_by` of each event `shipment.released`."""
    scans: dict[Fact, ScanAnswer] = field(default_factory=dict)
    notified: set[tuple[str, str]] = field(default_factory=set)
    """Number and group of what its customer must have been notified of, once."""
    notices_max: int = 1
    """Of each other number and group; 0 where everything is too old to notify."""
    may_be_updated: bool = False
    """Whether it may have events `shipment.updated`: scans of another parcel may reach it first."""

    def take(self, number: str) -> None:
        """The shipment got a number."""
        self.number = number
        self.fulfilled += 1
        self._derive()

    def lose(self, by: str) -> None:
        """The shipment lost its number: it is a draft."""
        self.released.append((self.number or "", by))
        self.number, self.phase, self.is_delivered = None, "order_created", False

    def see(self, scans: Iterable[ScanAnswer]) -> None:
        """Expect events of scans."""
        self.scans |= {scan.fact: scan for scan in scans}
        self._derive()

    def _derive(self) -> None:
        """The state is that of the last scan of the number that is certainly the shipment's."""
        if self.number is None:
            return
        own = [
            scan
            for scan in self.scans.values()
            if scan.number == self.number and scan.least and scan.name in PHASES
        ]
        last = max(own, key=lambda scan: scan.occurred_at, default=None)
        self.phase = "order_processed" if last is None else PHASES[last.name]
        self.is_delivered = any(scan.name in DELIVERED for scan in own)

    @property
    def order(self) -> UUID:
        """The order's id."""
        return order_id(self.shop, self.order_number)

    @property
    def key(self) -> tuple[str, str]:
        """Order and shipment id, as events have them."""
        return str(self.order), str(shipment_id(self.order, self.ordinal))


@dataclass(slots=True)
class CaseAnswer:
    """All shipments of a case, and how its commands end."""

    shipments: list[ShipmentAnswer] = field(default_factory=list)
    """All of each order."""
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    """The reason by topic and `id#index`."""
    refused_at_last: dict[tuple[str, str], str] = field(default_factory=dict)
    """The same of what waits for a number that never comes."""
    unchanged: dict[str, str] = field(default_factory=dict)
    """The reason of commands that change nothing, by their id."""
    sent: set[str] = field(default_factory=set)
    """Ids of all messages so far."""
    named_in: dict[str, set[str]] = field(default_factory=dict)
    """Order numbers, and words of scans: the Kafka keys of all records that may contain them."""
