"""One batch of the stock service: read, lock, decide, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.runtime import rejections
from services.runtime.batch.batch import Batch
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.parking.gate import ParkingGate, Turn
from services.runtime.parking.queue import Queue
from services.runtime.postgres.connections import Connection
from services.runtime.rejections import Rejection

from . import store
from .domain.decide import decide
from .messages import SOURCE, Found, Item, Unread, changed_event, read_batch

SERVICE = "stock"


class StockBatches:
    """Applies batches of commands, a constant number of statements each."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._outbox = Outbox(settings.outbox_shards)
        self._queue = Queue(SERVICE, settings, metrics)
        self._metrics = metrics

    async def apply(self, connection: Connection, batch: Batch) -> None:
        """Decide every command of the batch, in the caller's transaction."""
        found = list(read_batch(batch))
        items = [each for each in found if isinstance(each, Item)]
        levels = await store.lock_levels(connection, {item.change.sku for item in items})
        gate = await self._queue.open_gate(connection, batch, lambda: _keys_of(found))
        work = _Work(levels, batch.now, gate)
        for each in found:
            work.take(each)
        await store.save_levels(connection, work.changed)
        refused = await rejections.save(connection, work.rejected, source=SOURCE, now=batch.now)
        await self._outbox.append(connection, [*work.events, *refused], step=batch.step)
        await self._queue.save(connection, batch, gate)
        if not batch.is_trial:
            self._count(work)

    def _count(self, work: _Work) -> None:
        for topic, outcome, reason in work.outcomes():
            self._metrics.items_total.labels(SERVICE, topic, outcome, reason).inc()


def _keys_of(found: Sequence[Found]) -> set[str]:
    taken = [each.candidate() for each in found if not isinstance(each, Rejection)]
    return {key for candidate in taken for key in candidate.keys}


@dataclass(slots=True)
class _Work:
    """What a batch changes, item by item."""

    levels: dict[str, int]
    now: datetime
    gate: ParkingGate
    changed: dict[str, int] = field(default_factory=dict)
    events: list[Outgoing] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    applied: list[Item] = field(default_factory=list)

    def take(self, found: Found) -> None:
        """Decide an item, unless an earlier one with its key is parked."""
        if isinstance(found, Rejection):
            if self.gate.refuse(found):
                self.rejected.append(found)
        elif isinstance(found, Unread):
            self.gate.park(found.candidate(), found.failure)
        else:
            with self.gate.turn(found.ref, found.candidate) as turn:
                if not turn.blocked:
                    self._decide(found, turn)

    def _decide(self, item: Item, turn: Turn) -> None:
        sku, pieces = item.change.sku, item.change.pieces
        decision = decide(self.levels[sku], pieces)
        if decision.rejected_for:
            detail = f"{self.levels[sku]} of {sku} in stock, and {-pieces} were to go out"
            turn.done("rejected", decision.rejected_for)
            self.rejected.append(
                Rejection(item.original, 0, item.envelope, decision.rejected_for, detail)
            )
            return
        self.levels[sku] = self.changed[sku] = decision.level
        self.events.append(changed_event(item, decision.level, self.now))
        self.applied.append(item)
        turn.done("applied")

    def outcomes(self) -> Sequence[tuple[str, str, str]]:
        """Topic, outcome and reason of every item that ended."""
        applied = [(item.original.coordinates.topic, "applied", "") for item in self.applied]
        return applied + [
            (each.original.coordinates.topic, "rejected", each.reason) for each in self.rejected
        ]
