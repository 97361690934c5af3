"""A consumer that is alive and reads nothing, though there are records: aiokafka is known for it.

No signal of the client tells; only that the broker has more than what was polled, and that this
does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one partition was polled, and how far it could be."""

    polled: int
    end: int


class Stalls:
    """What has stood still, and since when; times are the poll loop's own (see PollLoop)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[TopicPartition | None, tuple[int, float]] = {}
        self.trouble: str | None = None

    def look(
        self, now: float, reached: Mapping[TopicPartition, Reach], *, is_joining: bool
    ) -> None:
        """Compare with the last look, at a moment when the broker answers."""
        behind: dict[TopicPartition | None, int] = {
            p: reach.polled for p, reach in reached.items() if reach.polled < reach.end
        }
        if is_joining:
            behind[None] = 0
        self._since = {
            what: self._since[what] if self._is_as_before(what, polled) else (polled, now)
            for what, polled in behind.items()
        }
        still = {
            what: now - since
            for what, (_, since) in self._since.items()
            if now - since >= self._seconds
        }
        self.trouble = "; ".join(_told(what, seconds) for what, seconds in still.items()) or None

    def forget(self) -> None:
        """The broker does not answer: nobody can read, and nothing is a stall."""
        self._since.clear()
        self.trouble = None

    def _is_as_before(self, what: TopicPartition | None, polled: int) -> bool:
        return what in self._since and self._since[what][0] == polled


def _told(what: TopicPartition | None, seconds: float) -> str:
    if what is None:
        return (
            f"for {seconds:.0f} seconds its group gives it no partitions, or its client cannot "
            "tell where they begin, and Kafka answers"
        )
    return f"{what.topic}[{what.partition}] has records and is not polled for {seconds:.0f} seconds"
