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
from tests.bench import lap, stores, tape
from tests.bench.contenders import CEILING, OURS, Contender
from tests.bench.lap import Lap
from tests.bench.probe import EVENTS, OUTCOMES
from tests.bench.running import Ground
from tests.bench.traffic import Mix, mix


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender, and with how many messages: slow ones get fewer of the same."""

    contender: Contender
    messages: int
    replicas: int = 1
    stored: int = 0
    """Orders that the database has before, beside those of the mix."""


@dataclass(slots=True)
class Track:
    """Servers and a folder; each lap gets a database and topics of its own there."""

    addresses: Addresses
    server_pids: Mapping[str, Sequence[int]]
    folder: Path
    told: Callable[[Lap], None]
    _tapes: dict[str, Path] = field(default_factory=dict)
    _stores: dict[int, str] = field(default_factory=dict)
    """Names of databases by how many orders they have."""
    _laps: int = 0

    async def race(
        self, make: Callable[[int], Mix], entrants: Sequence[Entrant], rounds: int
    ) -> list[Lap]:
        """Every entrant once a round, each round beginning with another one.

        Ours runs first of all, once, and is not counted: it fills caches, and the tape.
        """
        ours = next(each for each in entrants if each.contender is OURS)
        await self._lap(replace(ours, messages=max(each.messages for each in entrants)), make)
        laps = []
        for number in range(rounds):
            turned = [*entrants[number % len(entrants) :], *entrants[: number % len(entrants)]]
            for entrant in turned:
                laps.append(await self._lap(entrant, make))
                self.told(laps[-1])
        return laps

    async def _lap(self, entrant: Entrant, make: Callable[[int], Mix]) -> Lap:
        letters = make(entrant.messages)
        contender = entrant.contender
        if contender is CEILING:
            path = str(self._tapes[letters.name])
            contender = replace(contender, environment={"BENCH_TAPE": path})
        async with self.ground(await self._store(entrant.stored)) as ground:
            done = await lap.run(contender, ground, letters, replicas=entrant.replicas)
            if contender is OURS and letters.name not in self._tapes:
                self._tapes[letters.name] = await self._record(ground.installation, letters)
        return replace(done, stored=entrant.stored)

    async def _store(self, orders: int) -> str:
        """The database with so many orders, made when it is first asked for."""
        if orders and orders not in self._stores:
            async with self.ground() as ground:
                await lap.run(OURS, ground, mix("fulfilments", stores.SAMPLE))
                sample = await stores.sample(ground.installation.database_url)
            store = self._installation()
            await store.create()
            await stores.fill(store.database_url, sample, orders)
            self._stores[orders] = store.name
        return self._stores.get(orders, "template1")

    def _installation(self) -> Installation:
        self._laps += 1
        name = f"bench_{os.getpid()}_{self._laps}"
        return Installation(self.addresses, self.folder / name, name)

    @asynccontextmanager
    async def ground(self, like: str = "template1") -> AsyncIterator[Ground]:
        """A database, with what another one has, and topics; gone afterwards."""
        installation = self._installation()
        await installation.create(like)
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
