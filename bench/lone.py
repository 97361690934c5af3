"""`python -m bench.lone`: a lone message's way, step by step, beside the floor of bare trips.

Commands are sent one at a time, `PAUSE_SECONDS` after the event of the one before was read, to a
service whose steps are stamped (`traced`). In each pause the bare trips are measured: a record of
the same size through Kafka, a row of the same size through Postgres in a transaction of its own,
and a statement that does nothing.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

import asyncpg
import numpy as np
import structlog
import typer
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from bench.contenders import OURS
from bench.latency import CAUSE
from bench.race import Track
from bench.running import Ground, ready
from bench.traced import FILE, Trace, read_trace
from bench.traffic import Letter, mix
from demo.installation import Installation
from demo.journal import make_reader, partitions_of
from deploy.stack import stack_for
from schemas.topics import CLAIMS_COMMANDS, ORDERS_EVENTS

PAUSE_SECONDS = 0.025  # After the event, and after each bare trip: some ten messages a second.
WARM_MESSAGES = 30
ANSWER_SECONDS = 30.0
BARE_TOPIC = CLAIMS_COMMANDS  # The orders service does not read it.
STEPS: Sequence[tuple[str, str, str]] = (
    ("Kafka in: sent until the poll returns", "sent", "poll"),
    ("BEGIN", "poll", "BEGIN"),
    ("lock_positions", "BEGIN", "lock_positions"),
    ("decode", "lock_positions", "decode"),
    ("lock_batch", "decode", "lock_batch"),
    ("rows to values", "lock_batch", "read"),
    ("decide", "read", "decide"),
    ("save_rows, with writing out", "decide", "save_rows"),
    ("encode", "save_rows", "encode"),
    ("append_rows, with packing", "encode", "append_rows"),
    ("COMMIT, with its fsync", "append_rows", "COMMIT"),
    ("until the relay begins to read", "COMMIT", "looked"),
    ("read_outbox, with unpacking", "looked", "rows"),
    ("Kafka out: sent until read outside", "rows", "seen"),
)
WHOLE = ("whole way", "sent", "seen")
BESIDE: Sequence[tuple[str, str, str]] = (
    ("sent until acknowledged to the generator", "sent", "accepted"),
    ("relay's packets until acknowledged", "rows", "acknowledged"),
)
KAFKA, TRANSACTION, STATEMENT = "Kafka, in and out", "transaction, its fsync", "SELECT 1"


class Unanswered(Exception):
    """A command without an event long after it was sent."""


@dataclass(slots=True)
class Found:
    """Moments of each message by its `ce_id` and the name of the moment, and bare trips' seconds.

    Moments are seconds of `time.perf_counter`.
    """

    moments: dict[str, dict[str, float]] = field(default_factory=dict)
    bare: dict[str, list[float]] = field(default_factory=dict)

    def seconds(self, began: str, ended: str) -> list[float]:
        """How long each message was between two of its moments."""
        return [each[ended] - each[began] for each in self.moments.values()]


async def measure(ground: Ground, letters: Sequence[Letter], *, warm: int = WARM_MESSAGES) -> Found:
    """Send the letters, each of which causes an event; the first `warm` are not in what is found.

    Raises:
        Unanswered: an event did not come.
    """
    trace = ground.installation.folder / "trace.json"
    traced = replace(
        OURS,
        arguments=("bench.traced", *OURS.arguments[1:]),
        environment={**OURS.environment, FILE: str(trace)},
    )
    async with _Outside(ground.installation) as outside, ready(traced, ground):
        for number, letter in enumerate(letters):
            await outside.send(letter)
            await outside.measure_bare(letter.value, is_counted=number >= warm)
    _add(outside.found.moments, read_trace(trace))
    kept = list(outside.found.moments.items())[warm:]
    return Found(dict(kept), outside.found.bare)


class _Outside:
    """The generator and the subscriber, and clients for the bare trips."""

    def __init__(self, installation: Installation) -> None:
        self.found = Found()
        self._installation = installation
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        options, prefix = self._installation.options, self._installation.prefix
        self._producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **options)
        await self._producer.start()
        self._stack.push_async_callback(self._producer.stop)
        self._events = await self._reader(prefix + ORDERS_EVENTS)
        self._bare = await self._reader(prefix + BARE_TOPIC)
        self._connection = await asyncpg.connect(self._installation.database_url)
        self._stack.push_async_callback(self._connection.close)
        await self._connection.execute("CREATE TABLE public.bare (value bytea)")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _reader(self, topic: str) -> AIOKafkaConsumer:
        reader = make_reader(self._installation.options)
        await reader.start()
        self._stack.push_async_callback(reader.stop)
        reader.assign(await partitions_of(self._installation.options, [topic]))
        await reader.seek_to_end()
        return reader

    async def send(self, letter: Letter) -> None:
        """Send a command and wait until its event is read."""
        id_ = dict(letter.headers)["ce_id"]
        moments = self.found.moments[id_.decode()] = {}

        def note(_: object) -> None:
            moments["accepted"] = time.perf_counter()

        moments["sent"] = time.perf_counter()
        accepted = await self._send(letter.topic, letter.value, letter.key, list(letter.headers))
        accepted.add_done_callback(note)
        moments["seen"] = await _until_read(
            self._events, lambda record: (CAUSE, id_) in record.headers, id_.decode()
        )
        await accepted

    async def _send(self, topic: str, value: bytes, key: bytes, headers: Any = ()) -> Any:
        topic = self._installation.prefix + topic
        return await self._producer.send(topic, value, key, headers=list(headers))

    async def measure_bare(self, value: bytes, *, is_counted: bool) -> None:
        """Each bare trip once, after a pause."""
        trips: Mapping[str, Callable[[], Awaitable[object]]] = {
            KAFKA: lambda: self._through_kafka(value),
            TRANSACTION: lambda: self._connection.execute(
                "INSERT INTO public.bare VALUES ($1)", value
            ),
            STATEMENT: lambda: self._connection.fetchval("SELECT 1"),
        }
        for name, trip in trips.items():
            await asyncio.sleep(PAUSE_SECONDS)
            began = time.perf_counter()
            await trip()
            if is_counted:
                self.found.bare.setdefault(name, []).append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_SECONDS)

    async def _through_kafka(self, value: bytes) -> None:
        await self._send(BARE_TOPIC, value, b"bare")
        await _until_read(self._bare, lambda record: record.value == value, "a bare record")


async def _until_read(reader: AIOKafkaConsumer, is_it: Callable[[Any], bool], what: str) -> float:
    """The moment when a poll brought the record that is waited for."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        polled = await reader.getmany(timeout_ms=1_000)
        now = time.perf_counter()
        if any(is_it(record) for records in polled.values() for record in records):
            return now
    raise Unanswered(f"{what} was not read within {ANSWER_SECONDS:.0f} s")


def _add(moments: Mapping[str, dict[str, float]], trace: Trace) -> None:
    """The stamps of the service, to the messages that they are for."""
    for batch in trace.batches:
        for id_ in batch.ids:
            moments[id_].update(batch.steps)
    for each in reversed(trace.rounds):  # What is published again counts as it was first.
        for id_ in each.ids:
            moments[id_] |= {
                "looked": each.looked,
                "rows": each.read,
                "acknowledged": each.acknowledged,
            }


def table(found: Found) -> Table:
    """Milliseconds of each step, and of the bare trips."""
    title = f"a lone message's way, ms ({len(found.moments)} messages)"
    made = Table(title=title, title_justify="left")
    for name in ("step", "p50", "p90", "p99"):
        made.add_column(name, justify="left" if name == "step" else "right")
    for name, began, ended in (*STEPS, WHOLE):
        made.add_row(name, *_ms(found.seconds(began, ended)), end_section=name == STEPS[-1][0])
    made.add_section()
    for name, began, ended in BESIDE:
        made.add_row(f"beside it: {name}", *_ms(found.seconds(began, ended)))
    made.add_section()
    for name, seconds in found.bare.items():
        made.add_row(f"bare: {name}", *_ms(seconds))
    made.add_row("floor: Kafka twice and one transaction", f"{floor_ms(found):.2f}", "", "")
    return made


def floor_ms(found: Found) -> float:
    """Medians of the bare trips that no build can do without: into Kafka, a commit, out of it."""
    return 2 * _median_ms(found.bare[KAFKA]) + _median_ms(found.bare[TRANSACTION])


def _median_ms(seconds: Sequence[float]) -> float:
    return float(np.median(seconds)) * 1e3


def _ms(seconds: Sequence[float]) -> list[str]:
    return [f"{ms:.2f}" for ms in np.percentile(np.array(seconds) * 1e3, (50, 90, 99))]


async def _run(track: Track, count: int) -> Found:
    letters = mix("upserts", count + WARM_MESSAGES).letters
    async with track.ground() as ground:
        return await measure(ground, letters)


def main(messages: Annotated[int, typer.Option(min=1, help="How many are counted.")] = 300) -> None:
    """Measure on real servers and print the table; the last line is one."""
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="orderflow-lone-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postgres may run as another user.
        with stack_for(folder / "stack") as stack:
            track = Track(stack.start(), {}, folder, print)
            found = uvloop.run(_run(track, messages))
    Console(width=100).print(table(found))
    whole = _ms(found.seconds(*WHOLE[1:]))
    typer.echo(f"lone: p50_ms={whole[0]} p99_ms={whole[2]} floor_ms={floor_ms(found):.2f}")


if __name__ == "__main__":
    typer.run(main)
