"""A service while it runs: its parts, the work beside its batches, and its health checks."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from services.runtime import older_items
from services.runtime.background import Startup, Work, Workers, every
from services.runtime.batch.batch import ApplyBatch, Prepare
from services.runtime.batch.batch_trace import RETRY, SWEEP
from services.runtime.batch.traced_work import traced
from services.runtime.clock import Clock, SystemClock, clock_of
from services.runtime.config.settings import Settings
from services.runtime.consumer.chunking import BatchLimits, Weigh
from services.runtime.consumer.consumer import BatchConsumer
from services.runtime.consumer.poll_traces import PollTraces
from services.runtime.consumer.stall_monitor import LogMonitor
from services.runtime.consumer.subscriber import subscribe
from services.runtime.kafka.clients import make_broker_probe
from services.runtime.kafka.diagnosis import translate_errors
from services.runtime.kafka.tokens.provider import token_trouble
from services.runtime.observability.health import CheckResult
from services.runtime.observability.metrics import Metrics
from services.runtime.observability.tracing import Tracing
from services.runtime.outbox.relay import Relay
from services.runtime.outbox.wiring import publisher_factory
from services.runtime.parking.retry_loop import RetryLoop
from services.runtime.partitions.assignment import Assignment
from services.runtime.partitions.circuit_breaker import limits_of
from services.runtime.partitions.committed_offsets import COMMIT_SECONDS
from services.runtime.postgres.connections import Pool
from services.runtime.table_gauges import TableGauges
from services.runtime.waiting.expiry import ExpiryLoop, Sweep

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker of a service may use. `wake_relay` is called after a commit with events.

    `after_batches` takes a function that is called after the commit of each batch of the process.
    """

    service: str
    settings: Settings
    pool: Pool
    clock: Clock
    metrics: Metrics
    wake_relay: Callable[[], None]
    after_batches: Callable[[Callable[[], None]], None]
    tracing: Tracing | None = None


Worker = Callable[[WorkerContext], Coroutine[Any, Any, None]]
"""Work beside the batches, until it is cancelled; mostly one call of `background.every`."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a service is: `apply` for the records of `topics`, and `workers` by name.

    `prepare` is called before the transaction of `apply` begins; `sweep` ends items that have
    waited too long; `weigh` counts the items of a record. `tracing` is None where traces are off.
    """

    name: str
    settings: Settings
    topics: tuple[str, ...]
    apply: ApplyBatch
    sweep: Sweep | None
    weigh: Weigh
    workers: Mapping[str, Worker]
    metrics: Metrics
    prepare: Prepare | None = None
    tracing: Tracing | None = None


class RunningService:
    """A service whose schema is there: its parts, all built, and the tasks that run them."""

    def __init__(
        self, service: Definition, batches_pool: Pool, pool: Pool, startup: Startup
    ) -> None:
        self.service = service
        self.batches_pool = batches_pool
        self.pool = pool
        settings = service.settings
        self._startup = startup
        self._clock = clock_of(settings)
        self._tables = TableGauges(service.name, service.metrics, settings.outbox_shards)
        self.relay = _make_relay(service)
        self._after_batches: list[Callable[[], None]] = [self.relay.wake]
        self.consumer = self._make_consumer()
        self.broker, self.subscriber = subscribe(
            settings, service.name, service.topics, self.consumer
        )
        self.stall_monitor = LogMonitor(
            self.consumer.assignment,
            self.consumer.poll_monitor,
            make_broker_probe(settings),
            settings.stall_seconds,
        )
        self.workers = Workers(service.name)
        self.has_started = False
        self.is_leaving = False

    async def start(self) -> None:
        """Join the group and start the workers."""
        # Before it is ready: a metric that is missing would resolve the alerts on it.
        await self._startup.until_up(self._measure_tables)
        await self._startup.until_up(self._start_broker)
        self._start_workers()
        self.has_started = True

    async def stop(self) -> None:
        """Finish the batch, publish, commit offsets, leave the group; within the drain timeout."""
        self.is_leaving = True
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leave(), self.service.settings.drain_timeout_seconds)
            await self.workers.stop()
            await self.stall_monitor.close()
        finally:
            self.batches_pool.terminate()
            self.pool.terminate()

    async def _leave(self) -> None:
        assignment = self.consumer.assignment
        assignment.stop_seeking()
        try:
            await self._commit_offsets_now()
        except Exception as error:  # noqa: BLE001 - only lag monitors read the offsets
            log.warning("offset_commit_failed", service=self.service.name, error=repr(error))
        await self.broker.stop()
        await assignment.release_all()
        self.relay.drain()
        await self.workers.join("relay")

    async def _start_broker(self) -> None:
        async with translate_errors(self.service.settings):
            await self.broker.start()

    def _make_consumer(self) -> BatchConsumer:
        service, settings = self.service, self.service.settings
        return BatchConsumer(
            service=service.name,
            assignment=Assignment(
                service=service.name,
                group=settings.consumer_group(service.name),
                pool=self.pool,
                metrics=service.metrics,
                breaker_limits=limits_of(settings),
                guarded_records=settings.batch_max_records,
            ),
            topic_prefix=settings.kafka_topic_prefix,
            pool=self.batches_pool,
            apply=service.apply,
            prepare=service.prepare,
            weigh=service.weigh,
            limits=BatchLimits(settings.batch_max_bytes, settings.batch_max_orders),
            clock=self._clock,
            metrics=service.metrics,
            committed=self._after_batches,
            traces=PollTraces(service.tracing) if service.tracing else None,
        )

    # Work beside the batches.

    def _start_workers(self) -> None:
        """Start the relay, the work that the runtime repeats, and the service's own workers."""
        service, start = self.service, self.workers.start
        start("relay", self.relay.run())
        # Apart from each other: the outbox is measured also while Kafka does not answer.
        start("table_gauges", self._measure_every(self._measure_tables))
        start("stall_monitor", self._measure_every(self.stall_monitor.look))
        start("partition_gauges", self._measure_every(self._measure_partitions))
        start(
            "offset_commits",
            every(COMMIT_SECONDS, "offset_commit", self._commit_offsets, service=service.name),
        )
        start("parking_retries", self._make_retry_loop().run())
        forget = functools.partial(older_items.forget, self.pool)
        start(
            "older_items",
            every(older_items.FORGET_SECONDS, "forgetting", forget, service=service.name),
        )
        if service.sweep:
            start("expiry", self._make_expiry_loop(service.sweep).run())
        context = WorkerContext(
            service.name,
            service.settings,
            self.pool,
            self._clock,
            service.metrics,
            self.relay.wake,
            self._after_batches.append,
            service.tracing,
        )
        for name, worker in service.workers.items():
            start(name, worker(context))

    def _measure_every(self, measure: Work) -> Coroutine[Any, Any, None]:
        seconds = self.service.settings.metrics_interval_seconds
        return every(seconds, "measuring", measure, service=self.service.name)

    def _make_retry_loop(self) -> RetryLoop:
        return RetryLoop(
            service=self.service.name,
            pool=self.pool,
            apply=traced(self.service.apply, self.service.tracing, RETRY),
            clock=self._clock,
            interval_seconds=self.service.settings.parking_interval_seconds,
            committed=self.relay.wake,
        )

    def _make_expiry_loop(self, sweep: Sweep) -> ExpiryLoop:
        return ExpiryLoop(
            service=self.service.name,
            pool=self.pool,
            sweep=traced(sweep, self.service.tracing, SWEEP),
            clock=self._clock,
            interval_seconds=self.service.settings.sweep_interval_seconds,
            committed=self.relay.wake,
        )

    async def _commit_offsets(self) -> None:
        """Commit offsets to Kafka for lag monitors; during a stop `_leave` does it."""
        if not self.is_leaving:
            await self._commit_offsets_now()

    async def _commit_offsets_now(self) -> None:
        async with asyncio.timeout(COMMIT_SECONDS):
            await self.consumer.assignment.commit_offsets()

    async def _measure_partitions(self) -> None:
        self.consumer.assignment.measure_lag(int(time.time() * 1000))
        await self.consumer.assignment.resume_stopped()

    async def _measure_tables(self) -> None:
        async with self.pool.acquire() as connection:
            await self._tables.measure(connection)

    # Health checks.

    async def check_database(self) -> CheckResult:
        """Whether Postgres answers and can be written to."""
        async with self.pool.acquire(timeout=2) as connection:
            read_only = await connection.fetchval("SHOW transaction_read_only", timeout=2) == "on"
        # A standby answers too: after a failover the address may lead to one not promoted yet.
        return not read_only, "only reads: it is not the primary" if read_only else "answers"

    async def check_kafka(self) -> CheckResult:
        """Whether Kafka answers a ping: without traffic nothing else would notice its absence."""
        if self._startup.waiting_for:
            return False, self._startup.waiting_for
        if await self.broker.ping(timeout=2):
            return True, "answers"
        reason = token_trouble(self.service.settings)
        return False, f"no answer: {reason}" if reason else "no answer"

    async def check_partitions(self) -> CheckResult:
        """Whether every assigned partition is read, and each topic is there."""
        return self.consumer.assignment.check(self.stall_monitor.missing)

    async def check_batches(self) -> CheckResult:
        """Whether no batch is being retried."""
        return self.consumer.check()

    async def check_relay(self) -> CheckResult:
        """Whether the outbox is published."""
        if not self.has_started:
            return False, "not started yet"
        trouble = self.relay.trouble
        return not trouble, trouble or "publishes"

    async def check_consuming(self) -> CheckResult:
        """Whether the poll loop and the workers run; true during start and stop."""
        if not self.has_started:
            return True, "starting"
        if self.is_leaving:
            return True, "stopping"
        if not any(not task.done() for task in getattr(self.subscriber, "tasks", [])):
            return False, "the poll loop has ended"
        if ended := self.workers.ended():
            return False, f"ended: {', '.join(ended)}; the log entry worker_failed says why"
        stalled = self.stall_monitor.trouble
        return not stalled, f"stalled: {stalled}" if stalled else "polls"


def _make_relay(service: Definition) -> Relay:
    settings = service.settings
    return Relay(
        service=service.name,
        shards=settings.outbox_shards,
        poll_seconds=settings.relay_poll_seconds,
        factory=publisher_factory(settings, service.name),
        metrics=service.metrics,
        now=SystemClock().now,
        tracing=service.tracing,
    )
