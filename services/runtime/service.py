"""One service in one process: subscriber, relay, sweep, health; started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from faststream.kafka import KafkaBroker

from services.runtime.clock import SystemClock, clock_of
from services.runtime.config.settings import Settings
from services.runtime.consumer.chunking import BatchLimits, Weigh, one_order
from services.runtime.consumer.consumer import ApplyBatch, BatchConsumer
from services.runtime.consumer.stall_monitor import LogMonitor
from services.runtime.consumer.subscriber import subscribe
from services.runtime.kafka.clients import make_broker_probe
from services.runtime.kafka.diagnosis import translate_errors
from services.runtime.observability.health import Check, CheckResult
from services.runtime.observability.metrics import Metrics, process_metrics
from services.runtime.outbox import shard_count
from services.runtime.outbox.relay import Relay
from services.runtime.outbox.wiring import publisher_factory
from services.runtime.parking.retry_loop import RetryLoop
from services.runtime.partitions.assignment import Assignment
from services.runtime.partitions.circuit_breaker import limits_of
from services.runtime.partitions.committed_offsets import COMMIT_SECONDS
from services.runtime.postgres import migrate
from services.runtime.postgres.connections import Pool, create_pool
from services.runtime.retry import backoff_seconds, is_transient
from services.runtime.table_gauges import TableGauges
from services.runtime.waiting.expiry import ExpiryLoop, Sweep

log = structlog.get_logger(__name__)


class Service:
    """Consumes `topics` with `apply`, publishes the outbox, sweeps, and answers for its health."""

    def __init__(
        self,
        *,
        name: str,
        settings: Settings,
        topics: Sequence[str],
        apply: ApplyBatch,
        sweep: Sweep | None = None,
        weigh: Weigh = one_order,
        metrics: Metrics | None = None,
    ) -> None:
        self.name = name
        self.metrics = metrics or process_metrics()
        self._settings = settings
        self._topics = tuple(topics)
        self._apply = apply
        self._sweep = sweep
        self._weigh = weigh
        self._clock = clock_of(settings)
        self._wall = SystemClock()
        self._tasks: list[asyncio.Task[None]] = []
        self._pool: Pool | None = None
        self._batches_pool: Pool | None = None
        self._broker: KafkaBroker | None = None
        self._relay: Relay | None = None
        self._relay_task: asyncio.Task[None] | None = None
        self._consumer: BatchConsumer | None = None
        self._subscriber: Any = None
        self._watch: LogMonitor | None = None
        self._tables = TableGauges(name, self.metrics, settings.outbox_shards)
        self._is_leaving = False
        # What the start waits for, as its last try told it.
        self._awaited = ""

    # Start and stop.

    async def start(self) -> None:
        """Connect and begin; servers that are not there yet are waited for."""
        # Batches have a connection of their own: whoever borrows one beside them would leave them
        # another, on which every statement has yet to be prepared.
        self._batches_pool = await self._until_up(self._make_pool(1))
        self._pool = await self._until_up(self._make_pool(self._settings.database_pool_size - 1))
        await self._until_up(self._check_schema)
        # Before it is ready, so that nobody finds a metric missing, or an alert resolved by that.
        await self._until_up(self._measure_tables)
        self._relay = self._make_relay()
        self._consumer = self._make_consumer(self._pool, self._batches_pool, self._relay)
        self._broker, self._subscriber = subscribe(
            self._settings, self.name, self._topics, self._consumer
        )
        self._watch = self._make_watch(self._consumer)
        await self._until_up(self._start_broker)
        self._relay_task = asyncio.create_task(self._relay.run(), name=f"{self.name}.relay")
        self._begin(self._measure_forever())
        self._begin(self._tell_kafka_forever())
        self._begin(self._make_drains(self._pool, self._relay).run())
        if self._sweep:
            self._begin(self._make_sweeps(self._sweep, self._pool, self._relay).run())
        log.info("service_started", service=self.name, topics=self._topics)

    async def stop(self) -> None:
        """Finish the batch, publish, commit, leave; bounded by the drain timeout."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leave(), self._settings.drain_timeout_seconds)
        for task in (*self._tasks, *([self._relay_task] if self._relay_task else [])):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._watch:
            await self._watch.close()
        for pool in filter(None, (self._batches_pool, self._pool)):
            pool.terminate()
        log.info("service_stopped", service=self.name)

    async def _leave(self) -> None:
        self._is_leaving = True
        if self._consumer:
            self._consumer.assignment.stop_seeking()
            await self._tell_kafka()
        if self._broker:
            await self._broker.stop()
        if self._consumer:
            await self._consumer.assignment.release_all()
        if self._relay and self._relay_task:
            self._relay.drain()
            await self._relay_task

    async def _until_up(self, action: Callable[[], Awaitable[Any]]) -> Any:
        attempt = 0
        while True:
            try:
                return await action()
            except Exception as error:
                if not is_transient(error):
                    raise
                self._awaited = str(error)
                log.warning("waiting_for_server", service=self.name, error=repr(error))
                await asyncio.sleep(backoff_seconds(attempt))
                attempt += 1

    async def _start_broker(self) -> None:
        assert self._broker is not None
        async with translate_errors(self._settings):
            await self._broker.start()
        self._awaited = ""

    async def _check_schema(self) -> None:
        assert self._pool is not None
        async with self._pool.acquire() as connection:
            await migrate.check(connection, self.name)
            await shard_count.ensure(connection, self.name, self._settings.outbox_shards)

    # Parts.

    def _make_pool(self, size: int) -> Callable[[], Awaitable[Pool]]:
        return functools.partial(create_pool, self._settings, self.name, size=size)

    def _make_relay(self) -> Relay:
        return Relay(
            service=self.name,
            shards=self._settings.outbox_shards,
            poll_seconds=self._settings.relay_poll_seconds,
            factory=publisher_factory(self._settings, self.name),
            metrics=self.metrics,
            now=self._wall.now,
        )

    def _make_consumer(self, pool: Pool, batches_pool: Pool, relay: Relay) -> BatchConsumer:
        return BatchConsumer(
            service=self.name,
            assignment=Assignment(
                service=self.name,
                group=self._settings.consumer_group(self.name),
                pool=pool,
                metrics=self.metrics,
                breaker_limits=limits_of(self._settings),
                guarded_records=self._settings.batch_max_records,
            ),
            topic_prefix=self._settings.kafka_topic_prefix,
            pool=batches_pool,
            apply=self._apply,
            weigh=self._weigh,
            limits=BatchLimits(self._settings.batch_max_bytes, self._settings.batch_max_orders),
            clock=self._clock,
            metrics=self.metrics,
            committed=relay.wake,
        )

    def _make_drains(self, pool: Pool, relay: Relay) -> RetryLoop:
        return RetryLoop(
            service=self.name,
            pool=pool,
            apply=self._apply,
            clock=self._clock,
            interval_seconds=self._settings.parking_interval_seconds,
            committed=relay.wake,
        )

    def _make_sweeps(self, sweep: Sweep, pool: Pool, relay: Relay) -> ExpiryLoop:
        return ExpiryLoop(
            service=self.name,
            pool=pool,
            sweep=sweep,
            clock=self._clock,
            interval_seconds=self._settings.sweep_interval_seconds,
            committed=relay.wake,
        )

    def _make_watch(self, consumer: BatchConsumer) -> LogMonitor:
        surveyor = make_broker_probe(self._settings)
        return LogMonitor(
            consumer.assignment, consumer.poll_monitor, surveyor, self._settings.stall_seconds
        )

    # Work beside the batches.

    def _begin(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _measure_forever(self) -> None:
        assert self._watch is not None
        # Each by itself: what Kafka's absence does to the outbox is seen while Kafka is away.
        measures = (self._measure_tables, self._watch.look, self._measure_partitions)
        while True:
            await asyncio.sleep(self._settings.metrics_interval_seconds)
            for measure in measures:
                try:
                    await measure()
                except Exception as error:  # noqa: BLE001 - measuring must not end the service
                    log.warning("measuring_failed", service=self.name, error=repr(error))

    async def _tell_kafka_forever(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            if self._is_leaving:
                return
            await self._tell_kafka()

    async def _tell_kafka(self) -> None:
        """Monitors alone read it: it ends nothing where it fails, and holds up no stop."""
        assert self._consumer is not None
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._consumer.assignment.commit_offsets()
        except Exception as error:  # noqa: BLE001 - told again a second later
            log.warning("offset_commit_failed", service=self.name, error=repr(error))

    async def _measure_partitions(self) -> None:
        assert self._consumer is not None
        self._consumer.assignment.measure_lag(int(time.time() * 1000))
        await self._consumer.assignment.resume_stopped()

    async def _measure_tables(self) -> None:
        assert self._pool is not None
        async with self._pool.acquire() as connection:
            await self._tables.measure(connection)

    # Health.

    def readiness(self) -> dict[str, Check]:
        """Checks by name: database, Kafka, partitions, relay, transient trouble."""
        return {
            f"{self.name}.database": self._database_is_up,
            f"{self.name}.kafka": self._kafka_is_up,
            f"{self.name}.partitions": self._partitions_are_placed,
            f"{self.name}.batches": self._batches_go_through,
            f"{self.name}.relay": self._relay_publishes,
        }

    def liveness(self) -> dict[str, Check]:
        """Checks by name: the loop that polls Kafka is running."""
        return {f"{self.name}.consuming": self._subscriber_runs}

    async def _database_is_up(self) -> CheckResult:
        if self._pool is None:
            return False, self._awaited or "not connected yet"
        async with self._pool.acquire(timeout=2) as connection:
            only_reads = await connection.fetchval("SHOW transaction_read_only", timeout=2) == "on"
        # As a standby does: after a failover the address may lead to one that nobody promoted yet.
        return not only_reads, "only reads: it is not the primary" if only_reads else "answers"

    async def _kafka_is_up(self) -> CheckResult:
        """Asked itself: with nothing to read or publish nobody else would notice its absence."""
        if self._awaited:
            return False, self._awaited
        answers = self._broker is not None and await self._broker.ping(timeout=2)
        return answers, "answers" if answers else "no answer"

    async def _partitions_are_placed(self) -> CheckResult:
        if self._consumer is None:
            return False, "not started yet"
        return self._consumer.assignment.check(self._watch.missing if self._watch else ())

    async def _batches_go_through(self) -> CheckResult:
        return self._consumer.check() if self._consumer else (True, "nothing is retried")

    async def _relay_publishes(self) -> CheckResult:
        trouble = self._relay.trouble if self._relay else "not started yet"
        return not trouble, trouble or "publishes"

    async def _subscriber_runs(self) -> CheckResult:
        if self._relay_task is None:
            return True, "starting"
        if self._is_leaving:
            return True, "stopping"
        tasks = getattr(self._subscriber, "tasks", [])
        if not any(not task.done() for task in tasks):
            return False, "the poll loop has ended"
        stalled = self._watch.trouble if self._watch else None
        return not stalled, f"stalled: {stalled}" if stalled else "polls"
