"""Sender: delivers what is stored to webhooks and feeds, for the shards that this process holds.

One coroutine reads, decides and writes; each attempt is a task of its own. What was not written
when the process ends is sent again: at least once, and in order for each group, as a group has one
request at a time and a failed event keeps later ones back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from asyncpg import Connection

from services.deliveries.domain.destination import State
from services.deliveries.domain.schedule import CLOSED, Circuit, Verdict
from services.deliveries.names import SERVICE, SHARDS
from services.deliveries.replaying.replays import Replays
from services.deliveries.sending import rows
from services.deliveries.sending.attempts import Attempts
from services.deliveries.sending.changes import Changes
from services.deliveries.sending.circuits import Circuits
from services.deliveries.sending.endings import end_destinations
from services.deliveries.sending.transports import Transports
from services.deliveries.sending.upkeep import Upkeep
from services.deliveries.sending.windows import Windows, windows_of
from services.runtime.outbox.leases import SILENCE_SECONDS, ShardLeases
from services.runtime.outbox.outbox import Outbox
from services.runtime.postgres.connections import connect
from services.runtime.retry import backoff_seconds, forget_rows
from services.runtime.running import WorkerContext

LEASES = "deliveries.sending"
BALANCE_SECONDS = 1.0
DRAIN_SECONDS = 2.0
SOUND_SECONDS = 60.0
"""After a session of this length, an interruption counts as the first one."""
READ_ROWS = 500
"""Most rows of one shard that are read at once."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What one session works with."""

    connection: Connection
    leases: ShardLeases
    transports: Transports
    windows: Windows


class Sender:
    """Sends until it is cancelled; lost servers are waited for without limit."""

    def __init__(self, context: WorkerContext, open_transports: Callable[[], Transports]) -> None:
        self._context = context
        self._open_transports = open_transports
        self._woken = asyncio.Event()
        self._attempts = Attempts(context.clock, self._woken.set, context.tracing)
        self._outbox = Outbox(context.settings.outbox_shards)
        self._upkeep = Upkeep(context.metrics)
        self._replays = Replays(context)
        self._leaving: frozenset[int] = frozenset()
        """Held shards that another process is to have; nothing of them begins any more."""
        self._circuits = Circuits()
        self._read_at = 0.0
        """When fresh rows were read last; 0 where there may be more."""
        self._caught_up: frozenset[int] = frozenset()
        """Held shards of which every fresh row was read that lay there when they were taken."""
        for verdict in Verdict:  # Exported as 0: Prometheus sees no first increment otherwise.
            context.metrics.webhook_attempts_total.labels(SERVICE, verdict.value)

    async def run(self) -> None:
        """Send; a session ends with its connection and is followed by the next one."""
        self._context.after_batches(self._batch_committed)
        attempt = 0
        while True:
            started = time.monotonic()
            try:
                await self._session()
            except Exception as error:  # noqa: BLE001 - what is not sent stays, so retry for ever
                forget_rows(error)
                attempt = 1 if time.monotonic() - started > SOUND_SECONDS else attempt + 1
                log.warning("sender_interrupted", service=SERVICE, error=repr(error))
                await asyncio.sleep(backoff_seconds(attempt))

    def _batch_committed(self) -> None:
        """There may be fresh rows: read them at once. Those of other processes are polled."""
        self._read_at = 0.0
        self._woken.set()

    async def _session(self) -> None:
        settings = self._context.settings
        transports = self._open_transports()
        connection: Connection | None = None
        try:
            connection = await connect(settings, SERVICE, "sender")
            await connection.fetchrow(rows.SQL["plan_by_index"])
            leases = ShardLeases(connection, LEASES, SHARDS)
            await leases.join(SILENCE_SECONDS)
            self._caught_up = frozenset()
            work = Work(connection, leases, transports, windows_of(settings))
            try:
                await self._work(work)
            except asyncio.CancelledError:
                await self._drain(work)
                raise
        finally:
            self._context.metrics.webhook_shards.labels(SERVICE).set(0)
            await self._attempts.cancel()
            await self._replays.close()
            for each in transports.values():
                await each.close()
            if connection is not None:
                connection.terminate()

    async def _drain(self, work: Work) -> None:
        """Let requests that are under way end, for a moment, and write what came back."""
        try:
            await self._attempts.wait(DRAIN_SECONDS)
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._record(work)
        except Exception as error:  # noqa: BLE001 - the worker ends; what is not written is repeated
            forget_rows(error)
            log.warning("sender_not_drained", service=SERVICE, error=repr(error))

    async def _work(self, work: Work) -> None:
        loop = asyncio.get_running_loop()
        balanced_at = -BALANCE_SECONDS
        while True:
            self._woken.clear()
            if loop.time() - balanced_at >= BALANCE_SECONDS:
                await self._balance(work)
                balanced_at = loop.time()
            await self._record(work)
            await self._replay(work)
            if work.windows.has_room() and work.leases.held - self._leaving:
                await self._read(work)
                await self._start(work)
            with contextlib.suppress(TimeoutError):
                pause = self._context.settings.relay_poll_seconds
                await asyncio.wait_for(self._woken.wait(), pause)

    async def _balance(self, work: Work) -> None:
        """Hold a fair share of the shards; their circuits are read when they are taken."""
        before = work.leases.held
        self._leaving = await work.leases.find_surplus()
        work.windows.release(before - self._leaving)
        for shard in self._leaving - work.windows.shards_under_way():
            await work.leases.release(shard)
        await work.leases.take_free()
        self._caught_up &= before & work.leases.held - self._leaving
        self._context.metrics.webhook_shards.labels(SERVICE).set(len(work.leases.held))
        if work.leases.held != before:
            self._circuits.load(await rows.read_health(work.connection, work.leases.held))
            for destination in self._circuits.failing():
                work.windows.of(destination).unanswered(destination)
        for destination in await rows.release(
            work.connection, work.leases.held, self._context.clock.now()
        ):
            self._circuits.close(destination)
            work.windows.of(destination).forget(destination)
        for destination in await self._upkeep.run(work.connection, work.leases.held):
            self._circuits.forget(destination)
            work.windows.of(destination).forget(destination)
        self._circuits.look_at_all()

    async def _replay(self, work: Work) -> None:
        """Put events of replays behind what waits; their groups are due at once."""
        found = await self._replays.run(work.connection, self._caught_up)
        if found:  # New events of their orders, stored before, go before them.
            self._read_at = 0.0
        self._circuits.save(
            {each: (shard, self._circuits.of(each)) for each, shard in found.items()}
        )

    # Results.

    async def _record(self, work: Work) -> None:
        """Write what came back, in one transaction."""
        results = self._attempts.take()
        if not results:
            return
        changes = Changes()
        for each in results:
            destination = each.row.destination
            circuit = changes.circuits.get(destination) or self._circuits.of(destination)
            if changes.take(each, circuit, random.random()):
                work.windows.of(destination).delivered(each.row)
            else:
                changes.deferred += work.windows.of(destination).failed(each.row)
            if each.answer.is_outage:
                work.windows.of(destination).unanswered(destination)
            elif each.answer.is_receivers:
                work.windows.of(destination).answered(destination)
            self._circuits.look_at(destination)
        for destination, circuit in changes.circuits.items():
            if circuit.is_open:
                changes.deferred += work.windows.of(destination).withdraw(destination)
        await self._write(work, changes)
        self._count(changes)

    async def _write(self, work: Work, changes: Changes) -> None:
        now = self._context.clock.now()
        circuits = self._circuits_of(changes)
        async with work.connection.transaction():
            await rows.write(work.connection, changes, circuits, now)
            outgoing = await end_destinations(work.connection, changes, now)
            await self._outbox.append(work.connection, outgoing)
        self._circuits.save(circuits)
        if outgoing:
            self._context.wake_relay()

    def _circuits_of(self, changes: Changes) -> dict[int, tuple[int, Circuit]]:
        """Shards and circuits to store: those that moved, and those of new groups."""
        shards = {each.row.destination: each.row.shard for each, _ in changes.attempts}
        found = {each: (shards[each], circuit) for each, circuit in changes.circuits.items()}
        grouped = {row.destination: row.shard for row in changes.deferred}
        grouped |= {group[0]: each.shard for group, each in changes.groups.items()}
        for destination, shard in grouped.items():
            if destination not in found and destination not in self._circuits:
                found[destination] = (shard, CLOSED)
        return found

    def _count(self, changes: Changes) -> None:
        metrics = self._context.metrics
        for each, verdict in changes.attempts:
            metrics.webhook_attempts_total.labels(SERVICE, verdict.value).inc()
            metrics.webhook_attempt_seconds.labels(SERVICE).observe(each.milliseconds / 1000)

    # Reading and starting.

    async def _read(self, work: Work) -> None:
        """Take rows into the window; what may not begin now moves to the backlog."""
        pause = self._context.settings.relay_poll_seconds
        if time.monotonic() - self._read_at >= pause:
            await self._read_fresh(work)
        now, windows = self._context.clock.now(), work.windows
        wanted = self._circuits.take_due(windows, self._caught_up, now)
        due = await rows.read_due(work.connection, wanted, now)
        windows.know_feeds(each.row.destination for each in due if each.is_feed)
        for each in due:
            window = windows.of(each.row.destination)
            if not window.holds(each.row.group):
                window.admit(each.row)

    async def _read_fresh(self, work: Work) -> None:
        windows, shards = work.windows, work.leases.held - self._leaving
        self._read_at = time.monotonic()
        fresh = await rows.read_fresh(work.connection, shards, READ_ROWS, windows.fresh_ids())
        states, feeds = await rows.read_states(
            work.connection, {each.row.destination for each in fresh}
        )
        windows.know_feeds(feeds)
        changes, late = Changes(), set()
        for each in fresh:
            row, window = each.row, windows.of(each.row.destination)
            state = states.get(row.destination, State.REMOVED)
            if state is State.REMOVED:
                changes.ended.append(row)
            elif (
                each.is_blocked
                or row.group in late
                or state is not State.ACTIVE
                or self._circuits.of(row.destination).is_open
                or not window.admit(row)
            ):
                late.add(row.group)
                window.deferred(row)
                changes.deferred.append(row)
        if changes:
            await self._write(work, changes)
            self._context.metrics.webhook_dropped_total.labels(SERVICE).inc(len(changes.ended))
        read = Counter(each.row.shard for each in fresh)
        self._caught_up |= {shard for shard in shards if read[shard] < READ_ROWS}
        if max(read.values(), default=0) == READ_ROWS:
            self._read_at = 0.0

    async def _start(self, work: Work) -> None:
        started = list(work.windows.start())
        if not started:
            return
        targets = await rows.read_targets(work.connection, {row.destination for row in started})
        bodies = await rows.read_bodies(work.connection, started)
        changes = Changes()
        for row in started:
            target, body = targets.get(row.destination), bodies.get(row.event_id)
            if target is None or target.state is not State.ACTIVE:
                changes.deferred += (row, *work.windows.of(row.destination).failed(row))
                changes.deferred += work.windows.of(row.destination).withdraw(row.destination)
                continue
            self._attempts.start(work.transports[target.target.kind], row, target, body)
        if changes:
            await self._write(work, changes)
