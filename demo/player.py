"""Publish a script, in business time or with the clock held still, and wait for what it causes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from demo.facts import Fact, facts_in
from demo.groups import READS, Groups
from demo.script import CLAIM_ID, Script, ScriptMessage
from demo.watcher import Place, Watcher
from schemas.topics import CARRIER_TRACKING, CLAIMS_COMMANDS, ORDERS_COMMANDS, PORTAL_ACTIVITY
from services.runtime.clock import set_clock

CHUNK = 500
DEADLINE_SECONDS = 90.0
EXPIRY = timedelta(hours=1)
"""Longer than a command may wait for its order (15 minutes), shorter than tracking may."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A message whose answers are still to come."""

    message: ScriptMessage
    places: tuple[Place, ...]
    facts: tuple[Fact, ...] = ()
    cause: str | None = None

    def is_answered(self, watcher: Watcher) -> bool:
        """Whether everything the message asks for has been seen from outside."""
        if self.message.topic == PORTAL_ACTIVITY:
            return True  # Nothing answers it; that it was read, the offsets say.
        if self.message.topic == CARRIER_TRACKING:
            return self.places[0] in watcher.refused or watcher.facts.issuperset(self.facts)
        if self.message.topic == CLAIMS_COMMANDS and self.cause not in watcher.causes:
            outcome = watcher.outcomes.get(self.places[0], {"outcome": "applied"})
            if outcome["outcome"] == "applied":  # Its event is still to come.
                return False
        return all(watcher.is_answered(place) for place in self.places)


@dataclass(slots=True)
class Player:
    """Plays scripts on one installation. `step` is how much business time one go may cover.

    Played at once, `chunk` messages go out together, and `between` is called after each chunk:
    that is where faults come in.
    """

    options: Mapping[str, Any]
    prefix: str
    watcher: Watcher
    groups: Groups
    clock_file: Path
    step: timedelta = timedelta(hours=3)
    deadline_seconds: float = DEADLINE_SECONDS
    chunk: int = CHUNK
    between: Callable[[], Awaitable[None]] | None = None
    now: datetime | None = None
    services: tuple[str, ...] = tuple(READS)
    """Those that run; the end is waited for until they have read everything."""
    sent: int = 0
    later: list[Pending] = field(default_factory=list)
    lost: list[Pending] = field(default_factory=list)
    waiting: list[Pending] = field(default_factory=list)

    async def play(self, script: Script) -> None:
        """In business time: nothing is late or expired that was not so in the script.

        Raises:
            Unanswered: something was not answered in time.
        """
        async with self._producer() as producer:
            for messages in steps(script.messages, self.step):
                self._set_clock(max(message.at for message in messages))
                await self._go(producer, messages)
        await self._finish(script)

    async def play_at_once(self, script: Script) -> None:
        """As fast as it goes with the clock held still: for what comes in any order."""
        self._set_clock(script.ends_at)
        async with self._producer() as producer:
            others = [message for message in script.messages if message.topic != CLAIMS_COMMANDS]
            for start in range(0, len(others), self.chunk):
                sent = await self._publish(producer, others[start : start + self.chunk])
                self.later += [each for each in sent if not each.message.is_answered_in_time]
                if self.between:
                    await self.between()
            await self._await_later()
            await self._go(producer, [m for m in script.messages if m.topic == CLAIMS_COMMANDS])
        await self._finish(script)

    async def publish(self, messages: Sequence[ScriptMessage]) -> list[Pending]:
        """Only publish, as they come; the caller waits."""
        async with self._producer() as producer:
            return await self._publish(producer, messages)

    def _producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(acks="all", enable_idempotence=True, linger_ms=2, **self.options)

    async def _go(self, producer: AIOKafkaProducer, messages: Sequence[ScriptMessage]) -> None:
        """One step. Claims speak of what has happened, so they go out when the claims service
        has read everything that did.
        """
        claims = [message for message in messages if message.topic == CLAIMS_COMMANDS]
        others = [message for message in messages if message.topic != CLAIMS_COMMANDS]
        await self._answer_all(await self._publish(producer, others))
        if claims:
            await self.groups.until_read("claims", self.deadline_seconds)
        opening = [message for message in claims if not message.claim_opened_by]
        await self._answer_all(await self._publish(producer, opening))
        further = [message for message in claims if message.claim_opened_by]
        await self._answer_all(await self._publish(producer, self._about_claims(further)))

    async def _publish(
        self, producer: AIOKafkaProducer, messages: Sequence[ScriptMessage]
    ) -> list[Pending]:
        sending = [
            await producer.send(
                self.prefix + message.topic,
                message.value,
                message.key,
                headers=list(message.headers),
            )
            for message in messages
        ]
        placed = await asyncio.gather(*sending)
        self.sent += len(placed)
        return [
            pending(message, at.partition, at.offset)
            for message, at in zip(messages, placed, strict=True)
        ]

    async def _answer_all(self, sent: Iterable[Pending]) -> None:
        self.waiting = list(sent)
        self.later += [each for each in self.waiting if waits(each.message)]
        self.waiting = [each for each in self.waiting if not waits(each.message)]
        await self.watcher.until(
            lambda: self._open("waiting") == 0,
            lambda: described(self.waiting),
            self.deadline_seconds,
        )

    async def _await_later(self, *, is_over: bool = False) -> None:
        """Wait for what was to be answered later; `is_over` when waiting times have run out."""
        self.lost += [each for each in self.later if each.message.is_for_unknown]
        self.later = [each for each in self.later if not each.message.is_for_unknown]
        if is_over:
            self.later += [each for each in self.lost if each.message.topic != CARRIER_TRACKING]
        await self.watcher.until(
            lambda: self._open("later") == 0, lambda: described(self.later), self.deadline_seconds
        )

    def _open(self, name: str) -> int:
        unanswered = [each for each in getattr(self, name) if not each.is_answered(self.watcher)]
        setattr(self, name, unanswered)
        return len(unanswered)

    async def _finish(self, script: Script) -> None:
        """Let what waits for nothing run out of time, then wait until everybody has read all."""
        self._set_clock(max(script.ends_at, self.now or script.ends_at) + EXPIRY)
        await self._await_later(is_over=True)
        await self.groups.until_all_read(self.deadline_seconds, self.services)

    def _about_claims(self, messages: Sequence[ScriptMessage]) -> list[ScriptMessage]:
        """Put in the claims' ids, which their openings have made known."""
        named = []
        for message in messages:
            claim_id = self.watcher.causes[message.claim_opened_by or ""] or ""
            value = (message.value or b"").replace(CLAIM_ID.encode(), claim_id.encode())
            named.append(replace(message, value=value))
        return named

    def _set_clock(self, at: datetime) -> None:
        self.now = max(at, self.now or at)
        set_clock(self.clock_file, self.now)


def waits(message: ScriptMessage) -> bool:
    """Whether nothing answers the message for now."""
    return message.is_answered_later or message.is_for_unknown


def pending(message: ScriptMessage, partition: int, offset: int) -> Pending:
    """What must be seen before a message counts as done."""
    count = item_count(message) if message.topic == ORDERS_COMMANDS else 1
    return Pending(
        message=message,
        places=tuple((message.topic, partition, offset, index) for index in range(count)),
        facts=tuple(facts_in(message.value)) if message.topic == CARRIER_TRACKING else (),
        cause=dict(message.headers).get("ce_id", b"").decode(),
    )


def item_count(message: ScriptMessage) -> int:
    """How many items a command holds: a bulk command several."""
    if dict(message.headers).get("ce_type") != b"orders.fulfill_bulk":
        return 1
    return len(json.loads(message.value or b"")["items"])


def steps(messages: Sequence[ScriptMessage], step: timedelta) -> Iterator[list[ScriptMessage]]:
    """Cut into goes that cover at most `step`; one instant is never cut, nor does time go back.

    What must be answered in time ends its go, so that no later message comes before it.
    """
    going: list[ScriptMessage] = []
    latest: datetime | None = None
    for at, group in groupby(messages, key=lambda message: message.at):
        latest = max(at, latest or at)
        together = list(group)
        too_long = going and latest - going[0].at > step and at == latest
        if too_long or len(going) >= CHUNK:
            yield going
            going = []
        going += together
        if any(message.is_answered_in_time for message in together):
            yield going
            going = []
    if going:
        yield going


def described(waiting: Sequence[Pending]) -> str:
    """The first few unanswered messages, for a person."""
    places = [(each.cause, "/".join(map(str, each.places[0]))) for each in waiting[:5]]
    shown = "; ".join(f"{cause} at {place}" for cause, place in places)
    return f"{len(waiting)} messages are unanswered, first {shown}"
