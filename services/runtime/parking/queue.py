"""The queue in Postgres: which names are held, who joins, stays and leaves. Constant statements."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from asyncpg import Connection

from services.runtime.batches import Batch
from services.runtime.event_headers import pack_headers
from services.runtime.parking.lanes import Joining, Lanes, Staying
from services.runtime.parking.values import Failure, Kind, Place
from services.runtime.queries import load
from services.runtime.settings import Settings
from services.runtime.telemetry import Metrics

SQL = load(Path(__file__).parents[1] / "sql" / "parking.sql")
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
    ) -> Lanes:
        """What the batch's items must stand behind. To be asked after their rows are locked.

        `names` are all names of the batch's items; they are asked for only where anything is
        parked at all. Whether it is, is asked here unless it is known from after the locks.
        """
        if is_any_parked is None:
            is_any_parked = await connection.fetchval(SQL["find_first_parked"]) is not None
        if not is_any_parked:
            return Lanes(batch)
        asked = {*names(), *(name for row in batch.retried for name in row.names)}
        own = [row.place for row in batch.retried]
        rows = await connection.fetch(SQL["find_held_names"], list(asked), *places_as_columns(own))
        return Lanes(batch, {row["name"]: Place(row["id"], row["nth"]) for row in rows})

    async def save(self, connection: Connection, batch: Batch, lanes: Lanes) -> None:
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

    def _tell(self, lanes: Lanes) -> None:
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


def places_as_columns(places: Collection[Place]) -> tuple[list[int], list[int]]:
    """Ids and numbers, pairwise."""
    return [place.id for place in places], [place.nth for place in places]
