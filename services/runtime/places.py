"""How a partition is taken, and how it is let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from services.runtime.lost import PositionLost


@dataclass(frozen=True, slots=True)
class Placed:
    """What placing found out."""

    lost: tuple[PositionLost, ...]  # Their stored position means nothing.
    held: Mapping[TopicPartition, str]  # Stopped before, and why.
    abandoned: frozenset[TopicPartition]  # Their last reader never let go: it died.
    fuse_allows: Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a partition is let go: its next reader must be careful; noted tries that we survived."""

    is_careful: bool
    survived: int
