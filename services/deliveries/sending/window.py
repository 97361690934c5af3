"""Window: the deliveries that a process works on, and which of them may be sent next. No I/O.

A lane is one order at one destination. Of each lane one event is under way at a time; a failed one
keeps the later ones back. Destinations take turns, and each has a bound of its own, so that a slow
one holds up no other.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from msgspec import Struct

Lane = tuple[int, str]
"""Destination and order."""
PENDING_MAX = 200
"""Most deliveries of one destination in memory; further ones go to the backlog."""


class Row(Struct, frozen=True, gc=False):
    """One delivery: an event for a destination. Without `segment` it is of the backlog."""

    id: int
    shard: int
    destination: int
    order_id: str
    event_id: str
    body_slot: int
    body_bytes: int
    segment: int | None = None
    failures: int = 0
    """Attempts in vain before."""
    skipped: int = 0
    """Events of the lane that were given up since the last that was delivered."""

    @property
    def lane(self) -> Lane:
        """The lane that it belongs to."""
        return (self.destination, self.order_id)


class Bounds(Struct, frozen=True):
    """How much may be under way at once."""

    requests: int
    requests_of_one: int
    body_bytes: int


class Window:
    """What is in memory of the held shards."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._lanes: dict[Lane, deque[Row]] = {}
        self._ready: dict[int, deque[Lane]] = {}
        """Lanes whose first row may be sent, by destination."""
        self._pending: Counter[int] = Counter()
        self._under_way: Counter[int] = Counter()
        self._shards: Counter[int] = Counter()
        self._requests = 0
        self._bytes = 0

    @property
    def requests(self) -> int:
        """How many deliveries are under way."""
        return self._requests

    def shards_under_way(self) -> frozenset[int]:
        """Shards of the deliveries that are under way."""
        return frozenset(self._shards)

    def has_room(self) -> bool:
        """Whether further deliveries may begin."""
        return self._requests < self._bounds.requests and self._bytes < self._bounds.body_bytes

    def fresh_ids(self) -> list[int]:
        """Ids of the rows that are not of the backlog."""
        rows = (row for lane in self._lanes.values() for row in lane)
        return [row.id for row in rows if row.segment is not None]

    def holds(self, lane: Lane) -> bool:
        """Whether rows of this lane are here."""
        return lane in self._lanes

    def room_of(self, destination: int) -> int:
        """How many further requests the destination may get at once."""
        return max(0, self._bounds.requests_of_one - self._under_way[destination])

    def lanes_of(self, destination: int) -> int:
        """How many lanes of the destination are here."""
        return sum(lane[0] == destination for lane in self._lanes)

    def is_idle(self, destination: int) -> bool:
        """Whether nothing is under way to the destination."""
        return not self._under_way[destination]

    def admit(self, row: Row) -> bool:
        """Take a row; False where its destination has enough rows here."""
        if self._pending[row.destination] >= PENDING_MAX:
            return False
        lane = self._lanes.get(row.lane)
        if lane is None:
            self._lanes[row.lane] = deque((row,))
            self._ready.setdefault(row.destination, deque()).append(row.lane)
        else:
            lane.append(row)
        self._pending[row.destination] += 1
        return True

    def start(self) -> Iterator[Row]:
        """The rows to send now: one of each destination in turn, within all bounds."""
        turns = deque(self._ready)
        while turns and self.has_room():
            destination = turns.popleft()
            ready = self._ready[destination]
            if not self.room_of(destination):
                continue
            row = self._lanes[ready.popleft()][0]
            if ready:
                turns.append(destination)
            else:
                del self._ready[destination]
            self._under_way[destination] += 1
            self._shards[row.shard] += 1
            self._requests += 1
            self._bytes += row.body_bytes
            yield row

    def delivered(self, row: Row) -> None:
        """The first row of its lane is done; the next one may be sent."""
        self._end_request(row)
        lane = self._lanes[row.lane]
        lane.popleft()
        self._pending[row.destination] -= 1
        if lane:
            self._ready.setdefault(row.destination, deque()).append(row.lane)
        else:
            del self._lanes[row.lane]

    def failed(self, row: Row) -> list[Row]:
        """The first row of its lane failed: returns the rows behind it, which leave too."""
        self._end_request(row)
        rows = self._lanes.pop(row.lane)
        self._pending[row.destination] -= len(rows)
        return list(rows)[1:]

    def withdraw(self, destination: int) -> list[Row]:
        """Take out what is not under way to a destination; returns it, oldest first."""
        lanes = self._ready.pop(destination, ())
        rows = [row for lane in lanes for row in self._lanes.pop(lane)]
        for lane, behind in self._lanes.items():
            if lane[0] == destination:
                while len(behind) > 1:
                    rows.append(behind.pop())
        self._pending[destination] -= len(rows)
        return sorted(rows, key=_id)

    def release(self, shards: frozenset[int]) -> None:
        """Forget the rows of other shards that are not under way."""
        destinations = {
            row.destination
            for lane in self._lanes.values()
            for row in lane
            if row.shard not in shards
        }
        for destination in destinations:
            self.withdraw(destination)

    def _end_request(self, row: Row) -> None:
        self._under_way -= Counter((row.destination,))  # Drops a count of 0.
        self._shards -= Counter((row.shard,))
        self._requests -= 1
        self._bytes -= row.body_bytes


def _id(row: Row) -> int:
    return row.id
