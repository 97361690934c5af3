"""Faults carried out: each waits for its moment, strikes, and leaves everything running again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from chaos import gaps, plan, points
from chaos.fleet import Ward
from chaos.plan import Fault
from chaos.stage import Stage

POINT_SECONDS = 3.0
PATIENT_SECONDS = 10.0
"""For what only shows at its point: to be killed elsewhere is a fault as well."""
SENDING_SECONDS = 30.0
"""For the points of sending: events come there through all services."""
POLL_SECONDS = 0.02
REPLACED_SECONDS = 60.0
STORM_STEPS = 3
NOT_REACHED = " (not reached)"
"""Added to the name of a fault whose point the replica did not reach in time."""

CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE $1
"""


@dataclass(slots=True)
class Struck:
    """What was really done."""

    kills: int = 0
    done: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    """Points that were not reached in time: the replica was killed or stopped elsewhere."""


class Striker:
    """Carries out the faults of one round at a time; `has_read_all` is asked of a service."""

    def __init__(
        self,
        stage: Stage,
        rng: random.Random,
        has_read_all: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._stage = stage
        self._has_read_all = has_read_all
        self._rng = rng
        self._struck = Struck()
        self._servers = asyncio.Lock()
        self._kinds: Mapping[str, Callable[[Fault], Awaitable[bool | None]]] = {
            plan.KILL_AT: self._kill_at,
            plan.KILL: self._kill,
            plan.TERMINATE: self._terminate,
            plan.FREEZE: self._freeze,
            plan.FREEZE_AT: self._freeze_at,
            plan.REPLACE_AT: self._freeze_at,
            plan.GAP: self._gap,
            plan.STORM: self._storm,
            plan.KILL_KAFKA: self._kill_kafka,
            plan.KILL_POSTGRES: self._kill_postgres,
            plan.CUT: self._cut,
            plan.LOCK_TABLE: self._lock_table,
            plan.LOCK_ROWS: self._lock_rows,
            plan.DELAY: self._delay,
            plan.SILENCE: self._silence,
            plan.RESET: self._reset,
            plan.RECEIVERS: self._receivers,
        }

    async def strike(self, faults: Sequence[Fault]) -> Struck:
        """All faults, each at its moment; returns when everything runs again."""
        self._struck = Struck()
        began = time.monotonic()
        await asyncio.gather(*(self._at_its_moment(fault, began) for fault in faults))
        for ward in self._stage.wards.values():
            if not ward.is_alive:
                await asyncio.to_thread(ward.start)
        return self._struck

    async def _at_its_moment(self, fault: Fault, began: float) -> None:
        await asyncio.sleep(max(0.0, began + fault.at_seconds - time.monotonic()))
        is_reached = await self._kinds[fault.kind](fault)
        missed = NOT_REACHED if is_reached is False else ""
        what = fault.target if fault.kind == plan.RECEIVERS else fault.point
        self._struck.done[f"{fault.kind} {what}".strip() + missed] += 1

    # Replicas.

    async def _kill_at(self, fault: Fault) -> bool:
        ward = self._stage.wards[fault.target]
        async with ward.busy:
            is_reached = await self._order(ward, points.order(signal.SIGKILL, fault.point), fault)
            await self._dead_and_back(ward)
        return is_reached

    async def _order(self, ward: Ward, text: str, fault: Fault) -> bool:
        """Have the replica do it; False when it did not come to where it can."""
        ward.order_file.write_text(text, encoding="utf-8")
        seconds = POINT_SECONDS if fault.kind == plan.KILL_AT else PATIENT_SECONDS
        if fault.point in points.SENDING:
            seconds = PATIENT_SECONDS if fault.point == points.LEASE_GIVEN_UP else SENDING_SECONDS
        if await _until(lambda: not ward.order_file.exists(), seconds):
            return True
        ward.order_file.unlink(missing_ok=True)
        self._struck.missed[fault.point or fault.kind] += 1
        return False

    async def _kill(self, fault: Fault) -> None:
        ward = self._stage.wards[fault.target]
        async with ward.busy:
            await self._dead_and_back(ward, fault.seconds)

    async def _dead_and_back(self, ward: Ward, seconds: float = 0.0) -> None:
        """Dead for so long, or where that is 0 for a moment."""
        await asyncio.to_thread(ward.kill)
        self._struck.kills += 1
        await asyncio.sleep(seconds or self._rng.uniform(0.05, 0.8))
        await asyncio.to_thread(ward.start)

    async def _terminate(self, fault: Fault) -> None:
        ward = self._stage.wards[fault.target]
        async with ward.busy:
            await asyncio.to_thread(ward.stop)
            await asyncio.to_thread(ward.start)

    async def _freeze(self, fault: Fault) -> None:
        """Asleep for longer than its session lasts, and awake again with all it believed."""
        ward = self._stage.wards[fault.target]
        async with ward.busy:
            ward.send(signal.SIGSTOP)
            await asyncio.sleep(fault.seconds)
            ward.send(signal.SIGCONT)

    async def _freeze_at(self, fault: Fault) -> bool:
        ward = self._stage.wards[fault.target]
        async with ward.busy:
            is_reached = await self._order(ward, points.order(signal.SIGSTOP, fault.point), fault)
            if not is_reached:
                ward.send(signal.SIGSTOP)
            await asyncio.sleep(fault.seconds)
            if fault.kind == plan.REPLACE_AT:
                await self._until_replaced(ward)
            ward.send(signal.SIGCONT)
        return is_reached

    async def _until_replaced(self, ward: Ward) -> None:
        """Until the other replica has read what this one had in hand."""
        ends = time.monotonic() + REPLACED_SECONDS
        while not await self._has_read_all(ward.service):
            if time.monotonic() > ends:
                self._struck.missed[plan.REPLACE_AT] += 1
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _gap(self, fault: Fault) -> bool:
        ward = self._stage.wards[fault.target]
        async with ward.busy:
            return await self._order(ward, gaps.GAP, fault)

    async def _storm(self, fault: Fault) -> None:
        """Replicas of one service leave and come, one after the other, without a pause."""
        for ward in [each for each in self._stage.wards.values() if each.service == fault.target]:
            async with ward.busy:
                for _ in range(STORM_STEPS):
                    await asyncio.to_thread(ward.stop)
                    await asyncio.to_thread(ward.start)
                    await asyncio.sleep(fault.seconds / STORM_STEPS / plan.COPIES)

    # Servers.

    async def _kill_kafka(self, fault: Fault) -> None:
        async with self._servers:
            await asyncio.to_thread(self._stage.ground.stack.kafka.kill)
            self._struck.kills += 1
            await asyncio.to_thread(self._stage.ground.stack.kafka.start)
            self._stage.ground.lead_proxies()

    async def _kill_postgres(self, fault: Fault) -> None:
        async with self._servers:
            await asyncio.to_thread(self._stage.ground.stack.postgres.kill)
            self._struck.kills += 1
            await asyncio.to_thread(self._stage.ground.stack.postgres.start)
            self._stage.ground.lead_proxies()

    async def _cut(self, fault: Fault) -> None:
        await self._in_postgres(lambda there: there.execute(CUT, f"%{fault.target}%"))

    async def _lock_table(self, fault: Fault) -> None:
        async def hold(there: asyncpg.Connection) -> None:
            async with there.transaction():
                await there.execute(f"LOCK TABLE {fault.target} IN ACCESS EXCLUSIVE MODE")
                await asyncio.sleep(fault.seconds)

        await self._in_postgres(hold)

    async def _lock_rows(self, fault: Fault) -> None:
        async def hold(there: asyncpg.Connection) -> None:
            async with there.transaction():
                await there.execute(
                    f"SELECT FROM {fault.target} WHERE random() < 0.3 FOR UPDATE SKIP LOCKED"
                )
                await asyncio.sleep(fault.seconds)

        await self._in_postgres(hold)

    async def _in_postgres(self, act: Callable[[asyncpg.Connection], Awaitable[object]]) -> None:
        """Act on a connection of our own; where Postgres is being killed, that is fault enough."""
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            there = await asyncpg.connect(self._stage.installation.database_url, timeout=5)
            try:
                await act(there)
            finally:
                there.terminate()

    # The network.

    async def _delay(self, fault: Fault) -> None:
        proxy = self._stage.ground.proxies[fault.target]
        proxy.delay_seconds = self._rng.uniform(0.01, 0.08)
        await asyncio.sleep(fault.seconds)
        proxy.delay_seconds = 0.0

    async def _silence(self, fault: Fault) -> None:
        """Half-open; what was held back goes on afterwards, or every connection is broken."""
        proxy = self._stage.ground.proxies[fault.target]
        proxy.fall_silent()
        await asyncio.sleep(fault.seconds)
        if self._rng.random() < 0.5:
            proxy.reset()
        proxy.speak()

    async def _reset(self, fault: Fault) -> None:
        proxy = self._stage.ground.proxies[fault.target]
        ends = time.monotonic() + fault.seconds
        while time.monotonic() < ends:
            proxy.reset()
            await asyncio.sleep(0.7)

    # Receivers of webhooks.

    async def _receivers(self, fault: Fault) -> bool:
        is_reached = await self._stage.receivers.fail(fault.target, fault.seconds)
        if not is_reached:
            self._struck.missed[f"{fault.kind} {fault.target}"] += 1
        return is_reached


async def _until(condition: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
