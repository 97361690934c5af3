"""References of items, why an item is parked, and a parked item with its place in the queue."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from services.runtime.messages.records import Coordinates, Original, readable_envelope
from services.runtime.retry import forget_rows

WHOLE = -1  # The index of a record that is parked unread.
ERROR_MAX_CHARACTERS = 2_000
TRACEBACK_MAX_CHARACTERS = 20_000


class FailureKind(StrEnum):
    """Why an item is parked. Only `BEHIND` is not its own failure."""

    DECISION = "decision"
    WRITE = "write"
    ENCODING = "encoding"
    READING = "reading"
    CRASH = "crash"
    BEHIND = "behind"


class ItemRef(Struct, frozen=True, gc=False):
    """Which item: the record it is in, and its index there."""

    at: Coordinates
    index: int


@dataclass(frozen=True, slots=True, order=True)
class QueuePosition:
    """Where an item stands in the queue: smaller is earlier."""

    id: int
    nth: int

    def __str__(self) -> str:
        return f"{self.id}.{self.nth}" if self.nth else f"{self.id}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item could not be decided or written, for an operator."""

    kind: FailureKind
    error: str
    traceback: str = ""

    @classmethod
    def of(cls, kind: FailureKind, error: BaseException) -> Failure:
        """The failure that an exception shows, in texts that Postgres can store."""
        forget_rows(error)
        frames = "".join(traceback.format_exception(error))
        what = f"{type(error).__name__}: {error}"
        return cls(
            kind, _plain(what)[:ERROR_MAX_CHARACTERS], _plain(frames)[-TRACEBACK_MAX_CHARACTERS:]
        )


@dataclass(frozen=True, slots=True)
class UnreadItem:
    """A record that is known to fail; it is parked without being read."""

    original: Original
    index: int
    failure: Failure


class ItemFailed(Exception):
    """Work on one item raised after its decision; the error names the item, so no search is needed.

    The original error is the cause.
    """

    def __init__(self, ref: ItemRef, kind: FailureKind) -> None:
        super().__init__(f"item {ref.index} of {ref.at} fails ({kind})")
        self.ref = ref
        self.kind = kind


@dataclass(frozen=True, slots=True)
class ParkingCandidate:
    """An item that may have to be parked: what the queue keeps of it.

    `keys` are its parking keys: they say which orders the item is about (`parking.keys`). It stands
    behind earlier items that hold one of them, and holds them for later ones. Those in `shared` it
    only holds: they say what it brings that others may bring as well.
    """

    original: Original
    index: int
    item_id: str | None
    type: str | None
    keys: frozenset[str]
    cut: Callable[[], Original] | None = None
    """Makes the record with this item as the only one in it, where there are others."""
    shared: frozenset[str] = frozenset()

    @property
    def held(self) -> frozenset[str]:
        """All keys that it holds while it is parked."""
        return self.keys | self.shared

    @classmethod
    def of_record(cls, original: Original, index: int, keys: frozenset[str]) -> ParkingCandidate:
        """The candidate for an item without an id, in a record that may be unreadable."""
        return cls(original, index, None, readable_envelope(original).type, keys)

    @property
    def ref(self) -> ItemRef:
        """Which item it is."""
        return ItemRef(self.original.coordinates, self.index)

    @property
    def kept(self) -> Original:
        """What is stored of it."""
        return self.cut() if self.cut else self.original


@dataclass(frozen=True, slots=True)
class Parked:
    """One row of the queue. `parked_at` is business time, the other times are the wall clock's."""

    position: QueuePosition
    original: Original
    index: int
    item_id: str | None
    type: str | None
    failure: Failure
    keys: frozenset[str]
    parked_at: datetime
    attempts: int
    last_tried_at: datetime
    next_try_at: datetime | None
    behind: int = 0
    """How many stand behind it, where that was asked."""

    @property
    def ref(self) -> ItemRef:
        """Which item it is."""
        return ItemRef(self.original.coordinates, self.index)


@dataclass(frozen=True, slots=True)
class Dismissal:
    """An operator's end for a parked item: a reason code of the contract, and why in words."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class RetryResult:
    """What became of a parked item that was tried again."""

    parked: Parked
    became: str
    """applied, no_change, rejected or waiting; parked: failed again; behind: was not tried."""
    detail: str | None = None


def _plain(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
