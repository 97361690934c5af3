"""A race: contenders on the same mix in interleaved rounds, each lap on ground of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from demo.installation import Installation
from demo.journal import read_all
from deploy.stack import Addresses
from tests.bench import lap, tape
from tests.bench.contenders import CEILING, OURS, Contender
from tests.bench.lap import Lap
from tests.bench.probe import EVENTS, OUTCOMES
from tests.bench.running import Ground
from tests.bench.traffic import Mix


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender, and with how many messages: slow ones get fewer of the same."""

    contender: Contender
    messages: int
    replicas: int = 1


@dataclass(slots=True)
class Track:
    """Servers and a folder; each lap gets a database and topics of its own there."""

    addresses: Addresses
    server_pids: Mapping[str, Sequence[int]]
    folder: Path
    told: Callable[[Lap], None]
    _tapes: dict[str, Path] = field(default_factory=dict)
    _laps: int = 0

    async def race(
        self, mix: Callable[[int], Mix], entrants: Sequence[Entrant], rounds: int
    ) -> list[Lap]:
        """Every entrant once a round, each round beginning with another one.

        Ours runs first of all, once, and is not counted: it fills caches, and the tape.
        """
        ours = next(each for each in entrants if each.contender is OURS)
        await self._lap(replace(ours, messages=max(each.messages for each in entrants)), mix)
        laps = []
        for number in range(rounds):
            turned = [*entrants[number % len(entrants) :], *entrants[: number % len(entrants)]]
            for entrant in turned:
                laps.append(await self._lap(entrant, mix))
                self.told(laps[-1])
        return laps

    async def _lap(self, entrant: Entrant, mix: Callable[[int], Mix]) -> Lap:
        letters = mix(entrant.messages)
        contender = entrant.contender
        if contender is CEILING:
            path = str(self._tapes[letters.name])
            contender = replace(contender, environment={"BENCH_TAPE": path})
        async with self.ground() as ground:
            done = await lap.run(contender, ground, letters, replicas=entrant.replicas)
            if contender is OURS and letters.name not in self._tapes:
                self._tapes[letters.name] = await self._record(ground.installation, letters)
        return done

    @asynccontextmanager
    async def ground(self) -> AsyncIterator[Ground]:
        """A database and topics, gone afterwards."""
        self._laps += 1
        name = f"bench_{os.getpid()}_{self._laps}"
        installation = Installation(self.addresses, self.folder / name, name)
        await installation.create()
        try:
            yield Ground(installation, self.server_pids)
        finally:
            await installation.drop()

    async def _record(self, installation: Installation, mix: Mix) -> Path:
        topics = (*EVENTS, OUTCOMES)
        told = await read_all(installation.options, installation.prefix, topics)
        sent = [
            (dict(letter.headers)["ce_id"], letter.key, letter.value)
            for letter in (*mix.before, *mix.letters)
        ]
        entries = [entry for topic in topics for entry in told[topic]]
        path = self.folder / f"{mix.name}.tape"
        tape.save(await tape.record(installation.database_url, sent, entries), path)
        return path
