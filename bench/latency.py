"""Latency under an open-loop load: from when a command should have been sent to its event read.

Messages are due at fixed moments, whatever became of the ones before, and the clock of each starts
when it was due: a stall delays all that were due during it, and each of them is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench.traffic import Letter
from demo.installation import Installation
from demo.journal import make_reader, partitions_of
from schemas.topics import ORDERS_EVENTS

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 100.0)
# The first are not counted: connections, metadata, caches.
WARM_SECONDS = 3.0
ANSWER_SECONDS = 30.0
CAUSE = "ce_causationid"


class Unanswered(Exception):
    """Commands without an event long after the last was sent."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds by percentile, and how late the generator itself was (also within them)."""

    per_s: float
    messages: int
    ms: dict[str, float]
    generator_late_ms: dict[str, float]


@dataclass(slots=True)
class _Log:
    """Moments by `ce_id`, in seconds of one clock."""

    due: dict[bytes, float] = field(default_factory=dict)
    sent: dict[bytes, float] = field(default_factory=dict)
    read: dict[bytes, float] = field(default_factory=dict)


async def measure(installation: Installation, letters: Sequence[Letter], per_s: float) -> Latency:
    """Send one message each `1 / per_s` seconds and read the events beside it.

    Each message must cause an event on orders.events; those are who is timed.

    Raises:
        Unanswered: some event did not come.
    """
    log = _Log()
    consumer = make_reader(installation.options)
    await consumer.start()
    consumer.assign(
        await partitions_of(installation.options, [installation.prefix + ORDERS_EVENTS])
    )
    await consumer.seek_to_end()
    reading = asyncio.create_task(_read(consumer, log))
    try:
        await _send(installation, letters, per_s, log)
        deadline = time.monotonic() + ANSWER_SECONDS
        while len(log.read) < len(letters):
            if time.monotonic() > deadline:
                missing = len(letters) - len(log.read)
                raise Unanswered(f"{missing} of {len(letters)} commands have no event")
            await asyncio.sleep(0.01)
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        await consumer.stop()
    return _latency(log, per_s)


async def _send(
    installation: Installation, letters: Sequence[Letter], per_s: float, log: _Log
) -> None:
    producer = AIOKafkaProducer(
        acks="all", enable_idempotence=True, linger_ms=0, **installation.options
    )
    await producer.start()
    try:
        began = time.perf_counter()
        for number, letter in enumerate(letters):
            due = began + number / per_s
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            id_ = dict(letter.headers)["ce_id"]
            log.due[id_], log.sent[id_] = due, time.perf_counter()
            await producer.send(
                installation.prefix + letter.topic,
                letter.value,
                letter.key,
                headers=list(letter.headers),
            )
    finally:
        await producer.stop()


async def _read(consumer: AIOKafkaConsumer, log: _Log) -> None:
    while True:
        polled = await consumer.getmany(timeout_ms=1_000)
        now = time.perf_counter()
        for records in polled.values():
            for record in records:
                cause = next((value for name, value in record.headers if name == CAUSE), b"")
                if cause in log.due:
                    log.read.setdefault(cause, now)


def _latency(log: _Log, per_s: float) -> Latency:
    first = min(log.due.values()) + WARM_SECONDS
    counted = [id_ for id_, due in log.due.items() if due >= first]
    waited = [log.read[id_] - log.due[id_] for id_ in counted]
    late = [log.sent[id_] - log.due[id_] for id_ in counted]
    return Latency(per_s, len(counted), _percentiles(waited), _percentiles(late))


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    values = np.percentile(np.array(seconds) * 1e3, PERCENTILES)
    return {f"p{name:g}": round(float(ms), 2) for name, ms in zip(PERCENTILES, values, strict=True)}
