"""One service in one process: its definition, its start and stop, and its health checks."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from services.runtime.background import Startup
from services.runtime.batch.batch import ApplyBatch, Prepare
from services.runtime.config.settings import Settings
from services.runtime.consumer.chunking import Weigh, one_order
from services.runtime.observability.health import Check, CheckResult
from services.runtime.observability.metrics import Metrics, process_metrics
from services.runtime.observability.tracing import open_tracing
from services.runtime.outbox import shard_count
from services.runtime.pool_gauges import watch_pool
from services.runtime.postgres import migrate
from services.runtime.postgres.connections import Pool, create_pool
from services.runtime.postgres.sessions import check_session
from services.runtime.running import Definition, RunningService, Worker
from services.runtime.waiting.expiry import Sweep

log = structlog.get_logger(__name__)


class Service:
    """One service: its definition (arguments as in `Definition`), and `running` once it runs."""

    def __init__(
        self,
        *,
        name: str,
        settings: Settings,
        topics: Sequence[str],
        apply: ApplyBatch,
        sweep: Sweep | None = None,
        weigh: Weigh = one_order,
        workers: Mapping[str, Worker] | None = None,
        metrics: Metrics | None = None,
        prepare: Prepare | None = None,
    ) -> None:
        used = metrics or process_metrics()
        self.definition = Definition(
            name=name,
            settings=settings,
            topics=tuple(topics),
            apply=apply,
            sweep=sweep,
            weigh=weigh,
            workers=workers or {},
            metrics=used,
            prepare=prepare,
            tracing=open_tracing(settings, name, used),
        )
        self.definition.metrics.begin_counters(name)
        self.running: RunningService | None = None
        self._startup = Startup(name)

    @property
    def name(self) -> str:
        """The service's name."""
        return self.definition.name

    @property
    def metrics(self) -> Metrics:
        """The metrics that the service sets."""
        return self.definition.metrics

    async def start(self) -> None:
        """Connect and begin to consume; waits for servers and for `orderflow migrate`.

        Raises:
            ShardCountDiffers: replicas that run have another number of outbox shards.
            SettingsError: as `create_pool`.
        """
        size = self.definition.settings.database_pool_size
        async with contextlib.AsyncExitStack() as opened:
            # Batches have a connection of their own: if others borrowed it, a batch would get
            # another one, on which every statement has yet to be prepared.
            batches_pool = await self._open_pool("batches", 1, opened)
            pool = await self._open_pool("shared", size - 1, opened)
            await self._startup.until_up(functools.partial(self._check_schema, pool))
            self.running = RunningService(self.definition, batches_pool, pool, self._startup)
            opened.pop_all()  # From here on `stop` closes them.
        await self.running.start()
        log.info("service_started", service=self.name, topics=self.definition.topics)

    async def stop(self) -> None:
        """Finish the batch, publish, commit offsets, leave the group; within the drain timeout."""
        began = time.monotonic()
        if self.running:
            if self.running.is_leaving:  # Stopped before.
                return
            await self.running.stop()
        if self.definition.tracing:
            left = self.definition.settings.drain_timeout_seconds - (time.monotonic() - began)
            await self.definition.tracing.close(left)
        log.info("service_stopped", service=self.name)

    async def _open_pool(self, name: str, size: int, opened: contextlib.AsyncExitStack) -> Pool:
        make = functools.partial(create_pool, self.definition.settings, self.name, size=size)
        pool = await self._startup.until_up(make)
        watch_pool(self.metrics, self.name, name, pool)
        opened.callback(pool.terminate)
        return pool

    async def _check_schema(self, pool: Pool) -> None:
        settings = self.definition.settings
        async with pool.acquire() as connection:
            await migrate.check(connection, self.name)
            await check_session(connection, settings, self.name)
            await shard_count.ensure(connection, self.name, settings.outbox_shards)

    def readiness(self) -> dict[str, Check]:
        """Readiness checks by name; before the service runs they say what the start waits for."""
        return {
            f"{self.name}.database": self._when_running(RunningService.check_database),
            f"{self.name}.kafka": self._when_running(RunningService.check_kafka),
            f"{self.name}.partitions": self._when_running(RunningService.check_partitions),
            f"{self.name}.batches": self._when_running(RunningService.check_batches),
            f"{self.name}.relay": self._when_running(RunningService.check_relay),
        }

    def liveness(self) -> dict[str, Check]:
        """Liveness checks by name: the poll loop and the workers run."""
        checked = self._when_running(RunningService.check_consuming, is_well_before=True)
        return {f"{self.name}.consuming": checked}

    def _when_running(
        self,
        check: Callable[[RunningService], Awaitable[CheckResult]],
        *,
        is_well_before: bool = False,
    ) -> Check:
        async def ask() -> CheckResult:
            if self.running is None:
                return is_well_before, self._startup.waiting_for or "starting"
            return await check(self.running)

        return ask
