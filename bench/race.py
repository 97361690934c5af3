"""A race: contenders on the same mix in interleaved rounds, each lap on ground of its own."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import lap, recorded_effects, stores
from bench.contenders import OURS, Contender
from bench.lap import Lap
from bench.progress import EVENTS
from bench.running import Ground
from bench.traffic import Mix, mix
from demo.installation import Installation
from demo.journal import read_all
from deploy.stack import Addresses
from schemas.topics import ORDERS_OUTCOMES

_numbers = itertools.count(1)
"""Numbers of installations: no two tracks of a process use one name."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a race is about: messages of one mix, as many as asked for."""

    name: str
    seed: int = 1
    value_bytes: int = 700

    def mix(self, count: int) -> Mix:
        """So many items of it."""
        return mix(self.name, count, seed=self.seed, value_bytes=self.value_bytes)


@dataclass(frozen=True, slots=True)
class Participant:
    """A contender, and with how many items: slow ones get fewer of the same."""

    contender: Contender
    items: int
    replicas: int = 1
    stored: int = 0
    """Orders that the database has before, beside those of the mix."""


Seen = Callable[[Contender, Installation, Mix], Awaitable[None]]


@dataclass(slots=True)
class Track:
    """Servers and a folder; each lap gets a database and topics of its own there."""

    addresses: Addresses
    server_pids: Mapping[str, Sequence[int]]
    folder: Path
    show: Callable[[Lap], None]
    _tapes: dict[Traffic, tuple[int, Path]] = field(default_factory=dict)
    """How many items each was recorded with, and where it is."""
    _stores: dict[int, str] = field(default_factory=dict)
    """Names of databases by how many orders they have."""
    _made: tuple[Traffic, int, Mix] | None = None
    """The last messages that were made: a race asks for the same again and again."""

    async def race(
        self,
        traffic: Traffic,
        participants: Sequence[Participant],
        rounds: int,
        seen: Seen | None = None,
    ) -> list[Lap]:
        """Every participant once a round, each round beginning with another one.

        `seen` is called after each lap, while its topics and its database are still there. Where a
        tape is played that is not recorded yet, it is recorded from the first lap where that is one
        of ours with all its items; else ours runs before, once, and is not counted.
        """
        needed = max((each.items for each in participants if each.contender.plays_tape), default=0)
        if participants[0].contender is not OURS or participants[0].items < needed:
            await self._rehearse(traffic, needed)
        laps = []
        for number in range(rounds):
            turned = [
                *participants[number % len(participants) :],
                *participants[: number % len(participants)],
            ]
            for participant in turned:
                laps.append(await self._lap(participant, traffic, seen, needed))
                self.show(laps[-1])
        return laps

    async def _rehearse(self, traffic: Traffic, items: int) -> None:
        if items > self._recorded(traffic):
            await self._lap(Participant(OURS, items), traffic, None, items)

    def _recorded(self, traffic: Traffic) -> int:
        """The items of the traffic's tape; 0 without one."""
        return self._tapes[traffic][0] if traffic in self._tapes else 0

    async def _lap(
        self, participant: Participant, traffic: Traffic, seen: Seen | None, needed: int
    ) -> Lap:
        """One lap; one of ours records the tape where none has the items that are needed."""
        letters = self._letters(traffic, participant.items)
        contender = participant.contender
        if contender.plays_tape:
            _, path = self._tapes[traffic]
            contender = replace(contender, environment={"BENCH_TAPE": str(path)})
        async with self.ground(await self._store(participant.stored)) as ground:
            done = await lap.run(contender, ground, letters, replicas=participant.replicas)
            if contender is OURS and self._recorded(traffic) < needed <= participant.items:
                path = await self._record(ground.installation, letters)
                self._tapes[traffic] = participant.items, path
            if seen:
                await seen(contender, ground.installation, letters)
        return replace(done, stored=participant.stored)

    def _letters(self, traffic: Traffic, items: int) -> Mix:
        """The first of what was made last, where nothing has to be applied before it."""
        if self._made:
            made, count, letters = self._made
            if made == traffic and count == items:
                return letters
            if made == traffic and count > items and not letters.before:
                return replace(letters, letters=letters.letters[:items])
        self._made = traffic, items, traffic.mix(items)
        return self._made[2]

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
        name = f"bench_{os.getpid()}_{next(_numbers)}"
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
        topics = (*EVENTS, ORDERS_OUTCOMES)
        journal = await read_all(installation.options, installation.prefix, topics)
        sent = [
            (dict(letter.headers)["ce_id"], letter.key, letter.value)
            for letter in (*mix.before, *mix.letters)
        ]
        entries = [entry for topic in topics for entry in journal[topic]]
        path = self.folder / f"{installation.name}.tape"
        effects = await recorded_effects.record(installation.database_url, sent, entries)
        recorded_effects.save(effects, path)
        return path
