"""Remap: compute parcels again whose scans the present code maps name otherwise than stored.

An operator's act after code maps have changed, beside running services: numbers and orders are
locked as for a batch, each number is decided as a report without scans, and the events of what
changed go through the outbox (docs/decisions/0171), with the states of their orders. A second run
changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from services.orders import store
from services.orders.domain.decide import decide
from services.orders.domain.events.conclude import is_renamed
from services.orders.domain.model.commands import ReportTracking
from services.orders.domain.model.decision import Decision, World
from services.orders.domain.model.order import Order
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.tracking.naming import CodeMaps
from services.orders.messages import snapshot
from services.orders.messages.carriers.code_maps import CODE_MAPS
from services.orders.messages.encode import event_record
from services.orders.messages.states import Encoded, state_records
from services.orders.operations.republish import until_published
from services.runtime.config.settings import Settings
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from services.runtime.outbox.outbox import Outbox, Outgoing
from services.runtime.postgres.connections import Connection
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "remap.sql")
NUMBERS_A_LOOK = 2_000
NUMBERS_A_BATCH = 50
CAUSE = "orderflow/carriers.remap"
"""Begins the cause of an event that changed code maps caused."""


@dataclass(frozen=True, slots=True)
class RemapProgress:
    """What a run has done so far; `number` is the last tracking number that it looked at."""

    number: str = ""
    looked: int = 0
    changed: int = 0
    events: int = 0


class Remapper:
    """Computes parcels again, at most `rate` a second, and never far ahead of the relay."""

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        *,
        rate: float,
        now: Callable[[], datetime],
        maps: CodeMaps = CODE_MAPS,
    ) -> None:
        self._outbox = Outbox(settings.outbox_shards)
        self._event_bytes_max = settings.max_event_bytes
        self._writes_state = settings.orders_state
        self._connection = connection
        self._rate = rate
        self._now = now
        self._maps = maps

    async def count(self, after: str = "") -> RemapProgress:
        """What a run would look at and change; nothing is locked or written."""
        progress = RemapProgress(number=after)
        while numbers := await self._next_numbers(progress.number):
            found = len(await self._renamed(numbers))
            progress = _looked(progress, numbers, changed=found)
        return progress

    async def run(self, act: Act, after: str = "") -> AsyncIterator[RemapProgress]:
        """Compute all parcels again that change, in order of number; yields after each commit.

        The act is written to the audit in the transaction of the first batch, if there is one.
        """
        progress, started, acts = RemapProgress(number=after), time.monotonic(), [act]
        while numbers := await self._next_numbers(progress.number):
            chosen = await self._renamed(numbers)
            for start in range(0, len(chosen), NUMBERS_A_BATCH):
                await until_published(self._connection)
                part = chosen[start : start + NUMBERS_A_BATCH]
                events = await self._remap(part, acts)
                acts = []
                progress = replace(
                    progress,
                    number=part[-1],
                    changed=progress.changed + len(part),
                    events=progress.events + events,
                )
                yield progress
                ahead = progress.changed / self._rate - (time.monotonic() - started)
                await asyncio.sleep(max(0.0, ahead))
            progress = _looked(progress, numbers)
            yield progress

    async def _next_numbers(self, after: str) -> list[str]:
        rows = await self._connection.fetch(SQL["find_numbers"], after, NUMBERS_A_LOOK)
        return [row["number"] for row in rows]

    async def _renamed(self, numbers: Sequence[str]) -> list[str]:
        """Those of the numbers whose scans are named otherwise, in their order."""
        parcels = await store.read_parcels(self._connection, numbers)
        found = (parcels.get(number) for number in numbers)
        return [parcel.number for parcel in found if parcel and is_renamed(parcel, self._maps)]

    async def _remap(self, numbers: Sequence[str], acts: Sequence[Act]) -> int:
        """Compute some numbers again in one transaction; returns how many events that made."""
        now = self._now()
        async with self._connection.transaction():
            locked = await store.lock(self._connection, [], numbers, [], is_final=True)
            work = _Work(locked.stored, self._maps)
            encoded: Encoded = {}
            events = [
                record
                for number in numbers
                for record in self._records(work.decide(number, now), encoded)
            ]
            changes = store.Changes(work.changed_orders, work.changed_parcels, {}, ())
            await store.save(self._connection, locked.stored, changes)
            states = self._states(locked.stored, work, encoded, now)
            await self._outbox.append(self._connection, [*events, *states])
            await audit.write(self._connection, acts)
        return len(events)

    def _records(self, decision: Decision, encoded: Encoded) -> Iterator[Outgoing]:
        """The events of a decision; the last context of each order is put into `encoded`."""
        if decision.events:
            for order in decision.orders:
                encoded[order.order_id] = order, snapshot.encode(order, self._event_bytes_max)
        for event in decision.events:
            yield event_record(event, encoded[event.order_id][1], None)

    def _states(
        self, stored: store.Stored, work: _Work, encoded: Encoded, now: datetime
    ) -> Iterable[Outgoing]:
        """The state of each order that changed, where `orders.state` is written."""
        if not self._writes_state:
            return ()
        most = self._event_bytes_max
        return state_records(stored.orders, work.changed_orders, encoded, max_bytes=most, now=now)


class _Work:
    """What was locked, with what the decisions have changed of it."""

    def __init__(self, stored: store.Stored, maps: CodeMaps) -> None:
        self._orders = {id_: order for id_, order in stored.orders.items() if order}
        self._parcels = dict(stored.parcels)
        self._maps = maps
        self.changed_orders: dict[str, Order] = {}
        self.changed_parcels: dict[str, Parcel] = {}
        self._world = World(
            orders=self._orders,
            parcels=self._parcels,
            references={},
            published=stored.published,
            code_maps=maps,
        )

    def decide(self, number: str, now: datetime) -> Decision:
        """Decide a report without scans."""
        decision = decide(self._world, _report(number, self._maps.checksum), now)
        for order in decision.orders:
            self._orders[order.order_id] = self.changed_orders[order.order_id] = order
        for parcel in decision.parcels:
            self._parcels[parcel.number] = self.changed_parcels[parcel.number] = parcel
        return decision


def _report(number: str, checksum: str) -> ReportTracking:
    """A report without scans; its id is of the number and the maps, so a repeat has the same."""
    return ReportTracking(
        item_id=str(uuid5(NAMESPACE_URL, f"{CAUSE}/{checksum}/{number}")),
        causation_id=f"{CAUSE}/{checksum}",
        tracking_number=number,
        carrier_reference=None,
        scans=(),
    )


def _looked(progress: RemapProgress, numbers: Sequence[str], changed: int = 0) -> RemapProgress:
    return replace(
        progress,
        number=numbers[-1],
        looked=progress.looked + len(numbers),
        changed=progress.changed + changed,
    )
