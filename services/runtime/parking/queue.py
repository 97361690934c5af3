"""The queue in Postgres: which names are held, who joins, stays and leaves. Constant statements."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog
from asyncpg import Connection

from services.runtime.batch.batch import Batch
from services.runtime.batch.items import Failure, Kind, Parked, QueuePosition
from services.runtime.config.settings import Settings
from services.runtime.messages.headers import pack_headers, unpack_headers
from services.runtime.messages.records import Coordinates, Original
from services.runtime.observability.metrics import Metrics
from services.runtime.parking.gate import Joining, ParkingGate, Staying
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "parking.sql")
DOUBLINGS_MAX = 32

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delays:
    """How long a failed item rests before it is tried again by itself."""

    first_seconds: float
    longest_seconds: float

    def after(self, failure: Failure, attempts: int) -> float | None:
        """Doubling, with jitter; None for what is not tried again by itself."""
        if failure.kind in (Kind.CRASH, Kind.BEHIND):
            return None
        doublings = min(max(attempts - 1, 0), DOUBLINGS_MAX)
        seconds = min(self.longest_seconds, self.first_seconds * 2.0**doublings)
        return seconds * random.uniform(0.8, 1.2)


class Queue:
    """The parked items of one service; never begins or commits."""

    def __init__(self, service: str, settings: Settings, metrics: Metrics) -> None:
        self._service = service
        self._metrics = metrics
        self._delays = Delays(
            settings.parking_first_delay_seconds, settings.parking_longest_delay_seconds
        )

    async def open(
        self,
        connection: Connection,
        batch: Batch,
        names: Callable[[], Collection[str]],
        *,
        is_any_parked: bool | None = None,
    ) -> ParkingGate:
        """What the batch's items must stand behind. To be asked after their rows are locked.

        `names` are all names of the batch's items; they are asked for only where anything is
        parked at all. Whether it is, is asked here unless it is known from after the locks.
        """
        if is_any_parked is None:
            is_any_parked = await connection.fetchval(SQL["find_first_parked"]) is not None
        if not is_any_parked:
            return ParkingGate(batch)
        asked = {*names(), *(name for row in batch.retried for name in row.names)}
        own = [row.place for row in batch.retried]
        rows = await connection.fetch(SQL["find_held_names"], list(asked), *places_as_columns(own))
        return ParkingGate(
            batch, {row["name"]: QueuePosition(row["id"], row["nth"]) for row in rows}
        )

    async def save(self, connection: Connection, batch: Batch, lanes: ParkingGate) -> None:
        """Write what became of the queue: at most three statements, none where nothing did."""
        if lanes.ended:
            await connection.execute(SQL["leave_parking"], *places_as_columns(lanes.ended))
        if lanes.staying:
            await connection.execute(SQL["park_again"], *self._staying(lanes.staying))
        if lanes.joining:
            rows, names = self._joining(lanes.joining)
            await connection.execute(SQL["park"], *rows, batch.now, *names)
        if not batch.is_trial:
            self._tell(lanes)

    def _joining(
        self, joining: Sequence[Joining]
    ) -> tuple[list[list[object]], tuple[list[str], list[int]]]:
        besides: Counter[int | None] = Counter()
        rows: list[tuple[object, ...]] = []
        names: list[str] = []
        numbers: list[int] = []
        for number, each in enumerate(joining, start=1):
            id_ = each.beside.id if each.beside else None
            besides[id_] += 1
            rows.append(self._row(each, id_, besides[id_] if each.beside else 0))
            names += each.entrant.names
            numbers += [number] * len(each.entrant.names)
        return [list(column) for column in zip(*rows, strict=True)], (names, numbers)

    def _row(self, each: Joining, id_: int | None, nth: int) -> tuple[object, ...]:
        entrant, failure = each.entrant, each.failure
        original, at = entrant.kept, entrant.slot.at
        attempts = 0 if failure.kind is Kind.BEHIND else 1
        return (
            id_,
            nth,
            entrant.index,
            entrant.item_id,
            at.topic,
            at.partition,
            at.offset,
            original.key,
            pack_headers(original.headers),
            original.value,
            original.timestamp,
            entrant.type,
            failure.kind.value,
            failure.error,
            failure.traceback,
            attempts,
            self._delays.after(failure, attempts),
        )

    def _staying(self, staying: Sequence[Staying]) -> tuple[list[object], ...]:
        rows = [
            (
                each.parked.place.id,
                each.parked.place.nth,
                each.failure.kind.value,
                each.failure.error,
                each.failure.traceback,
                each.attempts,
                self._delays.after(each.failure, each.attempts),
            )
            for each in staying
        ]
        new = [
            (name, each.parked.place.id, each.parked.place.nth)
            for each in staying
            for name in each.names - each.parked.names
        ]
        columns = [list(column) for column in zip(*rows, strict=True)]
        return (*columns, *([one[at] for one in new] for at in range(3)))

    def _tell(self, lanes: ParkingGate) -> None:
        """Count and log what was parked. Before the commit: a retried batch is told twice."""
        parked: Counter[tuple[str, str]] = Counter()
        for slot, kind in lanes.report.parked:
            parked[slot.at.topic, kind.value] += 1
        for labels, count in parked.items():
            self._metrics.parked_total.labels(self._service, *labels).inc(count)
        failed = [*((each.entrant.slot, each.failure) for each in lanes.joining)]
        failed += [(each.parked.slot, each.failure) for each in lanes.staying]
        for slot, failure in failed:
            if failure.kind is not Kind.BEHIND:
                log.error(
                    "item_parked",
                    service=self._service,
                    kind=failure.kind.value,
                    at=str(slot.at),
                    index=slot.index,
                    error=failure.error.split(":")[0],
                    traceback=failure.traceback,
                )


async def count(connection: Connection) -> int:
    """How many items are parked."""
    found: int = await connection.fetchval(SQL["count_parked"])
    return found


def places_as_columns(places: Collection[QueuePosition]) -> tuple[list[int], list[int]]:
    """Ids and numbers, pairwise."""
    return [place.id for place in places], [place.nth for place in places]


Line = Sequence[tuple[QueuePosition, frozenset[str]]]


async def read(connection: Connection, places: Collection[QueuePosition]) -> list[Parked]:
    """The rows at these places, in the order of the queue; those that are gone are left out."""
    if not places:
        return []
    rows = await connection.fetch(SQL["read_parked"], *places_as_columns(places))
    return [_parked(row) for row in rows]


async def find_due(connection: Connection, limit: int) -> list[QueuePosition]:
    """What may be tried again by itself now, in order, with what stands behind it."""
    return _places(await connection.fetch(SQL["find_due"], limit))


async def read_queue(connection: Connection) -> Line:
    """Every place with its names, in order."""
    rows = await connection.fetch(SQL["read_queue"])
    return [(QueuePosition(row["id"], row["nth"]), frozenset(row["names"])) for row in rows]


def line_of(queue: Line, heads: Collection[QueuePosition]) -> list[QueuePosition]:
    """The heads and all that stand behind them, directly or behind each other, in order."""
    line: list[QueuePosition] = []
    reached: set[str] = set()
    for place, names in queue:
        if place in heads or not reached.isdisjoint(names):
            line.append(place)
            reached |= names
    return line


def before(queue: Line, place: QueuePosition) -> list[QueuePosition]:
    """All that one stands behind, directly or behind each other, in order."""
    names = dict(queue).get(place, frozenset[str]())
    reached, found = set(names), []
    for other, its in reversed([entry for entry in queue if entry[0] < place]):
        if not reached.isdisjoint(its):
            found.append(other)
            reached |= its
    return found[::-1]


def counts_behind(queue: Line, heads: Iterable[QueuePosition]) -> dict[QueuePosition, int]:
    """How many stand behind each of the heads."""
    return {head: len(line_of(queue, {head})) - 1 for head in heads}


def _places(rows: Sequence[asyncpg.Record]) -> list[QueuePosition]:
    return [QueuePosition(row["id"], row["nth"]) for row in rows]


def _parked(row: asyncpg.Record) -> Parked:
    original = Original(
        Coordinates(row["topic"], row["partition"], row["offset"]),
        row["key"],
        tuple(unpack_headers(row["headers"])),
        row["value"],
        row["record_timestamp"],
    )
    return Parked(
        QueuePosition(row["id"], row["nth"]),
        original,
        row["index"],
        str(row["item_id"]) if row["item_id"] else None,
        row["type"],
        Failure(Kind(row["kind"]), row["error"], row["traceback"]),
        frozenset(row["names"]),
        row["parked_at"],
        row["attempts"],
        row["last_tried_at"],
        row["next_try_at"],
    )
