"""What an installation has to carry: given by an operator, checked, as rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from orderflow.capacity.costs import CLAIMS, COMMANDS, MESSAGES, SCANS

SECONDS_A_DAY = 86_400


class ImpossibleLoad(ValueError):
    """Values that contradict each other; the text says which, and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A day of an installation, and how it is to be laid out. Numbers for an order are means."""

    orders_per_day: int
    commands_per_order: float
    parcels_per_order: float
    scans_per_parcel: float
    claims_per_order: float
    """Commands of claims."""
    messages_per_order: float | None = None
    """Commands and scans together; then scans_per_parcel and parcels_per_order do not count."""
    peak_factor: float
    """Messages of the busiest second for a mean second."""
    growth: float
    """How much more than now the partitions must ever carry, as they are fixed once."""
    kept_days: int
    """How long orders stay in Postgres."""
    replication: int
    brokers: int
    processes: int
    """Processes of a replica, one core each."""
    subscribers: int
    """Groups of others that read all event topics."""
    webhooks_per_event: float
    over_http: float
    """Share of commands and scans that come through the gateway."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not math.isfinite(value):
                raise ImpossibleLoad(f"{field.name} is {value}: give a finite number")
        if self.replication > self.brokers:
            raise ImpossibleLoad(
                f"replication {self.replication} needs as many brokers, and there are "
                f"{self.brokers}: give --brokers {self.replication} or more, or less replication"
            )
        if (self.messages_per_order or self.commands_per_order) < self.commands_per_order:
            raise ImpossibleLoad(
                f"{self.messages_per_order:g} messages for an order are less than its "
                f"{self.commands_per_order:g} commands: give fewer --commands-per-order"
            )

    @property
    def counts(self) -> Mapping[str, float]:
        """Messages of one order by kind."""
        scans = self.parcels_per_order * self.scans_per_parcel
        if self.messages_per_order is not None:
            scans = self.messages_per_order - self.commands_per_order
        return {
            COMMANDS: self.commands_per_order,
            SCANS: scans,
            CLAIMS: self.claims_per_order,
            MESSAGES: self.commands_per_order + scans,
        }

    @property
    def orders_per_second(self) -> float:
        """In the busiest second."""
        return self.orders_per_day / SECONDS_A_DAY * self.peak_factor
