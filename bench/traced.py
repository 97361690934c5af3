"""The services' command line with every step of a batch and of the relay stamped, for `lone`.

Stamps are seconds of `time.perf_counter`, which all processes of a machine share. They stand around
the service's own methods and its driver's; a service that is started without this program has none.
Written to the file BENCH_TRACE when the process ends, as JSON that `read_trace` reads.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from bench.latency import CAUSE
from bench.meter import marked
from services.runtime.consumer.consumer import BatchConsumer
from services.runtime.messages.headers import read_headers
from services.runtime.observability.metrics import process_metrics
from services.runtime.outbox.delivery import AtLeastOnce
from services.runtime.outbox.relay import Relay
from services.runtime.outbox.shard_publisher import ShardPublisher

FILE = "BENCH_TRACE"


@dataclass(slots=True)
class Batch:
    """When the steps of one poll's records ended, by name; the first of each name counts."""

    ids: list[str]
    steps: dict[str, float]


@dataclass(slots=True)
class Round:
    """One round of the relay: the causes of its records, and when its steps began and ended."""

    ids: list[str]
    looked: float
    read: float
    acknowledged: float


@dataclass(slots=True)
class Trace:
    """All that was stamped in one process."""

    batches: list[Batch] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)


class _Stamps:
    """What is stamped while the process runs."""

    def __init__(self) -> None:
        self.trace = Trace()
        self._task: asyncio.Task[Any] | None = None
        self._looked = self._read = 0.0

    def begin(self, records: Sequence[Any]) -> None:
        """A poll has returned, in the task that applies what it brought."""
        self._task = asyncio.current_task()
        ids = [dict(record.headers).get("ce_id", b"").decode() for record in records]
        self.trace.batches.append(Batch(ids, {"poll": time.perf_counter()}))

    def end(self, step: str) -> None:
        """A step of the batch in hand has ended."""
        if self.trace.batches and asyncio.current_task() is self._task:
            self.trace.batches[-1].steps.setdefault(step, time.perf_counter())

    def look(self, began: float) -> None:
        """The relay has read its rows."""
        self._looked, self._read = began, time.perf_counter()

    def sent(self, rows: Sequence[Any]) -> None:
        """Kafka has acknowledged what the relay read last."""
        acknowledged = time.perf_counter()
        headers = (dict(read_headers(each)) for row in rows for each in row.headers)
        ids = {each[CAUSE].decode() for each in headers if CAUSE in each}
        self.trace.rounds.append(Round(sorted(ids), self._looked, self._read, acknowledged))


def _stamp(stamps: _Stamps) -> None:
    """Put stamps around the service's methods and its driver's."""
    handle, wake = BatchConsumer.handle, Relay.wake
    read, send = ShardPublisher._read, AtLeastOnce._send

    async def handle_stamped(consumer: BatchConsumer, records: Any) -> None:
        stamps.begin(records)
        await handle(consumer, records)

    def wake_stamped(relay: Relay) -> None:
        stamps.end("commit")
        wake(relay)

    async def read_stamped(publisher: ShardPublisher, connection: Any, most: int) -> Any:
        began = time.perf_counter()
        rows = await read(publisher, connection, most)
        stamps.look(began)
        return rows

    async def send_stamped(delivery: AtLeastOnce, rows: Any, *, one_by_one: bool) -> None:
        await send(delivery, rows, one_by_one=one_by_one)
        stamps.sent(rows)

    BatchConsumer.handle = handle_stamped  # type: ignore[method-assign, assignment]
    Relay.wake = wake_stamped  # type: ignore[method-assign, assignment]
    ShardPublisher._read = read_stamped  # type: ignore[method-assign, assignment]
    AtLeastOnce._send = send_stamped  # type: ignore[method-assign, assignment]
    connection = _connection(stamps)
    connect = functools.partial(asyncpg.connect, connection_class=connection)
    for name, made in (("connect", connect), ("Connection", connection)):
        setattr(asyncpg, name, made)  # Pools take the class from there.


def _connection(stamps: _Stamps) -> type[asyncpg.Connection]:
    """A connection whose answers are stamped by the names of their statements."""

    def stamped(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(run)
        async def run_stamped(self: Any, query: str, *args: Any, **options: Any) -> Any:
            answer = await run(self, query, *args, **options)
            stamps.end(query.splitlines()[0].removeprefix("-- ").rstrip(";"))
            return answer

        return run_stamped

    methods = ("execute", "fetch", "fetchrow", "fetchval")
    wrapped = {name: stamped(getattr(asyncpg.Connection, name)) for name in methods}
    return type("StampedConnection", (asyncpg.Connection,), {"__slots__": (), **wrapped})


def read_trace(file: Path) -> Trace:
    """What a process of this program has written."""
    found = orjson.loads(file.read_bytes())
    return Trace(
        [Batch(**each) for each in found["batches"]], [Round(**each) for each in found["rounds"]]
    )


def main() -> None:
    """Run the command line as `orderflow` does."""
    from orderflow.main import app

    stamps = _Stamps()
    file = Path(os.environ[FILE])
    atexit.register(lambda: file.write_bytes(orjson.dumps(stamps.trace)))
    _stamp(stamps)
    with marked(process_metrics(), stamps):
        app()


if __name__ == "__main__":
    main()
