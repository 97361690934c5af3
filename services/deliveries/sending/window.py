"""Window: the deliveries that a process works on, and which of them may be sent next. No I/O.

A message group is one order at one destination. Of each group one event is under way at a time; a
failed one keeps the later ones back. Destinations take turns, and each has a bound of its own, so
that a slow one holds up no other.

A request to a destination that does not answer stays under way for as long as a request may take.
So those that fail, and those of which nothing is known yet, have a part of all requests each, and
further requests of one destination another part: what is left is for first requests of those that
answer, however many others do not.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator

from msgspec import Struct

from services.deliveries.sending.standing import Standing, Standings

MessageGroup = tuple[int, str]
"""Destination and order."""
SHARE = 4
"""Those that fail have the fourth part of all requests together, and so have those of which nothing
is known; of those that answer, all requests beside the first of each. At least one request each."""
PENDING_MAX = 200
"""Most deliveries of one webhook in memory; further ones go to the backlog."""
FRESH_MAX = 150
"""Most of them that are not of the backlog: what is due there begins beside any number of these."""
CROWDED_FROM = 5_000
"""With so many deliveries in memory, a destination gets no more than it may get requests."""
CROWDED_MAX = 50
"""And no more than so many, as a feed may get far more records."""


class Row(Struct, frozen=True, gc=False):
    """One delivery: an event for a destination. Without `segment` it is of the backlog."""

    id: int
    shard: int
    destination: int
    order_id: str
    event_id: str
    body_day: int
    body_bytes: int
    segment: int | None = None
    failures: int = 0
    """Attempts in vain before."""
    skipped: int = 0
    """Events of the group that were given up since the last that was delivered."""
    replay: str | None = None
    """Id of the replay that added it."""

    @property
    def group(self) -> MessageGroup:
        """The group that it belongs to."""
        return (self.destination, self.order_id)


class Bounds(Struct, frozen=True):
    """How much may be under way at once."""

    requests: int
    requests_of_one: int
    body_bytes: int
    fresh_of_one: int = FRESH_MAX
    rows_of_one: int = PENDING_MAX


class Window:
    """What is in memory of the held shards."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._groups: dict[MessageGroup, deque[Row]] = {}
        self._standings = Standings(bounds.requests_of_one)
        self._ready: dict[Standing, dict[int, deque[MessageGroup]]] = {
            each: {} for each in Standing
        }
        """Groups whose first row may be sent, by destination."""
        self._pending: Counter[int] = Counter()
        self._rows = 0
        self._fresh: set[int] = set()
        """Ids of the rows that are not of the backlog."""
        self._groups_of: dict[int, set[MessageGroup]] = {}
        self._continued: set[MessageGroup] = set()
        """Groups whose later rows lie in the backlog."""
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
        return list(self._fresh)

    def holds(self, group: MessageGroup) -> bool:
        """Whether rows of this group are here."""
        return group in self._groups

    def room_of(self, destination: int) -> int:
        """How many further requests the destination may get at once."""
        return max(0, self._standings.allowed(destination) - self._under_way[destination])

    def backlog_groups_of(self, destination: int) -> int:
        """How many groups of the destination are here that also have rows in the backlog."""
        groups = self._groups_of.get(destination, ())
        return sum(
            self._groups[each][0].segment is None or each in self._continued for each in groups
        )

    def deferred(self, row: Row) -> None:
        """A row was not taken: it lies in the backlog, maybe behind rows of its group here."""
        if row.group in self._groups:
            self._continued.add(row.group)

    def is_idle(self, destination: int) -> bool:
        """Whether nothing is under way to the destination."""
        return not self._under_way[destination]

    def admit(self, row: Row) -> bool:
        """Take a row; False where its destination has enough rows here."""
        if self._pending[row.destination] >= self._most_of(row):
            return False
        group = self._groups.get(row.group)
        if group is None:
            self._groups[row.group] = deque((row,))
            self._groups_of.setdefault(row.destination, set()).add(row.group)
            self._make_ready(row.group)
        else:
            group.append(row)
        self._count(row.destination, 1)
        if row.segment is not None:
            self._fresh.add(row.id)
        return True

    def _most_of(self, row: Row) -> int:
        if self._rows >= CROWDED_FROM:
            return min(self._bounds.requests_of_one, CROWDED_MAX)
        return self._bounds.rows_of_one if row.segment is None else self._bounds.fresh_of_one

    def answered(self, destination: int) -> None:
        """A destination answered: it may get one request more at once."""
        before = self._standings.of(destination)
        forgotten = self._standings.answered(destination)
        self._move(destination, before)
        if forgotten is not None:
            self._move(forgotten, Standing.ANSWERING)

    def unanswered(self, destination: int) -> None:
        """A destination did not answer, or said that it cannot work: one request at a time."""
        before = self._standings.of(destination)
        self._standings.failed(destination)
        self._move(destination, before)

    def forget(self, destination: int) -> None:
        """What is known of a destination holds no more, as it may have another URL."""
        before = self._standings.of(destination)
        self._standings.forget(destination)
        self._move(destination, before)

    def start(self) -> Iterator[Row]:
        """The rows to send now: one of each destination in turn, within all bounds."""
        used = self._in_use()
        for standing in (Standing.FAILING, Standing.NEW, Standing.ANSWERING):
            left = max(1, self._bounds.requests // SHARE) - used[standing]
            yield from self._start(standing, left)

    def _in_use(self) -> Counter[Standing]:
        """How much of each part is used."""
        used: Counter[Standing] = Counter()
        for destination, requests in self._under_way.items():
            standing = self._standings.of(destination)
            used[standing] += requests - 1 if standing is Standing.ANSWERING else requests
        return used

    def _start(self, standing: Standing, left: int) -> Iterator[Row]:
        ready = self._ready[standing]
        turns = deque(ready)
        while turns and self.has_room() and (left > 0 or standing is Standing.ANSWERING):
            destination = turns.popleft()
            is_counted = standing is not Standing.ANSWERING or not self.is_idle(destination)
            if not self.room_of(destination) or (is_counted and left <= 0):
                continue
            left -= is_counted
            groups = ready.pop(destination)
            row = self._groups[groups.popleft()][0]
            if groups:
                ready[destination] = groups  # Behind the others, also the next time.
                turns.append(destination)
            self._under_way[destination] += 1
            self._shards[row.shard] += 1
            self._requests += 1
            self._bytes += row.body_bytes
            yield row

    def delivered(self, row: Row) -> None:
        """The first row of its group is done; the next one may be sent."""
        self._end_request(row)
        group = self._groups[row.group]
        group.popleft()
        self._drop(row.destination, (row,))
        if group:
            self._make_ready(row.group)
        else:
            self._remove(row.group)

    def failed(self, row: Row) -> list[Row]:
        """The first row of its group failed: returns the rows behind it, which leave too."""
        self._end_request(row)
        rows = self._remove(row.group)
        self._drop(row.destination, rows)
        return list(rows)[1:]

    def withdraw(self, destination: int) -> list[Row]:
        """Take out what is not under way to a destination; returns it, oldest first."""
        groups = self._ready[self._standings.of(destination)].pop(destination, ())
        rows = [row for group in groups for row in self._remove(group)]
        for group in self._groups_of.get(destination, ()):
            behind = self._groups[group]
            while len(behind) > 1:
                rows.append(behind.pop())
        self._drop(destination, rows)
        return sorted(rows, key=_id)

    def release(self, shards: frozenset[int]) -> None:
        """Forget the rows of other shards that are not under way."""
        destinations = {
            row.destination
            for group in self._groups.values()
            for row in group
            if row.shard not in shards
        }
        for destination in destinations:
            self.withdraw(destination)

    def _make_ready(self, group: MessageGroup) -> None:
        ready = self._ready[self._standings.of(group[0])]
        ready.setdefault(group[0], deque()).append(group)

    def _move(self, destination: int, before: Standing) -> None:
        """Put the groups that are ready where they belong."""
        now = self._standings.of(destination)
        if now is not before and (groups := self._ready[before].pop(destination, None)):
            self._ready[now][destination] = groups

    def _count(self, destination: int, rows: int) -> None:
        self._rows += rows
        self._pending[destination] += rows
        if not self._pending[destination]:
            del self._pending[destination]

    def _drop(self, destination: int, rows: Collection[Row]) -> None:
        self._count(destination, -len(rows))
        self._fresh.difference_update([row.id for row in rows])

    def _remove(self, group: MessageGroup) -> deque[Row]:
        self._groups_of[group[0]].remove(group)
        if not self._groups_of[group[0]]:
            del self._groups_of[group[0]]
        self._continued.discard(group)
        return self._groups.pop(group)

    def _end_request(self, row: Row) -> None:
        self._under_way -= Counter((row.destination,))  # Drops a count of 0.
        self._shards -= Counter((row.shard,))
        self._requests -= 1
        self._bytes -= row.body_bytes


def _id(row: Row) -> int:
    return row.id
