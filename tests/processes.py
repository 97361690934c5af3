"""The whole system for tests: replicas as processes, a player in front, a watcher behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from demo.audit import Audit, audit
from demo.comparison import differences
from demo.groups import Groups
from demo.installation import Installation, installation_of
from demo.player import Pending, Player, described, waits
from demo.replicas import Replica, replicas, start_all, stop_all
from demo.run import ailments, differing_totals, report, stage
from demo.script import Script, ScriptMessage
from demo.watcher import Watcher
from deploy.stack import Addresses
from schemas.topics import CLAIMS_COMMANDS
from services.runtime.clock import set_clock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANSWER_SECONDS = 60.0

Variables = Mapping[str, str] | Callable[[Installation], Awaitable[Mapping[str, str]]]


@dataclass(slots=True)
class System:
    """One installation that runs."""

    installation: Installation
    replicas: list[Replica]
    player: Player

    @property
    def watcher(self) -> Watcher:
        """What has been seen from outside."""
        return self.player.watcher

    @property
    def groups(self) -> Groups:
        """How far the services have read."""
        return self.player.groups

    @property
    def _services(self) -> tuple[str, ...]:
        return tuple({replica.service for replica in self.replicas})

    def of(self, service: str) -> list[Replica]:
        """The replicas of one service."""
        return [replica for replica in self.replicas if replica.service == service]

    async def send(self, *messages: ScriptMessage) -> list[Pending]:
        """Publish messages in one go and wait until each that does not wait itself is answered."""
        pending = await self.player.publish(messages)
        await self.answered([each for each in pending if not waits(each.message)])
        return pending

    async def send_early(self, *messages: ScriptMessage) -> list[Pending]:
        """Publish what must wait, and see that it was read and nothing answered it."""
        pending = await self.player.publish(messages)
        for service in {
            "claims" if message.topic == CLAIMS_COMMANDS else "orders" for message in messages
        }:
            await self.groups.until_read(service, ANSWER_SECONDS)
        assert not any(each.is_answered(self.watcher) for each in pending)
        return pending

    async def answered(self, pending: Sequence[Pending], seconds: float = ANSWER_SECONDS) -> None:
        """Wait until every message is answered."""
        await self.watcher.until(
            lambda: all(each.is_answered(self.watcher) for each in pending),
            lambda: f"{self._unanswered(pending)}\n{ailments(self.replicas)}",
            seconds,
        )

    def _unanswered(self, pending: Sequence[Pending]) -> str:
        return described([each for each in pending if not each.is_answered(self.watcher)])

    def outcome(self, pending: Pending, index: int = 0) -> tuple[str, str | None]:
        """What a command item became, and why."""
        found = self.watcher.outcomes[pending.places[index]]
        return found["outcome"], found["reason"]

    async def refusal(self, pending: Pending, index: int = 0) -> Mapping[str, Any]:
        """The record on `*.rejected` for an item, waited for: tracking has no outcome before it."""
        place = pending.places[index]
        await self.watcher.until(
            lambda: place in self.watcher.refused,
            lambda: f"no refusal of {place}",
            ANSWER_SECONDS,
        )
        return self.watcher.refused[place]

    def let_pass(self, span: timedelta) -> datetime:
        """Move business time on."""
        assert self.player.now is not None
        self.player.now += span
        set_clock(self.installation.clock_file, self.player.now)
        return self.player.now

    async def judge(self, script: Script) -> Audit:
        """Compare what topics and the report say with the script's right answer.

        Raises:
            AssertionError: with what is wrong.
        """
        found = await self.audit()
        wrong = differences(script.expectation, found)
        wrong += differing_totals(script.expectation.totals, await report(self.installation))
        assert not wrong, "\n".join(wrong[:20])
        return found

    async def audit(self) -> Audit:
        """Count from outside, when all have read all; nothing may be lost, doubled or reordered.

        Raises:
            AssertionError: something is.
        """
        await self.groups.until_all_read(ANSWER_SECONDS, self._services)
        found = await audit(self.installation.options, self.installation.prefix)
        assert found.is_clean, found.summary()
        return found

    async def ask(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Run a statement on the database, as its owner. For faults, never for right answers."""
        connection = await asyncpg.connect(self.installation.database_url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()


@asynccontextmanager
async def running(
    addresses: Addresses,
    folder: Path,
    *,
    copies: int = 2,
    environment: Variables | None = None,
    at: datetime = NOON,
    only: Sequence[str] = (),
) -> AsyncIterator[System]:
    """Six partitions and `copies` replicas of each service, all ready; gone afterwards.

    `environment` is of the replicas; a function makes it when the database is there.
    `only` names services where not all three are wanted.
    """
    installation = installation_of(addresses, folder)
    await installation.create()
    given = await environment(installation) if callable(environment) else environment
    variables = {**installation.environment, **(given or {})}
    every = replicas(folder / "logs", variables, copies)
    wanted = [replica for replica in every if not only or replica.service in only]
    try:
        async with stage(installation, at) as player:
            player.services = tuple({replica.service for replica in wanted})
            await asyncio.to_thread(start_all, wanted)
            yield System(installation, wanted, player)
    finally:
        await asyncio.to_thread(stop_all, wanted)
        await installation.drop()
