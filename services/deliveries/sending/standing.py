"""Standing: how many requests at once a destination may get, by how it answered before. No I/O."""

from __future__ import annotations

from enum import Enum

KNOWN_MAX = 20_000
"""So many destinations that answer are remembered; beyond, the first one is forgotten."""


class Standing(Enum):
    """What is known of a destination."""

    NEW = "new"
    """Nothing: it has one request at a time until its first answer."""
    FAILING = "failing"
    """It did not answer last time, or said that it cannot work: one request at a time."""
    ANSWERING = "answering"
    """It may have one request more after each answer, up to the bound of one destination."""


class Standings:
    """Standing of each destination, and how many requests at once it may have."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed: dict[int, int] = {}
        """Of those that answer, the one that answered last at the end."""
        self._failing: set[int] = set()

    def of(self, destination: int) -> Standing:
        """The standing of a destination."""
        if destination in self._allowed:
            return Standing.ANSWERING
        return Standing.FAILING if destination in self._failing else Standing.NEW

    def allowed(self, destination: int) -> int:
        """How many requests at once it may have."""
        return self._allowed.get(destination, 1)

    def answered(self, destination: int) -> int | None:
        """A destination answered; returns the one that is forgotten for it."""
        allowed = self._allowed.pop(destination, 1)
        self._allowed[destination] = min(allowed + 1, self._most)
        self._failing.discard(destination)
        if len(self._allowed) <= KNOWN_MAX:
            return None
        oldest = next(iter(self._allowed))
        del self._allowed[oldest]
        return oldest

    def failed(self, destination: int) -> None:
        """A destination did not answer, or said that it cannot work."""
        self._allowed.pop(destination, None)
        self._failing.add(destination)

    def forget(self, destination: int) -> None:
        """Know nothing of a destination, as of one that was never sent to."""
        self._allowed.pop(destination, None)
        self._failing.discard(destination)
