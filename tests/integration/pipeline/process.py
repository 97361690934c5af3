"""One orders process without its Kafka: the real consumer and assignment, and points to die at."""

from contextlib import asynccontextmanager

from services.orders.messages.decode import weigh
from services.runtime.consumer.chunking import BatchLimits
from services.runtime.consumer.consumer import BatchConsumer
from services.runtime.partitions.assignment import Assignment
from services.runtime.partitions.circuit_breaker import CircuitBreakerLimits
from tests.integration.pipeline.log import Cursor

GROUP = "orders"
NEVER = CircuitBreakerLimits(2_000, 0, 0, 0)
CAREFUL_RECORDS = 3
LIMITS = BatchLimits(bytes_max=1_000_000, orders_max=4)

BEFORE = "before the transaction"
BEGUN = "inside the transaction, nothing written"
WRITTEN = "inside the transaction, all written but the position"
STEPPED = "inside the transaction, all written"
COMMITTED = "after the commit, before the consumer knows of it"
UNANSWERED = "the answer to the commit is lost"
DEATHS = (BEFORE, BEGUN, WRITTEN, STEPPED, COMMITTED)


class Died(BaseException):
    """The process is killed; nothing catches it."""


class Process:
    """What a replica of the orders service holds in its memory."""

    def __init__(self, stage, log):
        self._stage = stage
        self.cursor = Cursor(log)
        self.held = []  # Polled, and not handled yet.
        self.applied = []  # Where the records lie of each batch that was applied, committed or not.
        self.fault = None
        self._has_saved = False
        self.assignment = Assignment(
            service="orders",
            group=GROUP,
            pool=self,
            metrics=stage.metrics,
            breaker_limits=NEVER,
            guarded_records=CAREFUL_RECORDS,
        )
        self.assignment.bind(lambda: self.cursor)
        self._save, self.assignment.positions.save = self.assignment.positions.save, self.save
        self._consumer = BatchConsumer(
            service="orders",
            assignment=self.assignment,
            topic_prefix="",
            pool=self,
            apply=self.apply,
            weigh=weigh,
            limits=LIMITS,
            clock=stage.clock,
            metrics=stage.metrics,
            committed=(),
        )

    async def assign(self, partitions):
        """The group assigns these partitions; returns when each is sought."""
        await self.assignment.on_partitions_assigned(set(partitions))
        for seeking in list(self.assignment._seeking):
            await seeking

    async def revoke(self):
        """The group revokes all partitions, and the process learns it."""
        await self.assignment.on_partitions_revoked(set(self.assignment.partitions))

    def poll(self, most):
        """Read on, and hold what came."""
        self.held += self.cursor.poll(sorted(self.assignment.partitions), most)

    async def handle(self, fault=None):
        """Apply what the process holds; raises Died at the point that `fault` names."""
        records, self.held = self.held, []
        self.applied, self.fault, self._has_saved = [], fault, False
        try:
            await self._consumer.handle(records)
        finally:
            self.fault = None
        assert not self.assignment.stops.reasons

    # The points.

    def _reach(self, point):
        if self.fault != point:
            return
        self.fault = None
        raise ConnectionResetError(point) if point == UNANSWERED else Died(point)

    @asynccontextmanager
    async def acquire(self):
        """A connection of the stage's pool."""
        self._reach(BEFORE)
        async with self._stage.pool.acquire() as connection:
            yield connection
        if self._has_saved:
            self._has_saved = False
            self._reach(COMMITTED)
            self._reach(UNANSWERED)

    async def apply(self, connection, batch):
        """The orders service's own."""
        self._reach(BEGUN)
        await self._stage.orders.apply(connection, batch)
        self.applied += [record.coordinates for record in batch.records]
        self._reach(WRITTEN)

    async def save(self, connection, step):
        """The position, in the batch's transaction."""
        await self._save(connection, step)
        self._has_saved = True
        self._reach(STEPPED)
