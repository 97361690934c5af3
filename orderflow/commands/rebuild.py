"""`orderflow rebuild`: empty a service's tables, to be filled again from events."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from aiokafka import TopicPartition

from orderflow.console.audit_options import By, DryRun, Why, sign
from orderflow.console.databases import opened
from orderflow.console.environment import load_settings
from orderflow.console.terminal import CommandError, WrongArgument, out, run
from orderflow.console.unread import count_unread
from schemas.topics import TOPICS
from services import registry
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.kafka.topics import partitions_of
from services.runtime.operations import audit
from services.runtime.operations import rebuild as rebuilding
from services.runtime.operations.audit import Act, Signature
from services.runtime.operations.partition_admin import PartitionAdmin
from services.runtime.postgres.connections import Connection, transaction

ACT = "service.rebuild"
LOOK_AGAIN_SECONDS = 0.2
WAIT_SECONDS = 60.0

Empty = Callable[[Connection, datetime], Awaitable[dict[str, int]]]


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """What was asked for on the command line."""

    service: str
    signature: Signature
    is_try: bool
    wait_seconds: float


def rebuild(
    service: Annotated[
        str,
        typer.Argument(metavar="SERVICE", help=f"One of {', '.join(registry.can_be_emptied())}."),
    ],
    dry_run: DryRun = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Most seconds to wait for what must be read before.")
    ] = WAIT_SECONDS,
    by: By = None,
    why: Why = None,
) -> None:
    """Empty the tables of a stopped service that events fill again. Start the service then.

    Claims and analytics are filled by `orderflow republish --all`, after the start. For claims,
    orders must run: the events of claims are published and read by orders first, because the
    rebuild is filled from there. Which commands were applied is read from the topics of claims.

    Of deliveries, the bodies of events that wait are read from the topics, and all others are
    deleted. Destinations, what waits and its order stay.

    Positions, waiting, parked and rejected items stay.

    Example: `orderflow rebuild claims --why 'restored from a backup'`
    """
    if service not in registry.can_be_emptied():
        known = " and ".join(sorted(registry.can_be_emptied()))
        raise WrongArgument(f"{service} cannot be rebuilt; {known} can")
    wanted = RebuildOptions(service, sign(by, why, is_try=dry_run), dry_run, wait)
    emptied = run(_rebuild(load_settings(), wanted))
    counts = " ".join(f"{name}={count}" for name, count in emptied.items())
    tried = " dry_run=yes" if dry_run else ""
    out.print(f"rebuild: service={service} {counts}{tried}", markup=False)
    if not dry_run:
        is_filled_later = registry.entry_of(service).needs_snapshots
        then = ", then run `orderflow republish --all --why '…'`" if is_filled_later else ""
        out.print(f"Now start {service}{then}.", markup=False)


async def _rebuild(settings: Settings, wanted: RebuildOptions) -> dict[str, int]:
    entry = registry.entry_of(wanted.service)
    empty: Empty = registry.load(entry.empty or "")
    async with opened(settings, wanted.service) as connection:
        await _refuse_while_it_runs(connection, wanted.service)
        if entry.copied_by and not wanted.is_try:
            await _until_copied(settings, connection, wanted, entry.copied_by)
        async with transaction(connection, is_trial=wanted.is_try):
            await rebuilding.hold_batches(connection)
            await _refuse_while_it_runs(connection, wanted.service)
            if entry.copied_by and not wanted.is_try:
                await _refuse_while_unpublished(connection, wanted.service)
            recalled = await _recall(settings, connection, entry.recall)
            emptied = await empty(connection, clock_of(settings).now())
            await audit.write(connection, [_act(wanted, emptied, recalled)])
        return emptied | recalled


async def _recall(settings: Settings, connection: Connection, path: str | None) -> dict[str, int]:
    """What the service reads from topics before its tables are emptied, in numbers to show."""
    if path is None:
        return {}
    recalled: rebuilding.Recalled = await registry.load(path)(settings, connection)
    found = {"recalled_items": recalled.items}
    return found | ({"unreadable": recalled.unreadable} if recalled.unreadable else {})


def _act(wanted: RebuildOptions, emptied: Mapping[str, int], recalled: Mapping[str, int]) -> Act:
    detail = {"rows": emptied, **recalled}
    return Act(ACT, wanted.signature.actor, wanted.signature.reason, detail=detail)


async def _refuse_while_it_runs(connection: Connection, service: str) -> None:
    running = await rebuilding.count_replicas(connection, service)
    if running:
        raise CommandError(
            f"{service} runs ({running} of it): stop every replica of it first (docs/restoring.md; "
            "`orderflow up` runs all services in one process)"
        )


async def _refuse_while_unpublished(connection: Connection, service: str) -> None:
    """Refuse when an operator's act on parked items has added events since the others were read."""
    if await rebuilding.has_unsent(connection):
        raise CommandError(
            f"{service} has new events to publish: run this again; nothing was emptied"
        )


async def _until_copied(
    settings: Settings, connection: Connection, wanted: RebuildOptions, copied_by: str
) -> None:
    """Publish what the service's outbox holds, and wait until `copied_by` has read its events."""
    deadline = time.monotonic() + wanted.wait_seconds
    try:
        async with asyncio.timeout(wanted.wait_seconds):
            await rebuilding.publish_rest(connection, settings, wanted.service)
    except TimeoutError:
        raise CommandError(
            f"after {wanted.wait_seconds:.0f} s events of {wanted.service} are not published: see "
            "why Kafka does not take them, and run this again; nothing was emptied"
        ) from None
    async with opened(settings, copied_by) as reader:
        for topic in _topics_between(wanted.service, copied_by):
            await _until_read(settings, reader, topic, copied_by, deadline)


def _topics_between(writer: str, reader: str) -> list[str]:
    return [t.name for t in TOPICS.values() if writer in t.writers and reader in t.readers]


async def _until_read(
    settings: Settings, reader: Connection, topic: str, service: str, deadline: float
) -> None:
    """Wait until `service` has applied all records of the topic, and parked none of them."""
    while unread := await _count_unread(settings, reader, topic, service):
        if time.monotonic() > deadline:
            raise CommandError(
                f"{service} has not read {unread} records of {topic}: it must run, with "
                "no partition of it stopped; wait and run this again; nothing was emptied"
            )
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
    parked = await reader.fetchval(rebuilding.SQL["count_parked_of"], topic)
    if parked:
        raise CommandError(
            f"{parked} records of {topic} are parked with {service}: `orderflow parked list "
            f"--service {service}` shows them; end them first; nothing was emptied"
        )


async def _count_unread(settings: Settings, reader: Connection, name: str, service: str) -> int:
    """Records of a topic that the service has not applied; also of partitions it never read."""
    topic = settings.topic(name)
    acts = PartitionAdmin(reader, settings.consumer_group(service), settings.kafka_topic_prefix)
    stands = {s.partition: s.next_offset for s in await acts.standing()}
    numbers = await partitions_of(settings, topic)
    if not numbers:
        raise CommandError(f"Kafka has no topic {topic}: run `orderflow topics create`")
    partitions = [TopicPartition(topic, number) for number in numbers]
    found = await count_unread(settings, {each: stands.get(each, 0) for each in partitions})
    return sum(found.values())
