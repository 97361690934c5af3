"""The positions after a batch, until they are stored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Step:
    """The new positions of a batch's partitions, by the last records applied.

    They are stored once, in the batch's transaction: by the statement that stores the batch's first
    outgoing records, or by a separate statement where there are none.
    """

    group: str
    columns: tuple[list[str], list[int], list[int], list[int], list[int]]
    """Topics, partitions, offsets, timestamps in ms and checksums, pairwise."""
    is_stored: bool = False


NO_STEP = Step("", ([], [], [], [], []))
