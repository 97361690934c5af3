"""What a run measures, and with how much: the full one, and the quick one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from tests.bench.contenders import CEILING, FASTSTREAM_OUTBOX, OURS, TEXTBOOK
from tests.bench.latency import measure
from tests.bench.parts import measure_parts
from tests.bench.race import Entrant, Track
from tests.bench.results import HEADLINE_LOAD, HEADLINE_MIX, Race, Results
from tests.bench.running import running
from tests.bench.traffic import Mix, mix

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


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of it. Messages are by contender, about as much as each does in ten seconds."""

    rounds: int
    messages: dict[str, int]
    by_mix: dict[str, int] = field(default_factory=dict)
    """Messages of other mixes than the headline's; none where they are not measured."""
    by_size: int = 0
    by_replicas: int = 0
    loads: tuple[float, ...] = (HEADLINE_LOAD,)
    load_seconds: float = 6.0
    part_rounds: int = 1
    parts: tuple[str, ...] = (HEADLINE_MIX,)
    stores: tuple[int, ...] = ()
    by_store: int = 15_000


QUICK = Extent(
    rounds=2,
    messages={"ours": 8_000, "ceiling": 20_000, "textbook": 400, "faststream-outbox": 400},
)
FULL = Extent(
    rounds=3,
    messages={"ours": 20_000, "ceiling": 40_000, "textbook": 1_000, "faststream-outbox": 1_000},
    by_mix=dict.fromkeys(OTHER_MIXES, 6_000) | {"bulk": 10_000},
    by_size=3_000,
    by_replicas=20_000,
    loads=(0.2, 0.5, 0.8),
    load_seconds=15.0,
    part_rounds=2,
    parts=(HEADLINE_MIX, "updates", "fulfilments", "scans_new", "day"),
    stores=(10_000, 1_000_000),
)
OTHER_ROUNDS = 2
"""Of races beside the headline's."""


@dataclass(slots=True)
class Programme:
    """Carries an extent out on a track."""

    track: Track
    extent: Extent
    results: Results

    async def run(self) -> None:
        """Everything the extent has, into the results."""
        steps: list[Callable[[], Awaitable[None]]] = [self._headline, self._latency, self._parts]
        steps += [partial(self._mix, *each) for each in self.extent.by_mix.items()]
        if self.extent.by_size:
            steps += [partial(self._size, size) for size in SIZES_BYTES]
        if self.extent.by_replicas:
            steps.append(self._scale)
        if self.extent.stores:
            steps.append(self._stored)
        for step in steps:
            await step()

    async def _race(
        self, title: str, make: Callable[[int], Mix], entrants: list[Entrant], rounds: int
    ) -> None:
        self.results.races.append(Race(title, await self.track.race(make, entrants, rounds)))

    def _made(self, name: str, **asked: int) -> Callable[[int], Mix]:
        return lambda count: mix(name, count, seed=self.results.seed, **asked)

    async def _headline(self) -> None:
        contenders = (OURS, CEILING, TEXTBOOK, FASTSTREAM_OUTBOX)
        entrants = [Entrant(each, self.extent.messages[each.name]) for each in contenders]
        await self._race(HEADLINE_MIX, self._made(HEADLINE_MIX), entrants, self.extent.rounds)

    async def _mix(self, name: str, messages: int) -> None:
        entrants = [Entrant(each, messages) for each in (OURS, CEILING)]
        await self._race(name, self._made(name), entrants, OTHER_ROUNDS)

    async def _size(self, value_bytes: int) -> None:
        entrants = [Entrant(each, self.extent.by_size) for each in (OURS, CEILING)]
        title = f"{HEADLINE_MIX} of {value_bytes:,} bytes"
        await self._race(
            title, self._made(HEADLINE_MIX, value_bytes=value_bytes), entrants, OTHER_ROUNDS
        )

    async def _scale(self) -> None:
        entrants = [Entrant(OURS, self.extent.by_replicas, count) for count in REPLICAS]
        await self._race("replicas", self._made(HEADLINE_MIX), entrants, OTHER_ROUNDS)

    async def _stored(self) -> None:
        entrants = [Entrant(OURS, self.extent.by_store, stored=each) for each in self.extent.stores]
        for name in (HEADLINE_MIX, "updates"):
            await self._race(f"{name} by orders stored", self._made(name), entrants, OTHER_ROUNDS)

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
        """At shares of the speed just measured."""
        race = self.results.race(HEADLINE_MIX)
        full = race.rate(OURS.name) if race else None
        assert full is not None
        for share in self.extent.loads:
            per_s = share * full
            letters = mix(
                HEADLINE_MIX, round(per_s * self.extent.load_seconds), seed=self.results.seed
            ).letters
            async with self.track.ground() as ground, running(OURS, ground, 1):
                latency = await measure(ground.installation, letters, per_s)
            self.results.latencies.append((share, latency))
