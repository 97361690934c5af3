"""`orderflow rebuild`: empty a service's tables, to be filled again from snapshots."""

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
from schemas.topics import CLAIMS_EVENTS
from services.analytics.operations import rebuild as analytics
from services.claims.operations import rebuild as claims
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
EMPTY: Mapping[str, Empty] = {"claims": claims.empty, "analytics": analytics.empty}


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """What was asked for on the command line."""

    service: str
    signature: Signature
    is_try: bool
    wait_seconds: float


def rebuild(
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="claims or analytics.")],
    dry_run: DryRun = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Most seconds to wait for what must be read before.")
    ] = WAIT_SECONDS,
    by: By = None,
    why: Why = None,
) -> None:
    """Empty the tables of a stopped service; start it and run `orderflow republish --all` then.

    For claims, orders must run: events of claims are published and read by orders first, because
    claims are rebuilt from the snapshots of orders. Positions, waiting, parked and rejected items
    stay.

    Example: `orderflow rebuild claims --why 'restored from a backup'`
    """
    if service not in EMPTY:
        raise WrongArgument(f"{service} cannot be rebuilt; {' and '.join(sorted(EMPTY))} can")
    wanted = RebuildOptions(service, sign(by, why, is_try=dry_run), dry_run, wait)
    emptied = run(_rebuild(load_settings(), wanted))
    rows = " ".join(f"{table}={count}" for table, count in emptied.items())
    tried = " dry_run=yes" if dry_run else ""
    out.print(f"rebuild: service={service} {rows}{tried}", markup=False)
    if not dry_run:
        out.print(
            f"Now start {service}, then run `orderflow republish --all --why '…'`.", markup=False
        )


async def _rebuild(settings: Settings, wanted: RebuildOptions) -> dict[str, int]:
    async with opened(settings, wanted.service) as connection:
        await _refuse_while_it_runs(connection, wanted.service)
        if wanted.service == "claims" and not wanted.is_try:
            await _until_all_is_with_orders(settings, connection, wanted.wait_seconds)
        async with transaction(connection, is_trial=wanted.is_try):
            await rebuilding.hold_batches(connection)
            await _refuse_while_it_runs(connection, wanted.service)
            await _refuse_while_unpublished(connection, wanted)
            emptied = await EMPTY[wanted.service](connection, clock_of(settings).now())
            await audit.write(connection, [_act(wanted, emptied)])
        return emptied


def _act(wanted: RebuildOptions, emptied: Mapping[str, int]) -> Act:
    return Act(ACT, wanted.signature.actor, wanted.signature.reason, detail={"rows": emptied})


async def _refuse_while_it_runs(connection: Connection, service: str) -> None:
    running = await rebuilding.count_replicas(connection, service)
    if running:
        raise CommandError(f"{service} runs ({running} of it): stop every replica of it first")


async def _refuse_while_unpublished(connection: Connection, wanted: RebuildOptions) -> None:
    """An act on parked items may have written events since orders had read all of them."""
    if wanted.service == "claims" and not wanted.is_try and await rebuilding.has_unsent(connection):
        raise CommandError(
            "claims has unpublished events again: run this once more; nothing was emptied"
        )


async def _until_all_is_with_orders(
    settings: Settings, connection: Connection, wait_seconds: float
) -> None:
    """Publish the remaining events of claims, and wait until orders has read all of them."""
    deadline = time.monotonic() + wait_seconds
    try:
        async with asyncio.timeout(wait_seconds):
            await rebuilding.publish_rest(connection, settings, "claims")
    except TimeoutError:
        raise CommandError(
            f"after {wait_seconds:.0f} s events of claims are not published: see why Kafka does "
            "not take them, and run this again; nothing was emptied"
        ) from None
    async with opened(settings, "orders") as orders:
        while unread := await _count_unread(settings, orders):
            if time.monotonic() > deadline:
                raise CommandError(
                    f"orders has not read {unread} records of {CLAIMS_EVENTS}: it must run, with "
                    "no partition of it stopped; wait and run this again; nothing was emptied"
                )
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        parked = await orders.fetchval(rebuilding.SQL["count_parked_of"], CLAIMS_EVENTS)
        if parked:
            raise CommandError(
                f"{parked} events of claims are parked with orders: `orderflow parked list "
                f"--service orders` shows them; end them first; nothing was emptied"
            )


async def _count_unread(settings: Settings, orders: Connection) -> int:
    """Records of claims.events that orders has not applied; also of partitions it never read."""
    topic = settings.topic(CLAIMS_EVENTS)
    acts = PartitionAdmin(orders, settings.consumer_group("orders"), settings.kafka_topic_prefix)
    stands = {s.partition: s.next_offset for s in await acts.standing()}
    numbers = await partitions_of(settings, topic)
    if not numbers:
        raise CommandError(f"Kafka has no topic {topic}: run `orderflow topics create`")
    partitions = [TopicPartition(topic, number) for number in numbers]
    found = await count_unread(settings, {each: stands.get(each, 0) for each in partitions})
    return sum(found.values())
