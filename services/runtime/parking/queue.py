"""The queue of parked items in Postgres: held keys, and the rows that join, stay and leave.

A batch costs a constant number of statements, whatever it parks.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import asyncpg
import structlog
from asyncpg import Connection

from services.runtime.batch.batch import Batch
from services.runtime.batch.items import Failure, FailureKind, Parked, QueuePosition
from services.runtime.config.settings import Settings
from services.runtime.messages.headers import pack_headers
from services.runtime.observability.metrics import Metrics
from services.runtime.parking.gate import NewlyParked, ParkingGate, StillParked
from services.runtime.postgres.originals import read_original
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "parking.sql")
DOUBLINGS_MAX = 32

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetryDelays:
    """How long a failed item rests before the service retries it."""

    first_seconds: float
    longest_seconds: float

    def seconds(self, failure: Failure, attempts: int) -> float | None:
        """Seconds to the next retry: doubled with each attempt, with jitter.

        None for what is retried only with the item before it, or by an operator.
        """
        if failure.kind in (FailureKind.CRASH, FailureKind.BEHIND):
            return None
        doublings = min(max(attempts - 1, 0), DOUBLINGS_MAX)
        seconds = min(self.longest_seconds, self.first_seconds * 2.0**doublings)
        return seconds * random.uniform(0.8, 1.2)


class Queue:
    """The parked items of one service; never begins or commits a transaction."""

    def __init__(self, service: str, settings: Settings, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self._delays = RetryDelays(
            settings.parking_first_delay_seconds, settings.parking_longest_delay_seconds
        )

    async def open_gate(
        self,
        connection: Connection,
        batch: Batch,
        keys: Callable[[], Collection[str]],
        *,
        is_any_parked: bool | None = None,
    ) -> ParkingGate:
        """The gate of a batch. Call it after the rows of the batch are locked.

        `keys` returns all parking keys of the batch's items; it is called only where anything is
        parked. `is_any_parked` says whether anything is, as read after the locks; None: read here.
        """
        if is_any_parked is None:
            is_any_parked = await connection.fetchval(SQL["find_first_parked"]) is not None
        if not is_any_parked:
            return ParkingGate(batch)
        wanted = {*keys(), *(key for row in batch.retried for key in row.keys)}
        retried = [row.position for row in batch.retried]
        rows = await connection.fetch(
            SQL["find_held_keys"], list(wanted), *position_columns(retried)
        )
        return ParkingGate(batch, {row["name"]: _position(row) for row in rows})

    async def save(self, connection: Connection, batch: Batch, gate: ParkingGate) -> None:
        """Write the changes of the queue: at most three statements, none where nothing changed."""
        if gate.unparked:
            await connection.execute(SQL["delete_parked"], *position_columns(gate.unparked))
        if gate.still_parked:
            await connection.execute(SQL["update_parked"], *self._still_columns(gate.still_parked))
        if gate.newly_parked:
            columns, keys = self._new_columns(gate.newly_parked)
            await connection.execute(SQL["park"], *columns, batch.now, *keys)
        if not batch.is_trial:
            self._count_and_log(gate)

    def _new_columns(
        self, rows: Sequence[NewlyParked]
    ) -> tuple[list[list[object]], tuple[list[str], list[int]]]:
        """Columns of `park`, and its keys with the number, from 1, of the row that has each."""
        besides: Counter[int | None] = Counter()
        columns: list[tuple[object, ...]] = []
        keys: list[str] = []
        numbers: list[int] = []
        for number, each in enumerate(rows, start=1):
            id_ = each.beside.id if each.beside else None
            besides[id_] += 1
            columns.append(self._new_row(each, id_, besides[id_] if each.beside else 0))
            keys += each.candidate.held
            numbers += [number] * len(each.candidate.held)
        return [list(column) for column in zip(*columns, strict=True)], (keys, numbers)

    def _new_row(self, new: NewlyParked, id_: int | None, nth: int) -> tuple[object, ...]:
        candidate, failure = new.candidate, new.failure
        original, at = candidate.kept, candidate.ref.at
        attempts = 0 if failure.kind is FailureKind.BEHIND else 1
        return (
            id_,
            nth,
            candidate.index,
            candidate.item_id,
            at.topic,
            at.partition,
            at.offset,
            original.key,
            pack_headers(original.headers),
            original.value,
            original.timestamp,
            candidate.type,
            failure.kind.value,
            failure.error,
            failure.traceback,
            attempts,
            self._delays.seconds(failure, attempts),
        )

    def _still_columns(self, rows: Sequence[StillParked]) -> tuple[list[object], ...]:
        """Columns of `update_parked`: the rows, then their new keys with the row of each."""
        changed = [
            (
                each.parked.position.id,
                each.parked.position.nth,
                each.failure.kind.value,
                each.failure.error,
                each.failure.traceback,
                each.attempts,
                self._delays.seconds(each.failure, each.attempts),
            )
            for each in rows
        ]
        new_keys = [
            (key, each.parked.position.id, each.parked.position.nth)
            for each in rows
            for key in each.keys - each.parked.keys
        ]
        columns = [list(column) for column in zip(*changed, strict=True)]
        return (*columns, *([row[at] for row in new_keys] for at in range(3)))

    def _count_and_log(self, gate: ParkingGate) -> None:
        """Metrics and log entries of parked items.

        They come before the commit, so a batch that is applied again repeats them.
        """
        parked: Counter[tuple[str, str]] = Counter()
        for ref, kind in gate.report.parked:
            parked[ref.at.topic, kind.value] += 1
        for labels, items in parked.items():
            self._metrics.parked_total.labels(self._service, *labels).inc(items)
        failed = [*((each.candidate.ref, each.failure) for each in gate.newly_parked)]
        failed += [(each.parked.ref, each.failure) for each in gate.still_parked]
        for ref, failure in failed:
            if failure.kind is not FailureKind.BEHIND:
                log.error(
                    "item_parked",
                    service=self._service,
                    kind=failure.kind.value,
                    at=str(ref.at),
                    index=ref.index,
                    error=failure.error.split(":")[0],
                    traceback=failure.traceback,
                )


async def count(connection: Connection) -> int:
    """How many items are parked."""
    found: int = await connection.fetchval(SQL["count_parked"])
    return found


def position_columns(positions: Collection[QueuePosition]) -> tuple[list[int], list[int]]:
    """Ids and numbers of positions as two columns, pairwise."""
    return [position.id for position in positions], [position.nth for position in positions]


async def read(connection: Connection, positions: Collection[QueuePosition]) -> list[Parked]:
    """The rows at these positions, in queue order; positions without a row are left out."""
    if not positions:
        return []
    rows = await connection.fetch(SQL["read_parked"], *position_columns(positions))
    return [_parked(row) for row in rows]


async def find_due(connection: Connection, limit: int) -> list[QueuePosition]:
    """What the service may retry now and what is behind it, in queue order; at most `limit`."""
    return [_position(row) for row in await connection.fetch(SQL["find_due"], limit)]


KeysInOrder: TypeAlias = Sequence[tuple[QueuePosition, frozenset[str]]]
"""Every position of the queue with its parking keys, in order."""


async def read_keys(connection: Connection) -> KeysInOrder:
    """Read every position of the queue with its parking keys, in order."""
    rows = await connection.fetch(SQL["read_keys"])
    return [(_position(row), frozenset(row["names"])) for row in rows]


def with_behind(queue: KeysInOrder, heads: Collection[QueuePosition]) -> list[QueuePosition]:
    """The heads and all items behind them, directly or through other items, in order."""
    found: list[QueuePosition] = []
    reached: set[str] = set()
    for position, keys in queue:
        if position in heads or not reached.isdisjoint(keys):
            found.append(position)
            reached |= keys
    return found


def ahead_of(queue: KeysInOrder, position: QueuePosition) -> list[QueuePosition]:
    """All items that one is behind, directly or through other items, in order."""
    reached = set(dict(queue).get(position, frozenset[str]()))
    found = []
    for other, keys in reversed([entry for entry in queue if entry[0] < position]):
        if not reached.isdisjoint(keys):
            found.append(other)
            reached |= keys
    return found[::-1]


def count_behind(queue: KeysInOrder, heads: Iterable[QueuePosition]) -> dict[QueuePosition, int]:
    """How many items are behind each of the heads."""
    return {head: len(with_behind(queue, {head})) - 1 for head in heads}


def _position(row: asyncpg.Record) -> QueuePosition:
    return QueuePosition(row["id"], row["nth"])


def _parked(row: asyncpg.Record) -> Parked:
    return Parked(
        _position(row),
        read_original(row),
        row["index"],
        str(row["item_id"]) if row["item_id"] else None,
        row["type"],
        Failure(FailureKind(row["kind"]), row["error"], row["traceback"]),
        frozenset(row["names"]),
        row["parked_at"],
        row["attempts"],
        row["last_tried_at"],
        row["next_try_at"],
    )
