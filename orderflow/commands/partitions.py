"""`orderflow partitions`: where the services stand in each, what is stopped, and the way on."""

import re
from collections.abc import AsyncIterator, Awaitable, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, TypeVar

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.markup import escape
from rich.table import Table

from orderflow.console.audit_options import (
    By,
    DryRun,
    Why,
    chosen_services,
    readers_of,
    sign,
)
from orderflow.console.databases import opened, within_reach
from orderflow.console.environment import load_settings
from orderflow.console.numbers import INT32_MAX, INT64_MAX
from orderflow.console.terminal import (
    CommandError,
    Commands,
    Json,
    WrongArgument,
    out,
    print_json,
    run,
)
from orderflow.console.unread import count_unread
from schemas.topics import TOPICS
from services.runtime.config.settings import Settings
from services.runtime.kafka.clients import client_options
from services.runtime.kafka.topics import partitions_of
from services.runtime.operations.partition_admin import (
    LogRange,
    Move,
    PartitionAdmin,
    PartitionRefused,
    PartitionStatus,
)
from services.runtime.postgres.connections import transaction

T = TypeVar("T")

app = typer.Typer(
    cls=Commands, help="Where each partition stands, and the way on.", no_args_is_help=True
)

TopicName = Annotated[str, typer.Argument(metavar="TOPIC", help="With or without the prefix.")]
Number = Annotated[int, typer.Argument(metavar="PARTITION", min=0, max=INT32_MAX)]
ServiceName = Annotated[
    str | None, typer.Option("--service", help="Whose; needed where several read the topic.")
]


@dataclass(frozen=True, slots=True)
class Shown:
    """One partition of one service, beside what the broker has of it."""

    service: str
    standing: PartitionStatus
    log: LogRange | None
    lag: int | None
    """Records not applied yet; None where Kafka has no such partition any more."""

    @property
    def trouble(self) -> str | None:
        """Why it is not read, or cannot be."""
        if self.standing.stopped_kind:
            return f"{self.standing.stopped_kind}: {self.standing.stopped_detail}"
        if self.log is None:
            return "the topic is not there"
        if not self.log.first <= self.standing.next_offset <= self.log.end:
            return f"outside the topic's offsets {self.log.first}..{self.log.end}"
        return None


@app.command("list")
def list_(
    service: Annotated[str | None, typer.Option(help="Of this service only.")] = None,
    stopped: Annotated[bool, typer.Option("--stopped", help="Only what is in trouble.")] = False,
    json: Json = False,
) -> None:
    """Show every partition: its position, how far behind it is, whether and why it is stopped.

    Status 1 when one is stopped, or has a position that its topic does not have.

    Example: `orderflow partitions list --stopped`
    """
    settings = load_settings()
    found = run(_look(settings, chosen_services(service)))
    shown = [each for each in found if each.trouble or not stopped]
    if json:
        for each in shown:
            print_json(_as_json(each, settings))
    else:
        if shown:
            out.print(_table(shown, settings))
        for each in shown:
            if each.trouble:
                out.print(f"{each.service}: {each.trouble}", markup=False)
        out.print(f"partitions: shown={len(shown)} stopped={sum(bool(s.trouble) for s in found)}")
    if any(each.trouble for each in found):
        raise typer.Exit(1)


@app.command()
def resume(  # noqa: PLR0917 - the command line passes them by name
    topic: TopicName,
    partition: Number,
    why: Why = None,
    by: By = None,
    service: ServiceName = None,
    allow: Annotated[
        int,
        typer.Option(min=0, max=INT32_MAX, help="So many failing items pass the fuse uncounted."),
    ] = 0,
    dry_run: DryRun = False,
) -> None:
    """Let a stopped partition be read again, from where it stands.

    The replica that has it goes on within ORDERFLOW_METRICS_INTERVAL_SECONDS. What stopped it stops
    it again unless it is mended.

    Example: `orderflow partitions resume orders.commands 3 --why 'rolled back to 1.4'`
    """
    settings, signature = load_settings(), sign(by, why, is_try=dry_run)
    whose, where = _named(settings, topic, partition, service)

    async def act() -> str:
        async with _acts(settings, whose, is_try=dry_run) as acts:
            return await acts.resume(where, signature, allow)

    reason = run(_checked(act()))
    done = "would be resumed" if dry_run else "resumed"
    out.print(f"{whose}: {where.topic}[{partition}] {done}; it was stopped: {reason}", markup=False)


@app.command()
def move(  # noqa: PLR0917 - the command line passes them by name
    topic: TopicName,
    partition: Number,
    to: Annotated[str, typer.Option("--to", help="earliest, latest, or an offset.")],
    why: Why = None,
    by: By = None,
    service: ServiceName = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where nothing is wrong with the partition.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Go on at another offset: the way out when a position means nothing in its topic.

    Prints how many records are skipped. A stopped partition is resumed as well.

    Example: `orderflow partitions move orders.commands 3 --to earliest --why 'topic was recreated'`
    """
    settings, signature = load_settings(), sign(by, why, is_try=dry_run)
    whose, where = _named(settings, topic, partition, service)
    target = _offset(to)

    async def act() -> Move:
        if partition not in await partitions_of(settings, where.topic):
            raise CommandError(f"Kafka has no {where.topic}[{partition}]")
        log = (await _logs(settings, {where}))[where]
        async with _acts(settings, whose, is_try=dry_run) as acts:
            return await acts.move(where, target, log, signature, is_forced=force)

    moved = run(_checked(act()))
    if json:
        print_json(
            {"service": whose, "topic": where.topic, "partition": partition, **asdict(moved)}
        )
        return
    done = "would move" if dry_run else "moved"
    out.print(
        f"{whose}: {where.topic}[{partition}] {done} from {moved.was} to {moved.to}: "
        f"gone={moved.gone} skipped={moved.skipped} again={moved.again}",
        markup=False,
    )


async def _checked(work: Awaitable[T]) -> T:
    try:
        return await work
    except PartitionRefused as error:
        raise CommandError(str(error)) from None


@asynccontextmanager
async def _acts(settings: Settings, service: str, *, is_try: bool) -> AsyncIterator[PartitionAdmin]:
    """The acts of one service's partitions, in one transaction; a try is rolled back."""
    async with (
        opened(settings, service) as connection,
        transaction(connection, is_trial=is_try),
    ):
        group = settings.consumer_group(service)
        yield PartitionAdmin(connection, group, settings.kafka_topic_prefix)


def _named(
    settings: Settings, topic: str, partition: int, service: str | None
) -> tuple[str, TopicPartition]:
    """The service and the partition that are meant."""
    name = topic.removeprefix(settings.kafka_topic_prefix)
    if name not in TOPICS:
        raise WrongArgument(f"no topic {topic}; there are {', '.join(TOPICS)}")
    readers = readers_of(name)
    chosen = [service] if service else readers
    if len(chosen) != 1 or chosen[0] not in readers:
        raise WrongArgument(
            f"{name} is read by {', '.join(readers) or 'no service'}: say --service"
        )
    return chosen[0], TopicPartition(settings.topic(name), partition)


def _offset(text: str) -> int | Literal["earliest", "latest"]:
    if text == "earliest":
        return "earliest"
    if text == "latest":
        return "latest"
    if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) > INT64_MAX:
        raise WrongArgument(f"--to {text}: write earliest, latest, or an offset")
    return int(text)


async def _look(settings: Settings, services: Collection[str]) -> list[Shown]:
    found: list[tuple[str, PartitionStatus]] = []
    for service in within_reach(settings, services):
        async with opened(settings, service) as connection:
            group = settings.consumer_group(service)
            acts = PartitionAdmin(connection, group, settings.kafka_topic_prefix)
            found += [(service, standing) for standing in await acts.standing()]
    logs = await _logs(settings, {standing.partition for _, standing in found})
    shown = []
    for service in dict.fromkeys(name for name, _ in found):  # Several may read one partition.
        its = {s.partition: s for name, s in found if name == service}
        lags = await count_unread(settings, {p: s.next_offset for p, s in its.items()})
        shown += [Shown(service, s, logs.get(p), lags.get(p)) for p, s in its.items()]
    return shown


async def _logs(
    settings: Settings, wanted: Collection[TopicPartition]
) -> dict[TopicPartition, LogRange]:
    """First offset and end of each partition that is there."""
    consumer = AIOKafkaConsumer(**client_options(settings))
    await consumer.start()
    try:
        present = await consumer.topics()
        there = [p for p in wanted if p.topic in present]
        first = await consumer.beginning_offsets(there)
        end = await consumer.end_offsets(there)
        return {p: LogRange(first[p], end[p]) for p in there}
    finally:
        await consumer.stop()


def _as_json(shown: Shown, settings: Settings) -> dict[str, Any]:
    standing = shown.standing
    return {
        "service": shown.service,
        "topic": standing.partition.topic.removeprefix(settings.kafka_topic_prefix),
        "partition": standing.partition.partition,
        "next_offset": standing.next_offset,
        "updated_at": standing.updated_at,
        "first_offset": shown.log.first if shown.log else None,
        "end_offset": shown.log.end if shown.log else None,
        "lag": shown.lag,
        "stopped_kind": standing.stopped_kind,
        "stopped_at": standing.stopped_at,
        "trouble": shown.trouble,
    }


def _table(shown: Collection[Shown], settings: Settings) -> Table:
    table = Table("service", "topic", "partition", "position", "lag", "stopped", "since")
    for each in shown:
        standing = each.standing
        since = standing.stopped_at
        table.add_row(
            each.service,
            escape(standing.partition.topic.removeprefix(settings.kafka_topic_prefix)),
            str(standing.partition.partition),
            str(standing.next_offset),
            "?" if each.lag is None else str(each.lag),
            standing.stopped_kind or ("outside" if each.trouble else ""),
            f"{since:%Y-%m-%d %H:%MZ}" if since else "",
        )
    return table
