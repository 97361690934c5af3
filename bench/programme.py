"""What a run measures, and with how much: the full one, and the quick one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from bench import differences
from bench.contenders import (
    CEILINGS,
    FASTSTREAM_OUTBOX,
    OURS,
    OURS_WITH_STATE,
    TEXTBOOK,
    Contender,
)
from bench.lap_size import Pace, paced, paced_by_ours, rates_of
from bench.latency import WARM_SECONDS, measure
from bench.parts import measure_parts
from bench.race import Participant, Track, Traffic
from bench.results import HEADLINE_LOAD, HEADLINE_MIX, Race, Results
from bench.running import ready
from bench.traffic import Mix, mix
from demo.installation import Installation

SIZES_BYTES = (500, 5_000, 20_000)
REPLICAS = (1, 2, 4)
PART_MESSAGES = 3_000
OTHER_MIXES = (
    "updates",
    "fulfilments",
    "scans_new",
    "scans_repeated",
    "scans_shuffled",
    "bulk",
    "day",
)


TRIAL = {"ours": 8_000, "ceiling": 8_000, "ceiling-strengthened": 8_000}
TRIAL_OF_SLOW = 200
"""Items of the lap that finds a contender's rate: of the fast ones, and of those one by one."""
TRIAL_OF_OTHERS = 4_000
"""The same in races beside the headline's."""
MOST_ITEMS = 200_000
MOST_ITEMS_OF_OTHERS = 60_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of it. Laps are by time, of at least so many seconds."""

    rounds: int
    seconds: float
    other_rounds: int = 2
    """Of races beside the headline's."""
    mixes: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    replicas: tuple[int, ...] = ()
    loads: tuple[float, ...] = (HEADLINE_LOAD,)
    """Shares of full speed."""
    rates: tuple[float, ...] = ()
    """Commands a second."""
    load_seconds: float = 6.0
    load_messages: int = 0
    """At least, after the first seconds, which are not counted."""
    part_rounds: int = 1
    parts: tuple[str, ...] = (HEADLINE_MIX,)
    stores: tuple[int, ...] = ()
    states: tuple[str, ...] = ()
    """Mixes that are also measured with the state of each order written."""


QUICK = Extent(rounds=2, seconds=3.0)
FULL = Extent(
    rounds=5,
    seconds=10.0,
    mixes=OTHER_MIXES,
    sizes=SIZES_BYTES,
    replicas=REPLICAS,
    loads=(0.2, 0.5, 0.8),
    rates=(10.0, 300.0, 500.0, 1_000.0),
    load_seconds=13.0,
    load_messages=200,
    part_rounds=2,
    parts=(HEADLINE_MIX, "updates", "fulfilments", "scans_new", "day"),
    stores=(10_000, 1_000_000),
    states=("upserts", "updates", "day"),
)


@dataclass(slots=True)
class Programme:
    """Carries an extent out on a track."""

    track: Track
    extent: Extent
    results: Results

    async def run(self) -> None:
        """Everything the extent has, into the results."""
        steps: list[Callable[[], Awaitable[None]]] = [
            self._headline,
            self._latency,
            self._parts,
        ]
        steps += [partial(self._mix, name) for name in self.extent.mixes]
        steps += [partial(self._size, size) for size in self.extent.sizes]
        if self.extent.replicas:
            steps.append(self._scale)
        steps += [partial(self._state, name) for name in self.extent.states]
        if self.extent.stores:
            steps += [partial(self._stored, name) for name in (HEADLINE_MIX, "updates")]
        for step in steps:
            await step()

    def _traffic(self, name: str, value_bytes: int = 700) -> Traffic:
        return Traffic(name, self.results.seed, value_bytes)

    async def _race(
        self, title: str, traffic: Traffic, participants: list[Participant], rounds: int
    ) -> None:
        laps = await self.track.race(traffic, participants, rounds)
        self.results.races.append(Race(title, laps))

    async def _headline(self) -> None:
        """Each contender with its own number of messages; its records are read from its trial."""
        traffic = self._traffic(HEADLINE_MIX)
        contenders = (OURS, *CEILINGS, TEXTBOOK, FASTSTREAM_OUTBOX)
        participants = [
            Participant(each, TRIAL.get(each.name, TRIAL_OF_SLOW)) for each in contenders
        ]
        pace = Pace(self.extent.seconds, TRIAL["ours"], MOST_ITEMS)
        names = [each.name for each in contenders]
        rates = await rates_of(self.track, traffic, participants, self._read_records)
        self.results.records.sort(key=lambda each: names.index(each.contender))
        participants = paced(participants, rates, traffic, pace)
        await self._race(HEADLINE_MIX, traffic, participants, self.extent.rounds)

    async def _read_records(
        self, contender: Contender, installation: Installation, made: Mix
    ) -> None:
        few = made.letters[:TRIAL_OF_SLOW]
        records = await differences.read(contender.name, installation, few)
        self.results.records.append(records)

    async def _other(self, title: str, traffic: Traffic, participants: list[Participant]) -> None:
        """All contenders with the same messages, as many as ours needs."""
        pace = Pace(self.extent.seconds, TRIAL_OF_OTHERS, MOST_ITEMS_OF_OTHERS)
        participants = await paced_by_ours(self.track, traffic, participants, pace)
        await self._race(title, traffic, participants, self.extent.other_rounds)

    async def _mix(self, name: str) -> None:
        await self._other(
            name, self._traffic(name), [Participant(each, 0) for each in (OURS, *CEILINGS)]
        )

    async def _size(self, value_bytes: int) -> None:
        title = f"{HEADLINE_MIX} of {value_bytes:,} bytes"
        participants = [Participant(each, 0) for each in (OURS, *CEILINGS)]
        await self._other(title, self._traffic(HEADLINE_MIX, value_bytes), participants)

    async def _scale(self) -> None:
        """Replicas of ours against one of each ceiling, paced by the headline's race."""
        race = self.results.race(HEADLINE_MIX)
        assert race is not None
        traffic = self._traffic(HEADLINE_MIX)
        pace = Pace(self.extent.seconds, TRIAL["ours"], MOST_ITEMS)
        ours = [Participant(OURS, 0, count) for count in self.extent.replicas]
        participants = paced(ours, {OURS.name: race.rate(OURS.name) or 0.0}, traffic, pace)
        messages = {figure.contender: figure.messages for figure in race.figures}
        participants += [Participant(each, messages[each.name]) for each in CEILINGS]
        await self._race("replicas", traffic, participants, self.extent.other_rounds)

    async def _stored(self, name: str) -> None:
        participants = [Participant(OURS, 0, stored=each) for each in self.extent.stores]
        await self._other(f"{name} by orders stored", self._traffic(name), participants)

    async def _state(self, name: str) -> None:
        participants = [Participant(each, 0) for each in (OURS, OURS_WITH_STATE)]
        await self._other(f"{name}, orders.state", self._traffic(name), participants)

    async def _parts(self) -> None:
        track = self.track
        for name in self.extent.parts:
            letters = mix(name, PART_MESSAGES, seed=self.results.seed)
            self.results.parts[name] = await measure_parts(
                track.addresses,
                letters,
                rounds=self.extent.part_rounds,
                server_pids=track.server_pids,
            )

    async def _latency(self) -> None:
        """At shares of the speed just measured, and at fixed rates."""
        race = self.results.race(HEADLINE_MIX)
        full = race.rate(OURS.name) if race else None
        assert full is not None
        loads: list[tuple[float | None, float]] = [
            *((share, share * full) for share in self.extent.loads),
            *((None, rate) for rate in self.extent.rates),
        ]
        for share, per_s in loads:
            seconds = max(
                self.extent.load_seconds, WARM_SECONDS + self.extent.load_messages / per_s
            )
            letters = mix(HEADLINE_MIX, round(per_s * seconds), seed=self.results.seed).letters
            async with self.track.ground() as ground, ready(OURS, ground):
                latency = await measure(ground.installation, letters, per_s)
            self.results.latencies.append((share, latency))
