"""The campaign: round after round of traffic under faults, and after each a look at everything."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import asyncpg

from chaos import plan
from chaos.checker.accepted import check_accepted
from chaos.checker.answers import judge_diary, judge_script
from chaos.checker.check import check
from chaos.checker.findings import LOST, Findings
from chaos.checker.ledger import Ledger
from chaos.checker.numbers import judge_case
from chaos.checker.reader import Reader
from chaos.checker.tables import Place, Tables
from chaos.checker.webhooks import WebhookLedger
from chaos.injection import Striker
from chaos.operators import Operators
from chaos.publishing import Publisher
from chaos.stage import Stage
from chaos.traffic import DIARY_SHOP, Traffic
from demo.groups import READS
from schemas.topics import CARRIER_TRACKING
from services.runtime.batch.items import FailureKind

SPREAD_SECONDS = 4.0
QUIET_WAIT_SECONDS = 60.0
"""Without any progress."""
QUIET_WAIT_MAX_SECONDS = 150.0
"""However much goes on: something may go round in circles."""
QUIET_SECONDS = 0.3
POLL_SECONDS = 0.1
UNREADY = "unready"
MENDED_EVERY = 4
"""Every so many rounds the bug that poison wakes is mended for a while."""


@dataclass(slots=True)
class Round:
    """What one round was."""

    number: int
    seconds: float = 0.0
    messages: int = 0
    kills: int = 0
    faults: list[str] = field(default_factory=list)
    missed: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """Of the whole campaign so far."""


@dataclass(slots=True)
class Campaign:
    """Plays rounds until all are played, or one finds something."""

    stage: Stage
    traffic: Traffic
    reader: Reader
    ledger: Ledger
    webhooks: WebhookLedger
    tables: Tables
    publisher: Publisher
    show: Callable[[Round], None]
    operators: Operators
    faults_of: Callable[[int], Sequence[plan.Fault]]
    """Of each round, by number."""
    is_exact: bool = False
    """Whether what is published twice is wrong too."""
    is_hasty: bool = False
    """Whether one finding is enough: nothing more is waited for then."""
    played: list[Round] = field(default_factory=list)
    points: Counter[str] = field(default_factory=Counter)

    @property
    def findings(self) -> Findings:
        """All that is wrong so far."""
        return self.ledger.findings

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong so far."""
        return self.findings.is_clean and not (self.is_exact and self.findings.repeats)

    @property
    def kills(self) -> int:
        """Processes killed with SIGKILL so far."""
        return sum(each.kills for each in self.played)

    async def run(self) -> None:
        """Every round, the last ones without faults to end what is begun, and a final look."""
        for number in range(1, self.traffic.last_round + 1):
            await self._play(number)
            if not self.is_clean:
                return
        self.stage.set_clock(self.traffic.last_round, after=1)  # Waiting times run out.
        await self._until_nothing_waits()
        await self._look(self.traffic.last_round, is_over=True)

    async def _play(self, number: int) -> None:
        began = time.monotonic()
        self.stage.set_clock(number)
        poisoned = self.traffic.poisoned()
        messages = self.traffic.round(number)
        is_mended = number % MENDED_EVERY == 0 or number > self.traffic.rounds
        faults = self.faults_of(number) if number <= self.traffic.rounds else ()
        rng = random.Random(f"strikes/{self.traffic.seed}/{number}")
        chance = random.Random(f"operators/{self.traffic.seed}/{number}")
        seconds = SPREAD_SECONDS if number <= self.traffic.rounds else 0.2
        before = self.publisher.sent
        self.operators.mend(is_mended=is_mended)
        struck, *_ = await asyncio.gather(
            Striker(self.stage, rng, self._has_read_all).strike(faults),
            self.publisher.publish(messages, seconds, self.ledger.causes),
            self.operators.act_in_the_storm(() if is_mended else poisoned, chance),
        )
        await self._until_no_crash_is_parked()
        if is_mended:
            await self._until_nothing_is_parked()
        await self._look(number)
        if self.is_clean:  # Else it is not sure that what should be parked is.
            await self.operators.act_in_peace(self.traffic.poisoned(), chance)
        self.points += struck.done
        done = Round(
            number=number,
            seconds=round(time.monotonic() - began, 1),
            messages=self.publisher.sent - before,
            kills=struck.kills,
            faults=[f"{fault.at_seconds:.1f} {fault}" for fault in faults],
            missed=dict(struck.missed),
            counts=self.findings.counts,
        )
        self.played.append(done)
        self.show(done)

    # Looking.

    async def _look(self, number: int, *, is_over: bool = False) -> None:
        """Wait for quiet and judge. What is published only in part is looked at a second time."""
        stuck = await self._until_quiet()
        if self._has_enough():
            return
        for text in stuck:
            self.findings.add(LOST, "stuck", text)
        kept, draft = self.findings, Findings()
        for attempt in (1, 2):
            self.ledger.findings = Findings()
            try:
                await self._judge(number, is_over=is_over)
                draft = self.ledger.findings
            finally:
                self.ledger.findings = kept
            if draft.is_clean or stuck or attempt == 2:
                break
            await self._until_quiet()
        kept.take_over(draft)
        self.ledger.touched.clear()
        for name in await self._unready():
            kept.add(UNREADY, name, self.stage.wards[name].health())
        if not kept.is_clean:
            await self._ask_for_tasks()

    async def _judge(self, number: int, *, is_over: bool) -> None:
        await check(self.ledger, self.tables, everything=is_over)
        check_accepted(self.ledger, self.publisher.gateway.accepted)
        self.webhooks.check()
        for diary in self.traffic.diaries:
            judge_diary(self.ledger, DIARY_SHOP, diary.number, diary.cities, diary.behind)
        for answer in self.traffic.case_answers(number, is_over=is_over):
            judge_case(self.ledger, answer, is_over=is_over)
        scripts = self.traffic.scripts if is_over else self.traffic.complete_after(number)
        for at, script in scripts.items():
            judge_script(self.ledger, script, f"shop-{at}", is_over=is_over)

    async def _until_quiet(self) -> list[str]:
        """Wait until everybody has read all and published all; returns who did not in time."""
        began = progressed_at = time.monotonic()
        before: object = None
        while True:
            behind = await self._behind()
            if not behind or self._has_enough():
                return []
            now, state = time.monotonic(), (behind, self.reader.changed_at)
            if state != before:
                progressed_at, before = now, state
            if now - progressed_at > QUIET_WAIT_SECONDS or now - began > QUIET_WAIT_MAX_SECONDS:
                return behind
            await asyncio.sleep(POLL_SECONDS)

    def _has_enough(self) -> bool:
        """Whether to look no further."""
        return self.is_hasty and not self.is_clean

    async def _behind(self) -> list[str]:
        """What is not yet done, as texts."""
        self.stage.receivers.raise_errors()
        if not await self.reader.has_read_all():
            return ["the outside reader has not read all that is there"]
        if time.monotonic() - self.reader.changed_at < QUIET_SECONDS:
            return ["records still come in"]
        try:
            positions = await self.tables.positions()
            unpublished = await self.tables.unpublished()
            undelivered = await self.tables.undelivered()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return [f"Postgres does not answer: {error!r}"]
        behind = [text for service in READS for text in self._unread(service, positions)]
        rows = {"in outboxes": unpublished, "for webhooks": undelivered}
        return behind + [f"{count} rows {where}" for where, count in rows.items() if count]

    async def _has_read_all(self, service: str) -> bool:
        return not self._unread(service, await self.tables.positions())

    def _unread(self, service: str, positions: Mapping[tuple[str, str, int], int]) -> list[str]:
        return [
            f"{service} is at {positions.get((service, topic, partition))} of {end} in "
            f"{topic}[{partition}]"
            for (topic, partition), end in self.reader.ends.items()
            if topic in READS[service] and positions.get((service, topic, partition), 0) < end
        ]

    async def _until_no_crash_is_parked(self) -> None:
        """What three strikes hit at the same record is parked unread, for an operator to retry.

        What it lets out may be hit in another service; what stands behind poison stays.
        """
        before: set[tuple[str, Place]] = set()
        while not await self._until_quiet():
            parked = await self.tables.parked()
            crashes = {
                (each.service, each.place) for each in parked if each.kind == FailureKind.CRASH
            }
            if crashes <= before:
                return
            await self.operators.retry_crashes(parked, self.traffic.poisoned())
            before = crashes

    async def _until_nothing_is_parked(self) -> None:
        """Without the bug everything heals by itself: the services try again."""
        deadline = time.monotonic() + QUIET_WAIT_SECONDS
        while time.monotonic() < deadline:
            parked = await self.tables.parked()
            if not parked:
                break
            # A crash that stood behind poison is the first of its line now.
            await self.operators.retry_crashes(parked, self.traffic.poisoned())
            await asyncio.sleep(POLL_SECONDS)
        for diary in self.traffic.poisoned():
            diary.retried()

    async def _until_nothing_waits(self) -> None:
        """Commands that wait for nothing are refused when their time is over."""
        deadline = time.monotonic() + QUIET_WAIT_SECONDS
        while time.monotonic() < deadline:
            waiting = await self.tables.waiting()
            if not any(each.place[0] != CARRIER_TRACKING for each in waiting):
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _ask_for_tasks(self) -> None:
        """Have every replica write down what it is waiting for."""
        for ward in self.stage.wards.values():
            ward.send(signal.SIGUSR1)
        await asyncio.sleep(1.0)

    async def _unready(self) -> list[str]:
        """Replicas that do not turn green again."""
        wards = self.stage.wards
        deadline = time.monotonic() + QUIET_WAIT_SECONDS
        waiting = list(wards)
        while waiting and time.monotonic() < deadline:
            ready = await asyncio.gather(
                *(asyncio.to_thread(wards[name].is_ready) for name in waiting)
            )
            waiting = [name for name, is_ready in zip(waiting, ready, strict=True) if not is_ready]
            if waiting:
                await asyncio.sleep(POLL_SECONDS)
        return waiting


def as_json(round_: Round) -> dict[str, object]:
    """For the report."""
    return asdict(round_)
