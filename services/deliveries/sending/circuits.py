"""Circuits: the circuit breakers of destinations as stored, and where something may be due. No I/O.

Only destinations that fail, or have a backlog, have one. All of them are looked at for what is due
once a second, and between that those to which something happened: what a turn costs does not depend
on how many fail.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from services.deliveries.domain.schedule import CLOSED, Circuit
from services.deliveries.sending.window import Window
from services.deliveries.sending.windows import Windows


class Circuits:
    """Circuit and shard of each destination that has a circuit."""

    def __init__(self) -> None:
        self._circuits: dict[int, Circuit] = {}
        self._shards: dict[int, int] = {}
        self._to_look_at: set[int] = set()

    def load(self, stored: Mapping[int, tuple[int, Circuit]]) -> None:
        """Replace all by what is stored: shard and circuit of each destination."""
        self._circuits, self._shards, self._to_look_at = {}, {}, set()
        self.save(stored)

    def save(self, written: Mapping[int, tuple[int, Circuit]]) -> None:
        """Take over what was written."""
        for destination, (shard, circuit) in written.items():
            self._circuits[destination] = circuit
            self._shards[destination] = shard
        self._to_look_at |= written.keys()

    def close(self, destination: int) -> None:
        """The circuit was closed, and the groups are due."""
        self._circuits[destination] = CLOSED
        self._to_look_at.add(destination)

    def forget(self, destination: int) -> None:
        """The destination neither fails nor has a backlog any more."""
        self._circuits.pop(destination, None)
        self._shards.pop(destination, None)

    def of(self, destination: int) -> Circuit:
        """The circuit of a destination; closed where there is none."""
        return self._circuits.get(destination, CLOSED)

    def __contains__(self, destination: int) -> bool:
        return destination in self._circuits

    def failing(self) -> list[int]:
        """Destinations whose last attempt was in vain."""
        return [each for each, circuit in self._circuits.items() if circuit.failures]

    def look_at(self, destination: int) -> None:
        """Something of this destination may be due, or have room now."""
        self._to_look_at.add(destination)

    def look_at_all(self) -> None:
        """Time has passed: something of any destination may be due."""
        self._to_look_at.update(self._circuits)

    def take_due(self, windows: Windows, shards: Collection[int], now: datetime) -> dict[int, int]:
        """How many groups of each destination may begin; of an open circuit only the probe.

        A process that ended may have left the first event of a group fresh and a later one in the
        backlog: nothing of the backlog begins before the fresh rows of its shard were read. They
        were for `shards`.
        """
        found = {}
        looked_at, self._to_look_at = self._to_look_at, set()
        for destination in looked_at & self._circuits.keys():
            if self._shards[destination] not in shards:
                self._to_look_at.add(destination)
                continue
            window = windows.of(destination)
            if groups := self._groups(destination, window, now):
                # Groups that are under way are due as well, and come first.
                found[destination] = groups + window.backlog_groups_of(destination)
        return found

    def _groups(self, destination: int, window: Window, now: datetime) -> int:
        circuit = self._circuits[destination]
        if circuit.is_open:
            return int(circuit.may_send(now) and window.is_idle(destination))
        return window.room_of(destination)
