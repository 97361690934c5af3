"""What the outbox takes under a steady load, and how it drains: tables for docs/reliability.md.

python -m tests.faults.figures size --minutes 10: a transaction held open elsewhere, and none
python -m tests.faults.figures drain --events 100000: after an outage of Kafka, against steady work

Rows are written to the outbox directly, in transactions of 240 events (drain) or 48 (size) as those
of batches are: while Kafka is away no command comes from it, so no service would write any.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from deploy.stack import LocalStack
from tests.faults.figures.ground import drain, outbox_of
from tests.integration.runtime.outbox.relaying import KEYS, Feed, RelayProcess, read_topic

ROUNDS = 20
EVENTS_A_BATCH = ROUNDS * KEYS
PADDING = "x" * 900
SAMPLE_SECONDS = 10.0
# Small batches make many rows, and so many dead ones.
SMALL_ROUNDS = 4
BATCHES_A_SECOND = 10
SIZE = """
SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
         WHERE inhparent = 'orders.outbox'::regclass)::bigint AS bytes,
       (SELECT sum(n_dead_tup) FROM pg_stat_user_tables
         WHERE schemaname = 'orders' AND relname LIKE 'outbox\\_%')::bigint AS dead
"""


async def size(stack: LocalStack, folder: Path, minutes: float) -> None:
    """Two outboxes side by side, one in a database where a transaction stays open."""
    await asyncio.gather(
        *(
            _loaded(stack, folder, name, minutes, is_held=name == "held")
            for name in ("free", "held")
        )
    )


async def _loaded(
    stack: LocalStack, folder: Path, name: str, minutes: float, *, is_held: bool
) -> None:
    settings = await outbox_of(stack.addresses, name)
    owner = await asyncpg.connect(str(settings.database_url.get_secret_value()))
    elsewhere = await asyncpg.connect(str(settings.database_url.get_secret_value()))
    if is_held:
        await elsewhere.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await elsewhere.fetchval("SELECT count(*) FROM pg_class")
    relay = RelayProcess(settings, folder / f"{name}.log")
    try:
        async with Feed(settings) as feed:
            writing = asyncio.create_task(_write_steadily(feed, minutes * 60))
            samples = []
            while not writing.done():
                samples.append(await owner.fetchrow(SIZE))
                await asyncio.wait([writing], timeout=SAMPLE_SECONDS)
            await writing
            await feed.until_published()
            _print_figures(name, feed, samples)
    finally:
        relay.kill()
        await elsewhere.close()
        await owner.close()


async def _write_steadily(feed: Feed, seconds: float) -> None:
    noise = random.Random(5)  # What compresses well would take too little to be seen growing.
    ends = time.monotonic() + seconds
    while (now := time.monotonic()) < ends:
        padding = noise.randbytes(len(PADDING) // 2).hex()
        await feed.write(rounds=SMALL_ROUNDS, padding=padding)
        await asyncio.sleep(max(0.0, now + 1 / BATCHES_A_SECOND - time.monotonic()))


def _print_figures(name: str, feed: Feed, samples: list[asyncpg.Record]) -> None:
    events = feed.written * KEYS
    _print(f"{name}: {events} events, {len(samples)} samples every {SAMPLE_SECONDS:.0f} s")
    for column in ("bytes", "dead"):
        cells = [sample[column] for sample in samples]
        third = len(cells) // 3
        _print(
            f"  {column:5} first {cells[1]:>10} last {cells[-1]:>10} max {max(cells):>10} "
            f"max of thirds {max(cells[:third])} {max(cells[third:-third])} {max(cells[-third:])}"
        )


async def drained(stack: LocalStack, folder: Path, events: int) -> None:
    """Steady publishing beside the writer; then Kafka away while as much is written; then back."""
    settings = await outbox_of(stack.addresses, "drained")
    relay = RelayProcess(settings, folder / "relay.log")
    try:
        async with Feed(settings) as feed:
            began = time.monotonic()
            await _write(feed, events)
            await feed.until_published(600)
            steady = events / (time.monotonic() - began)
            stack.kafka.kill()
            began = time.monotonic()
            await _write(feed, events)
            _print(f"written while Kafka was away: {events} events in {_since(began)}")
            await asyncio.to_thread(stack.kafka.start)
            backlog = await drain(feed, 600)
            seen = await read_topic(settings)
            assert seen.firsts == feed.expected, "lost or reordered"
    finally:
        relay.kill()
    _print(f"rows {backlog.rows}, drained in {backlog.seconds:.1f} s, repeats {seen.repeats}")
    _print(f"steady {steady:.0f} events/s, drain {events / backlog.seconds:.0f} events/s")


async def _write(feed: Feed, events: int) -> None:
    await feed.write(batches=events // EVENTS_A_BATCH, rounds=ROUNDS, padding=PADDING)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.figures", description=__doc__)
    parser.add_argument("what", choices=("size", "drain"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--events", type=int, default=100_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, LocalStack(Path(name) / "stack") as stack:
        Path(name).chmod(0o755)
        stack.start()
        run = (
            size(stack, Path(name), wanted.minutes)
            if wanted.what == "size"
            else drained(stack, Path(name), wanted.events)
        )
        asyncio.run(run)


if __name__ == "__main__":
    main()
