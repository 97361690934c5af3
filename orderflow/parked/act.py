"""What an operator does about parked items: in steps, each a transaction that is written down.

A try is one transaction over all its steps, and is rolled back. What is decided is decided by this
process, with the service's own code; the running service publishes what follows.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

import asyncpg
import structlog

from orderflow.console.audit_options import Signature
from orderflow.console.originals import value_as_json
from orderflow.console.terminal import CommandError
from services import registry
from services.runtime.batch.batch import ApplyBatch
from services.runtime.batch.items import WHOLE, Kind, Parked, QueuePosition, RetryResult
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.operations import audit
from services.runtime.operations.audit import Act
from services.runtime.outbox import shard_count
from services.runtime.parking import operations
from services.runtime.parking.operations import Meant, Result
from services.runtime.parking.selection import Selection
from services.runtime.postgres.connections import Connection, transaction
from services.runtime.retry import backoff_seconds, is_contention

TRIES = 5
TRIED_MAX = 2_000
"""A try holds the locks of all it tells of, so it ends after so many items."""


class Verb(StrEnum):
    """The acts, as they are called on the command line."""

    RETRY = "retry"
    SKIP = "skip"
    DISCARD = "discard"
    EDIT = "edit-and-retry"

    @property
    def act(self) -> str:
        """Its name in the audit."""
        return f"parked.{self}"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one parked item; a record that was parked unread has several items."""

    service: str
    act: str
    parked: Parked
    became: Counter[str]
    detail: str | None

    @property
    def outcome(self) -> str | dict[str, int]:
        """What it became, in one word; of several items, how many became what."""
        return next(iter(self.became)) if len(self.became) == 1 else dict(self.became)

    @property
    def stays(self) -> bool:
        """Whether it stands where it stood, untried. A record parked unread does not, once it was
        read: its items stand there instead.
        """
        return set(self.became) == {"behind"} and self.parked.index != WHOLE


@dataclass(slots=True)
class Doing:
    """One run of an act. `value` is what an edit puts in; `untried` what a try did not come to."""

    settings: Settings
    verb: Verb
    signature: Signature
    is_try: bool
    value: bytes | None = None
    untried: int = 0

    async def run(
        self, connection: Connection, service: str, selection: Selection
    ) -> AsyncIterator[Fate]:
        """Act on one service's items, step by step; what was told is done.

        Raises:
            CommandError: what is in the way of the next step.
        """
        apply = apply_of(service, self.settings)
        await _share_the_shards(connection, service, self.settings.outbox_shards)
        if self.is_try:
            for fate in await self._tried(connection, apply, service, selection):
                yield fate
            return
        meant: Meant | None = selection
        while meant is not None:
            result = await self._step(connection, apply, service, meant)
            for fate in self._fates(service, result):
                yield fate
            meant = result.rest

    async def _tried(
        self, connection: Connection, apply: ApplyBatch, service: str, selection: Selection
    ) -> list[Fate]:
        """What would become of the items. Told only when the transaction is over: who reads it
        slowly, page by page, must not hold the locks of the orders meanwhile.
        """
        fates: list[Fate] = []
        meant: Meant | None = selection
        tried = 0
        async with transaction(connection, is_trial=True):
            while meant is not None:
                result = await self._step(connection, apply, service, meant)
                fates += self._fates(service, result)
                meant, tried = result.rest, tried + len(result.items)
                if result.rest and tried >= TRIED_MAX:
                    self.untried += result.rest.count
                    break
        return fates

    async def _step(
        self, connection: Connection, apply: ApplyBatch, service: str, meant: Meant
    ) -> Result:
        """One transaction, begun anew where another one was in its way."""
        for attempt in range(TRIES):
            try:
                with _unlogged():
                    async with connection.transaction():
                        result = await self._act(connection, apply, meant)
                        if not self.is_try:
                            await audit.write(connection, list(self._acts(service, result)))
                    return result
            except operations.NotOne:
                raise CommandError("the item is parked no longer: nothing was done") from None
            except asyncpg.LockNotAvailableError:
                self._give_up()
            except Exception as error:
                if not (
                    is_contention(error) or isinstance(error, asyncpg.TransactionRollbackError)
                ):
                    raise
                await asyncio.sleep(backoff_seconds(attempt))
        raise CommandError(f"others changed the same orders {TRIES} times meanwhile: try again")

    def _give_up(self) -> NoReturn:
        raise CommandError(
            "the queue, or an order in it, is locked by another transaction, such as another act "
            "or the service's own retry. Waited for DATABASE_LOCK_TIMEOUT_SECONDS="
            f"{self.settings.database_lock_timeout_seconds:g}; what is not told of above was not "
            "done: try again"
        ) from None

    async def _act(self, connection: Connection, apply: ApplyBatch, meant: Meant) -> Result:
        now, why = clock_of(self.settings).now(), self.signature.reason
        match self.verb:
            case Verb.SKIP:
                return await operations.skip(connection, apply, meant, now=now, detail=why)
            case Verb.DISCARD:
                return await operations.discard(connection, apply, meant, now=now, detail=why)
            case Verb.EDIT if isinstance(meant, Selection):
                value = self.value or b""
                return await operations.edit_and_retry(
                    connection, apply, meant, now=now, value=value
                )
            case _:
                return await operations.retry(connection, apply, meant, now=now)

    # What became of them, and who did it.

    def _fates(self, service: str, result: Result) -> Iterator[Fate]:
        """One for each item, in the order of the queue."""
        became: dict[QueuePosition, Counter[str]] = {}
        last: dict[QueuePosition, RetryResult] = {}
        for each in result.items:
            place = each.parked.place
            became.setdefault(place, Counter())[each.became] += 1
            last[place] = each
        for place, each in last.items():
            is_meant = self.verb is Verb.DISCARD or place in result.chosen
            act = self.verb.act if is_meant else Verb.RETRY.act
            yield Fate(service, act, each.parked, became[place], each.detail)

    def _acts(self, service: str, result: Result) -> Iterator[Act]:
        """What was tried or ended, item by item; an item that stays as it is has no act."""
        before = result.before
        for fate in self._fates(service, result):
            at, parked = fate.parked.original.coordinates, fate.parked
            is_edited = before is not None and before.place == parked.place
            if fate.stays and not is_edited:
                continue
            detail = _detail(fate, self.verb)
            if is_edited and before is not None:
                detail["value_before"] = _keepable(before.original.value)
            yield Act(
                fate.act,
                self.signature.actor,
                self.signature.reason,
                at.topic,
                at.partition,
                at.offset,
                parked.index,
                detail,
            )


def apply_of(service: str, settings: Settings) -> ApplyBatch:
    """What a service does with a batch. Imported late: to look at items needs none of it."""
    handler = registry.load(registry.entry_of(service).handler)
    apply: ApplyBatch = handler(settings, Metrics()).apply
    return apply


async def _share_the_shards(connection: Connection, service: str, count: int) -> None:
    """Else the outbox refuses what follows, and that would be taken for the items' own failure."""
    try:
        await shard_count.share(connection, service, count)
    except shard_count.ShardsDiffer as error:
        raise CommandError(f"this is not the setting that {service} runs with: {error}") from None


@contextmanager
def _unlogged() -> Iterator[None]:
    """Decisions tell the log what is told on the screen and in the audit here."""
    before = structlog.get_config()
    structlog.configure(processors=[_drop])
    try:
        yield
    finally:
        structlog.configure(**before)


def _drop(*_: object) -> NoReturn:
    raise structlog.DropEvent


def _detail(fate: Fate, verb: Verb) -> dict[str, Any]:
    """What can be read nowhere else once the item has left the queue."""
    failure = fate.parked.failure
    told: dict[str, Any] = {
        "place": str(fate.parked.place),
        "kind": failure.kind,
        "became": fate.outcome,
        "detail": fate.detail,
    }
    if failure.kind is not Kind.BEHIND:
        told["error"] = failure.error
    if fate.act != verb.act:
        told["along_with"] = verb.act
    return told


def _keepable(value: bytes | None) -> dict[str, str] | None:
    """The value as jsonb can hold it: NUL has no place there, not even escaped."""
    if value is not None and b"\x00" in value:
        return {"encoding": "base64", "value": base64.b64encode(value).decode()}
    return value_as_json(value)
