"""Laps: a contender on ground of its own, judged by what receivers got."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
from aiokafka import AIOKafkaProducer

from bench.assignment import Group
from bench.deliveries.cases import GATHER, ONE, OURS, Latency, Throughput
from bench.deliveries.events import id_of
from bench.deliveries.ground import Ground, Webhook, events_of
from bench.deliveries.receivers import Receivers, Request
from bench.loading import load
from bench.traffic import Letter
from bench.usage import cpu_seconds
from demo.installation import Installation
from demo.replicas import Replica

VARIANTS = {ONE: "one", GATHER: "gather"}
WARM_SHARE = 0.1
"""Deliveries before the clock of a throughput runs: connections, caches, the first batch."""
WARM_SECONDS = 2.0
"""Events before those whose latency counts."""
STANDSTILL_SECONDS = 60.0
LOOK_SECONDS = 0.05
BACKLOG_EVENTS = 3


class StoodStill(Exception):
    """Deliveries did not come; the text has how many did."""


@dataclass(frozen=True, slots=True)
class Speed:
    """A throughput lap. CPU is in seconds for 1,000 deliveries, by process."""

    case: Throughput
    per_second: float
    cpu: Mapping[str, float]
    repeated: int
    """Requests beyond the first of an event and a destination."""


@dataclass(frozen=True, slots=True)
class Delay:
    """A latency lap of the healthy destinations, in milliseconds from due to received."""

    case: Latency
    deliveries: int
    p50: float
    p99: float
    most: float
    cpu_share: float
    """CPU seconds of the contender for each second."""
    missing: int
    """Deliveries that had not come STANDSTILL_SECONDS after the last."""


@dataclass(slots=True)
class Track:
    """Where laps run."""

    receivers: Receivers
    pids: Mapping[str, int]
    """Processes of the servers."""
    make: Callable[[int], Installation]
    number: int = 0

    def ground(self) -> Ground:
        """A new one."""
        self.number += 1
        return Ground(self.make(self.number))


async def measure_speed(track: Track, case: Throughput) -> Speed:
    """Deliver everything that lies on the topic.

    Raises:
        StoodStill: some deliveries did not come.
    """
    webhooks = case.webhooks(track.receivers.ports)
    letters = events_of(case.shops, case.events, f"run-{track.number}")
    async with _laid(track, case.contender, webhooks) as (ground, replica):
        await load(ground.installation, letters)
        async with _running(replica):
            pids = {"process": _pid(replica), **track.pids}
            warm = await _until(track.receivers, int(WARM_SHARE * case.deliveries), replica)
            used = _used(pids)
            await _until(track.receivers, case.deliveries, replica)
            used = {name: after - used[name] for name, after in _used(pids).items()}
    requests = await track.receivers.take()
    firsts = {(each.event_id, each.path): each.at for each in reversed(requests)}
    moments = sorted(firsts.values())
    counted = len(moments) - warm
    return Speed(
        case,
        counted / (moments[-1] - moments[warm - 1]),
        {name: seconds / counted * 1_000 for name, seconds in used.items()},
        len(requests) - len(firsts),
    )


async def measure_delay(track: Track, case: Latency) -> Delay:
    """Publish at a fixed rate, and wait for the healthy destinations."""
    ports = track.receivers.ports
    webhooks, bad = case.webhooks(ports), case.bad_webhooks(ports)
    run = f"run-{track.number}"
    letters = events_of([webhooks[0].shop], int(case.per_second * case.seconds), run)
    async with (
        _laid(track, case.contender, webhooks, bad, has_backlog=case.has_backlog) as (
            ground,
            replica,
        ),
        _running(replica),
    ):
        await _assigned(ground.installation, case.contender)
        before, began = cpu_seconds(_pid(replica)), time.time()
        apart = [each.shop for each in bad] if case.is_apart else []
        due = await _publish(
            ground.installation, letters, events_of(apart, len(apart), run), case.per_second
        )
        expected = len(letters) * len(webhooks)
        missing = await _wait(track.receivers, expected)
        share = (cpu_seconds(_pid(replica)) - before) / (time.time() - began)
    return _delay(case, await track.receivers.take(), due, share, missing)


def _delay(
    case: Latency, requests: Sequence[Request], due: Mapping[str, float], share: float, missing: int
) -> Delay:
    first = min(due.values()) + WARM_SECONDS
    firsts = {(each.event_id, each.path): each.at for each in reversed(requests)}
    waited = [at - due[id_] for (id_, _), at in firsts.items() if due[id_] >= first]
    p50, p99, most = np.percentile(np.array(waited) * 1e3, (50, 99, 100))
    return Delay(case, len(waited), float(p50), float(p99), float(most), share, missing)


@asynccontextmanager
async def _laid(
    track: Track,
    contender: str,
    webhooks: Sequence[Webhook],
    bad: Sequence[Webhook] = (),
    *,
    has_backlog: bool = False,
) -> AsyncIterator[tuple[Ground, Replica]]:
    """A new ground with destinations, and the contender, not started."""
    ground = track.ground()
    await ground.installation.create()
    try:
        if contender == OURS:
            await ground.add(webhooks)
            others = await ground.add(bad)
            if has_backlog:
                letters = events_of([bad[0].shop], BACKLOG_EVENTS * 2, f"backlog-{track.number}")
                await ground.add_backlog(others, letters[::2])
            ports = sorted({port for each in track.receivers.ports.values() for port in each})
            yield ground, ground.service(ports)
        else:
            yield ground, ground.loop(VARIANTS[contender], [*webhooks, *bad])
    finally:
        await ground.installation.drop()


@asynccontextmanager
async def _running(replica: Replica) -> AsyncIterator[None]:
    replica.start()
    try:
        yield
    finally:
        await asyncio.to_thread(replica.stop)


async def _assigned(installation: Installation, contender: str) -> None:
    """Wait until the contender has its partitions."""
    group = Group(installation, "orderflow.deliveries" if contender == OURS else "loop")
    async with group, asyncio.timeout(STANDSTILL_SECONDS):
        while not await group.is_placed(1):
            await asyncio.sleep(LOOK_SECONDS)


async def _publish(
    installation: Installation,
    letters: Sequence[Letter],
    others: Sequence[Letter],
    per_second: float,
) -> dict[str, float]:
    """Publish at a fixed rate, the others at once after WARM_SECONDS; returns when each was due."""
    producer = AIOKafkaProducer(
        acks="all", enable_idempotence=True, linger_ms=0, **installation.options
    )
    await producer.start()
    due: dict[str, float] = {}

    async def send(letter: Letter) -> None:
        topic = installation.prefix + letter.topic
        await producer.send(topic, letter.value, letter.key, headers=list(letter.headers))

    try:
        began = time.time()
        for number, letter in enumerate(letters):
            at = began + number / per_second
            await asyncio.sleep(max(0.0, at - time.time()))
            due[id_of(letter)] = at
            await send(letter)
            if others and at - began >= WARM_SECONDS:
                for each in others:
                    await send(each)
                others = ()
    finally:
        await producer.stop()
    return due


async def _until(receivers: Receivers, wanted: int, replica: Replica) -> int:
    """Wait until receivers have so many requests; returns how many they have then."""
    deadline, last = time.monotonic() + STANDSTILL_SECONDS, -1
    while (count := await receivers.count()) < wanted:
        if count > last:
            deadline, last = time.monotonic() + STANDSTILL_SECONDS, count
        if time.monotonic() > deadline:
            raise StoodStill(f"{count} of {wanted} deliveries came; {replica.log_end()}")
        await asyncio.sleep(LOOK_SECONDS)
    return count


async def _wait(receivers: Receivers, wanted: int) -> int:
    """Wait for so many requests; returns how many did not come."""
    deadline = time.monotonic() + STANDSTILL_SECONDS
    while (count := await receivers.count()) < wanted and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
    return max(0, wanted - count)


def _pid(replica: Replica) -> int:
    if replica.identity is None:
        raise StoodStill(f"{replica.name} did not start")
    return int(replica.identity.pid)


def _used(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu_seconds(pid) for name, pid in pids.items()}
