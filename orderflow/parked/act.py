"""Acts on parked items: in steps, each one transaction with its entry in the audit.

A dry run is one transaction over all steps, and is rolled back. This process decides the items with
the service's own code; the running service publishes the events.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

import asyncpg

from orderflow.console.originals import value_as_json
from orderflow.console.terminal import CommandError
from orderflow.console.unlogged import unlogged
from services import registry
from services.runtime.batch.batch import ApplyBatch
from services.runtime.batch.items import WHOLE, FailureKind, Parked, QueuePosition, RetryResult
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.observability.metrics import Metrics
from services.runtime.operations import audit
from services.runtime.operations.audit import Act, Signature
from services.runtime.outbox import shard_count
from services.runtime.parking import operations
from services.runtime.parking.operations import Result, Target
from services.runtime.parking.selection import ParkedSelection
from services.runtime.postgres.connections import Connection, transaction
from services.runtime.retry import backoff_seconds, is_contention

TRIES = 5
TRIED_MAX = 2_000
"""A dry run locks every order that it reports, so it ends after so many items."""


class Verb(StrEnum):
    """The acts, by their names on the command line."""

    RETRY = "retry"
    SKIP = "skip"
    DISCARD = "discard"
    EDIT = "edit-and-retry"

    @property
    def act(self) -> str:
        """The act's name in the audit."""
        return f"parked.{self}"


@dataclass(frozen=True, slots=True)
class ActResult:
    """The result of an act on one parked item, or on a record that was parked before decoding."""

    service: str
    act: str
    parked: Parked
    became: Counter[str]
    detail: str | None

    @property
    def outcome(self) -> str | dict[str, int]:
        """One outcome (`applied`, `parked`, …); of several items, how many had each outcome."""
        return next(iter(self.became)) if len(self.became) == 1 else dict(self.became)

    @property
    def stays(self) -> bool:
        """Whether the item keeps its position, untried.

        A record parked before decoding does not once it is decoded: its items take its position.
        """
        return set(self.became) == {"behind"} and self.parked.index != WHOLE


@dataclass(slots=True)
class ParkedAct:
    """One run of an act: `value` replaces the item's, `untried` counts what a dry run left out."""

    settings: Settings
    verb: Verb
    signature: Signature
    is_try: bool
    value: bytes | None = None
    untried: int = 0

    async def run(
        self, connection: Connection, service: str, selection: ParkedSelection
    ) -> AsyncIterator[ActResult]:
        """Act on items of one service; each result is yielded after its step is committed.

        Raises:
            CommandError: the next step is not possible; the text says why.
        """
        apply = apply_of(service, self.settings)
        await _share_the_shards(connection, service, self.settings.outbox_shards)
        if self.is_try:
            for each in await self._tried(connection, apply, service, selection):
                yield each
            return
        target: Target | None = selection
        while target is not None:
            result = await self._step(connection, apply, service, target)
            for each in self._results(service, result):
                yield each
            target = result.remainder

    async def _tried(
        self, connection: Connection, apply: ApplyBatch, service: str, selection: ParkedSelection
    ) -> list[ActResult]:
        """The results of a dry run, returned after its transaction has ended.

        A person who pages through them must not hold locks on orders meanwhile.
        """
        results: list[ActResult] = []
        target: Target | None = selection
        tried = 0
        async with transaction(connection, is_trial=True):
            while target is not None:
                result = await self._step(connection, apply, service, target)
                results += self._results(service, result)
                target, tried = result.remainder, tried + len(result.items)
                if result.remainder and tried >= TRIED_MAX:
                    self.untried += result.remainder.count
                    break
        return results

    async def _step(
        self, connection: Connection, apply: ApplyBatch, service: str, target: Target
    ) -> Result:
        """Run one step in one transaction; repeat it after a conflict with another transaction."""
        for attempt in range(TRIES):
            try:
                with unlogged():
                    async with connection.transaction():
                        result = await self._act(connection, apply, target)
                        if not self.is_try:
                            await audit.write(connection, list(self._acts(service, result)))
                    return result
            except operations.NotOneItem:
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
            f"{self.settings.database_lock_timeout_seconds:g}; items not listed above were not "
            "changed: try again"
        ) from None

    async def _act(self, connection: Connection, apply: ApplyBatch, target: Target) -> Result:
        now, why = clock_of(self.settings).now(), self.signature.reason
        match self.verb:
            case Verb.SKIP:
                return await operations.skip(connection, apply, target, now=now, detail=why)
            case Verb.DISCARD:
                return await operations.discard(connection, apply, target, now=now, detail=why)
            case Verb.EDIT if isinstance(target, ParkedSelection):
                value = self.value or b""
                return await operations.edit_and_retry(
                    connection, apply, target, now=now, value=value
                )
            case _:
                return await operations.retry(connection, apply, target, now=now)

    # Results, and their entries in the audit.

    def _results(self, service: str, result: Result) -> Iterator[ActResult]:
        """One result for each item, in queue order."""
        became: dict[QueuePosition, Counter[str]] = {}
        last: dict[QueuePosition, RetryResult] = {}
        for each in result.items:
            position = each.parked.position
            became.setdefault(position, Counter())[each.became] += 1
            last[position] = each
        for position, each in last.items():
            is_meant = self.verb is Verb.DISCARD or position in result.chosen
            act = self.verb.act if is_meant else Verb.RETRY.act
            yield ActResult(service, act, each.parked, became[position], each.detail)

    def _acts(self, service: str, result: Result) -> Iterator[Act]:
        """One act for each item that was tried or ended; an unchanged item has none."""
        before = result.before
        for each in self._results(service, result):
            at, parked = each.parked.original.coordinates, each.parked
            is_edited = before is not None and before.position == parked.position
            if each.stays and not is_edited:
                continue
            detail = _detail(each, self.verb)
            if is_edited and before is not None:
                detail["value_before"] = _keepable(before.original.value)
            yield Act(
                each.act,
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
    handler = registry.load(registry.entry_of(service).handler or "")
    apply: ApplyBatch = handler(settings, Metrics()).apply
    return apply


async def _share_the_shards(connection: Connection, service: str, count: int) -> None:
    """Check the number of shards first: a wrong one would look like a failure of the items."""
    try:
        await shard_count.hold(connection, service, count)
    except shard_count.ShardCountDiffers as error:
        raise CommandError(f"this is not the setting that {service} runs with: {error}") from None


def _detail(each: ActResult, verb: Verb) -> dict[str, Any]:
    """Facts of the item that are stored nowhere else after it has left the queue."""
    failure = each.parked.failure
    detail: dict[str, Any] = {
        "place": str(each.parked.position),
        "kind": failure.kind,
        "became": each.outcome,
        "detail": each.detail,
    }
    if failure.kind is not FailureKind.BEHIND:
        detail["error"] = failure.error
    if each.act != verb.act:
        detail["along_with"] = verb.act
    return detail


def _keepable(value: bytes | None) -> dict[str, str] | None:
    """The value in a form that jsonb can store: jsonb cannot hold NUL, not even escaped."""
    if value is not None and b"\x00" in value:
        return {"encoding": "base64", "value": base64.b64encode(value).decode()}
    return value_as_json(value)
