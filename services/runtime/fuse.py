"""The fuse of a partition: when so much fails that going on would do harm (P6). Pure.

A bad deploy looks like bad data: parking a whole topic item by item would hide it, and would have
to be undone item by item. What is parked behind another item is no failure of its own: not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiokafka import TopicPartition

SOURCES_MIN = 3


class FuseTripped(Exception):
    """Too much of a partition fails; its batch is not committed, and the next one is not read."""

    def __init__(self, partition: TopicPartition, why: str) -> None:
        super().__init__(
            f"{partition.topic}[{partition.partition}]: {why}. The batch that would have passed "
            "the limit is not applied. Mend the cause, then `orderflow partitions resume "
            f"{partition.topic} {partition.partition} --why …`; with `--allow N` the next N "
            "failing items are parked all the same (docs/operating.md, 'The fuse')"
        )
        self.partition = partition


@dataclass(frozen=True, slots=True)
class FuseLimits:
    """How much may fail; a share of 0 turns that rule off."""

    window_items: int
    parked_share: float
    parked_in_a_row: int
    malformed_share: float

    @property
    def parked_max(self) -> float:
        """That many of a window may be parked. Of a young window too: 1 of 3 is no flood."""
        return self.window_items * self.parked_share

    @property
    def malformed_max(self) -> float:
        """That many of a window may be malformed, without the worst source's."""
        return self.window_items * self.malformed_share


@dataclass(frozen=True, slots=True)
class Share:
    """What one batch did in one partition: items decided, parked by their own failure, malformed.

    Malformed ones are among the decided; they are counted by who sent them.
    """

    decided: int
    parked: int
    malformed: Mapping[str, int]

    @property
    def items(self) -> int:
        """All but those that only stand behind another."""
        return self.decided + self.parked


@dataclass(frozen=True, slots=True)
class FuseLevel:
    """The last batches of a partition, about a window of them, and the row of failures at the end.

    The row counts whole batches: one decided item in a batch ends it. What the window holds is
    carried along, not counted anew: a thousand batches of one item are a window as well.
    """

    batches: tuple[Share, ...] = ()
    in_a_row: int = 0
    allowed: int = 0
    items: int = 0
    """Items of the window."""
    parked: int = 0
    """Items of the window that were parked."""
    malformed: Mapping[str, int] = field(default_factory=dict)
    """Malformed items of the window, by source."""

    def after(self, share: Share, limits: FuseLimits) -> FuseLevel:
        """The level with one batch more; the oldest ones leave when the window is full without."""
        if not share.items:
            return self
        counted, pardoned = share, min(self.allowed, share.parked)
        if pardoned:
            counted = replace(
                share, parked=share.parked - pardoned, decided=share.decided + pardoned
            )
        kept = (*self.batches, counted)
        items = self.items + counted.items
        leaving = 0
        while items - kept[leaving].items >= limits.window_items:
            items -= kept[leaving].items
            leaving += 1
        left = kept[:leaving]
        return FuseLevel(
            kept[leaving:],
            in_a_row=0 if counted.decided else self.in_a_row + counted.parked,
            allowed=self.allowed - pardoned,
            items=items,
            parked=self.parked + counted.parked - sum(batch.parked for batch in left),
            malformed=_moved(self.malformed, counted, left),
        )

    def bad_sources(self, limits: FuseLimits) -> tuple[str, ...]:
        """Sources that alone send more malformed items than all together may: an alert each."""
        if not limits.malformed_share:
            return ()
        found = (source for source, count in self.malformed.items() if count > limits.malformed_max)
        return tuple(sorted(found))

    def why_tripped(self, limits: FuseLimits) -> str | None:
        """The limit that is passed, in words; None while all is within."""
        if limits.parked_share and self.parked > limits.parked_max:
            return f"{self.parked} of the last {self.items} items failed and were to be parked"
        if limits.parked_in_a_row and self.in_a_row >= limits.parked_in_a_row:
            return f"{self.in_a_row} items in a row failed and were to be parked"
        others = self._malformed_without_the_worst()
        sources = len(self.malformed)
        if limits.malformed_share and sources >= SOURCES_MIN and others > limits.malformed_max:
            count = sum(self.malformed.values())
            return f"{count} of the last {self.items} items from {sources} sources are malformed"
        return None

    def fullness(self, limits: FuseLimits) -> float:
        """How near to its limit the nearest rule is: it trips above 1."""
        parts = [0.0]
        if limits.parked_share:
            parts.append(self.parked / limits.parked_max)
        if limits.parked_in_a_row:
            parts.append(self.in_a_row / limits.parked_in_a_row)
        if limits.malformed_share and len(self.malformed) >= SOURCES_MIN:
            parts.append(self._malformed_without_the_worst() / limits.malformed_max)
        return max(parts)

    def _malformed_without_the_worst(self) -> int:
        counts = self.malformed.values()
        return sum(counts) - max(counts, default=0)


def _moved(malformed: Mapping[str, int], came: Share, left: Sequence[Share]) -> Mapping[str, int]:
    """The window's malformed items by source after a batch came and others left it."""
    if not came.malformed and not any(batch.malformed for batch in left):
        return malformed
    total = Counter(malformed)
    total.update(came.malformed)
    for batch in left:
        total.subtract(batch.malformed)
    return +total
