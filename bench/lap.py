"""One lap: a contender on ground of its own, with a mix's messages already on the topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.assignment import Group
from bench.contenders import Contender
from bench.loading import load
from bench.progress import Probe, Progress
from bench.running import Ground, interpreter_of, running
from bench.traffic import Letter, Mix
from bench.usage import MEBIBYTE, Usage, resident_bytes
from demo.replicas import Replica

SAMPLE_SECONDS = 0.02
# What is answered before is not counted: processes start, join their group, and fill their caches.
WARM_SHARE = 0.1
STANDSTILL_SECONDS = 90.0


class StoodStill(Exception):
    """A contender did not go on; the text has how far it came, and the end of its log."""


class TooShort(Exception):
    """A mix was done before a span of it was seen: within one look, or before all were placed."""

    def __init__(self, mix: Mix) -> None:
        super().__init__(
            f"{len(mix.letters)} messages of {mix.name} were done before the clock ran: take more"
        )


@dataclass(frozen=True, slots=True)
class Lap:
    """One measurement. Rates are of messages, from the moment when every replica has its partitions
    and a tenth of the messages is answered, to the moment the last can be read; CPU is of the same
    span, in microseconds a message.
    """

    contender: str
    mix: str
    messages: int
    replicas: int
    seconds: float
    """The span that was measured."""
    messages_per_s: float
    items_per_s: float
    cpu_us: Mapping[str, float]
    rss_mb: float
    """The most that one process was."""
    outcomes: int
    events: int
    load_per_s: float
    """What the generator can do: messages it put on the topics a second, all at once."""
    interpreter: str
    """The program that the operating system runs for its processes."""
    stored: int = 0
    """Orders that the database had before, beside those of the mix."""


@dataclass(slots=True)
class _Samples:
    """What was seen of a lap while it ran."""

    warm: tuple[float, float, Usage] | None = None
    last: tuple[float, float, Usage] | None = None
    rss_mb: float = 0.0
    is_placed: bool = False
    interpreter: str = ""
    progress: Progress = field(default_factory=lambda: Progress(0, 0, 0, has_rows=True))


async def run(contender: Contender, ground: Ground, mix: Mix, *, replicas: int = 1) -> Lap:
    """Apply what the mix needs before, then measure the mix on fresh processes.

    Raises:
        StoodStill: nothing moved for a while.
        TooShort: there are too few messages to measure.
        AssertionError: more or fewer answers than the mix has.
    """
    run = _Run(contender, ground, mix, replicas)
    await run.apply_before()
    load_per_s = await load(ground.installation, mix.letters)
    samples = await run.apply_measured()
    return run.lap(samples, load_per_s)


class _Run:
    """The parts of one lap."""

    def __init__(self, contender: Contender, ground: Ground, mix: Mix, replicas: int) -> None:
        self._contender = contender
        self._ground = ground
        self._mix = mix
        self._replicas = replicas
        self._before = Progress(0, 0, 0, has_rows=False)

    async def apply_before(self) -> None:
        """Everything the mix takes for granted."""
        if not self._mix.before:
            return
        await load(self._ground.installation, self._mix.before)
        self._before = (await self._run(self._mix.before)).progress

    async def apply_measured(self) -> _Samples:
        """The messages that count."""
        return await self._run(self._mix.letters)

    async def _run(self, letters: Sequence[Letter]) -> _Samples:
        """Fresh processes until they are done with the messages."""
        samples = _Samples()
        probe = Probe(self._ground.installation, self._contender.positions)
        group = Group(self._ground.installation, self._contender.group)
        replicas = running(self._contender, self._ground, self._replicas)
        async with probe, group, replicas as started:
            samples.interpreter = interpreter_of(started)
            await self._follow(started, probe, group, letters, samples)
        return samples

    async def _follow(
        self,
        replicas: list[Replica],
        probe: Probe,
        group: Group,
        letters: Sequence[Letter],
        samples: _Samples,
    ) -> None:
        count = self._counter(letters)
        moved_at = time.monotonic()
        members = len(replicas) * self._contender.processes
        while True:
            samples.is_placed = samples.is_placed or await group.is_placed(members)
            progress = await probe.look()
            if progress != samples.progress:
                moved_at, samples.progress = time.monotonic(), progress
                self._note(samples, replicas, count(progress) / len(letters))
            if count(progress) >= len(letters) and not progress.has_rows:
                self._note(samples, replicas, 1.0)
                assert all(each.is_alive for each in replicas), replicas[0].log_end()
                return
            if time.monotonic() - moved_at > STANDSTILL_SECONDS:
                raise StoodStill(f"{progress}; {replicas[0].log_end()}")
            await asyncio.sleep(SAMPLE_SECONDS)

    def _counter(self, letters: Sequence[Letter]) -> Callable[[Progress], float]:
        """How many messages are done: by their answers, or by positions where some have none."""
        outcomes = sum(letter.outcomes for letter in letters)
        before = self._before
        if all(letter.outcomes for letter in letters):
            return lambda seen: (seen.outcomes - before.outcomes) / outcomes * len(letters)
        return lambda seen: seen.applied - before.applied

    def _note(self, samples: _Samples, replicas: Sequence[Replica], share: float) -> None:
        pids = [each.identity.pid for each in replicas if each.identity]
        usage = Usage.now({"process": pids, **self._ground.server_pids})
        samples.rss_mb = max(samples.rss_mb, *(resident_bytes(pid) / MEBIBYTE for pid in pids))
        samples.last = (time.perf_counter(), share, usage)
        if samples.warm is None and samples.is_placed and share >= WARM_SHARE:
            samples.warm = samples.last

    def lap(self, samples: _Samples, load_per_s: float) -> Lap:
        """The figures of what was seen."""
        if samples.warm is None or samples.last is None or samples.warm[1] >= 1.0:
            raise TooShort(self._mix)
        began, share, used = samples.warm
        ended, _, used_last = samples.last
        messages = len(self._mix.letters) * (1 - share)
        items = sum(max(1, letter.outcomes) for letter in self._mix.letters)
        progress, before = samples.progress, self._before
        expected = sum(letter.outcomes for letter in self._mix.letters)
        outcomes = progress.outcomes - before.outcomes
        assert outcomes == expected, f"{self._contender.name}: {outcomes} answers for {expected}"
        return Lap(
            contender=self._contender.name,
            mix=self._mix.name,
            messages=len(self._mix.letters),
            replicas=self._replicas,
            seconds=ended - began,
            messages_per_s=messages / (ended - began),
            items_per_s=items / len(self._mix.letters) * messages / (ended - began),
            cpu_us={
                name: used / messages * 1e6 for name, used in used_last.since(used).seconds.items()
            },
            rss_mb=samples.rss_mb,
            outcomes=outcomes,
            events=progress.events - before.events,
            load_per_s=load_per_s,
            interpreter=samples.interpreter,
        )
